"""What each command does, after its arguments were read."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from cellwright_runtime.bundle.container import BundleError
from cellwright_runtime.files.json_text import canonical_json
from cellwright_train.commands.tables import evaluation_table, figures_table, verification_table
from cellwright_train.errors import UsageError, require_parent, unknown
from cellwright_train.results.result import Evaluation
from cellwright_train.rollout.cell import DEFAULT_ENV, CellChoice, products_of
from cellwright_train.rollout.evaluation import episode_plan, evaluate, record, summary
from cellwright_train.rollout.families import cell_class, require_line_change
from cellwright_train.rollout.policies import PolicyReference, resolve_policy
from cellwright_train.rollout.recording import PartRecord


def train(
    preset: str,
    directory: Path,
    *,
    seed: int,
    minutes: float | None,
    resume_run: bool,
    workers: int | None,
    device: str | None,
) -> int:
    """`cellwright train`."""
    from cellwright_train.learning.presets import PRESETS
    from cellwright_train.learning.training import on_machine, resume
    from cellwright_train.learning.training import train as run_training

    options = {"minutes": None if minutes is None else f"{minutes:g}", "workers": workers, "device": device}
    given = "".join(f" --{name} {value}" for name, value in options.items() if value is not None)
    if resume_run:
        if not (directory / "checkpoints").is_dir():
            raise UsageError(f"{directory} holds no checkpoints to resume from; name a run with --run-dir")
        command = f"cellwright train --resume{given}"
        finished = resume(directory, minutes=minutes, workers=workers, device=device, command=command)
    else:
        if preset not in PRESETS:
            raise unknown("preset", preset, PRESETS)
        if directory.exists() and not directory.is_dir():
            raise UsageError(f"{directory} is a file; name a directory with --run-dir")
        if directory.exists() and any(directory.iterdir()):
            raise UsageError(
                f"{directory} is not empty; pass another --run-dir, or --resume to go on with it"
            )
        config = on_machine(PRESETS[preset], workers=workers, device=device)
        command = f"cellwright train {preset} --seed {seed}{given}"
        finished = run_training(config, directory, seed=seed, minutes=minutes, command=command)
    print(f"run written to {finished}; next: cellwright export {finished} --out {finished.name}-bundle")
    return 0


def evaluate_command(
    policy: str,
    *,
    env: str | None,
    episodes: int,
    seed: int,
    products: str,
    disturbances: str,
    line_change: str | None,
    json_file: Path | None,
    report: Path | None,
    workers: int,
) -> int:
    """`cellwright evaluate`."""
    begin = time.perf_counter()
    for file in (json_file, report):
        if file is not None:
            require_parent(file)
    if json_file is not None and report is not None and json_file.resolve() == report.resolve():
        raise UsageError(f"--json and --report are both {report}; name two files")
    reference = resolve_policy(policy)
    choice = _checked_choice(reference, env, products, disturbances)
    if line_change is not None:
        require_line_change(cell_class(choice.env), line_change)
    plan = episode_plan(seed, episodes, choice.products, line_change)
    parts = [] if report is None else record(reference, choice, plan, workers=workers)
    if report is None:
        result = evaluate(reference, choice, plan, workers=workers)
    else:
        result = summary(reference, choice, [part.result for part in parts])
    after = "" if line_change is None else f", after {line_change}"
    console().print(evaluation_table([result], f"{products} products, {disturbances} disturbances{after}"))
    if json_file is not None:
        chosen = {"products": products, "disturbances": disturbances}
        if line_change is not None:
            chosen["line_change"] = line_change
        json_file.write_text(json.dumps(result.as_json() | chosen, allow_nan=False) + "\n")
        print(f"written to {json_file}")
    if report is not None:
        _write_report(reference, choice, result, parts, products, begin, report)
    return 0


def _write_report(
    reference: PolicyReference,
    choice: CellChoice,
    result: Evaluation[Any],
    parts: Sequence[PartRecord[Any]],
    products: str,
    begin_s: float,
    out: Path,
) -> None:
    """The page of an evaluation, with a film of the first good part, or of the first where none is."""
    from cellwright_train.report.evaluation_page import write_evaluation_page
    from cellwright_train.report.page import provenance
    from cellwright_train.rollout.film import FRAMES, filmed

    shown = next((part for part in parts if part.result.good), parts[0])
    film = filmed(reference, choice, shown.episode, steps=len(shown.actions), frames=FRAMES)
    command = (
        f"cellwright evaluate {reference.name} --env {choice.env} --episodes {len(parts)} "
        f"--seed {result.seed} --products {products} --disturbances {choice.disturbances}"
    )
    if shown.episode.line_change is not None:
        command += f" --line-change {shown.episode.line_change}"
    made = provenance(command, time.perf_counter() - begin_s)
    setting = _setting(choice, products, shown.episode.line_change)
    write_evaluation_page(result, parts, film, setting, made, out)
    print(f"written to {out}; open it in a browser")


def _setting(choice: CellChoice, products: str, line_change: str | None) -> str:
    """In sentences, what an evaluation chose and what has changed at the line."""
    told = f"Products: {products}. Disturbances: {choice.disturbances}."
    if line_change is None:
        return told
    change = require_line_change(cell_class(choice.env), line_change)
    return f"{told} After the line change {line_change}: {change.description}"


def export_command(
    run: Path,
    out: Path,
    *,
    name: str | None,
    env: str | None,
    episodes: int,
    seed: int,
    products: str,
    disturbances: str,
    command: str,
    force: bool,
    workers: int,
) -> int:
    """`cellwright export`."""
    reference = resolve_policy(str(run))
    if reference.kind != "run":
        raise UsageError(f"{run}: export takes a run directory of `cellwright train`, no {reference.kind}")
    choice = _checked_choice(reference, env, products, disturbances)
    from cellwright_policies.export import ExportError
    from cellwright_train.bundles.exporting import ExportConfig, export_run

    config = ExportConfig(
        name=name or out.name,
        directory=out,
        choice=choice,
        episodes=episodes,
        seed=seed,
        command=command,
        overwrite=force,
        workers=workers,
    )
    try:
        bundle = export_run(reference, config)
    except ExportError as error:
        print(f"cellwright: {error}", file=sys.stderr)
        return 1
    size_kb = sum(len(data) for data in bundle.files.values()) / 1e3
    print(f"{out}: {size_kb:.0f} kB, {len(bundle.golden)} golden vectors; next: cellwright verify {out}")
    return 0


def verify_command(bundle: str, *, against: Path | None, episodes: int, workers: int) -> int:
    """`cellwright verify`; 1 where a check fails, 2 where there is no readable bundle."""
    from cellwright_train.bundles.verification import verify

    directory = _bundle_directory(bundle)
    reference = None if against is None else resolve_policy(str(against))
    if reference is not None and reference.kind == "expert":
        raise UsageError(f"{against} is an expert; --against takes the run that the bundle was exported from")
    checks = verify(directory, against=reference, episodes=episodes, workers=workers)
    if not checks[0].passed:
        raise BundleError(checks[0].detail)
    console().print(verification_table(bundle, checks))
    failed = [check for check in checks if not check.passed]
    for check in failed:
        print(f"cellwright: {check.name}: {check.detail}", file=sys.stderr)
    return 1 if failed else 0


def bench_command(json_file: Path | None, *, quick: bool) -> int:
    """`cellwright bench`."""
    from cellwright_train.bench.benchmark import measure

    if json_file is not None:
        require_parent(json_file)
    figures = measure(quick=quick)
    console().print(figures_table(figures))
    if json_file is not None:
        json_file.write_bytes(canonical_json(figures))
        print(f"written to {json_file}")
    return 0


def watch_command(
    policy: str,
    out: Path,
    *,
    env: str | None,
    episodes: int,
    seed: int,
    products: str,
    disturbances: str,
    force: bool,
) -> int:
    """`cellwright watch`."""
    from cellwright_train.rollout.film import FORMATS, write_film

    if out.suffix not in FORMATS:
        raise UsageError(f"--out {out} ends in {out.suffix or 'nothing'}; use {' or '.join(FORMATS)}")
    if out.exists() and not force:
        raise UsageError(f"{out} exists; choose another --out or pass --force")
    require_parent(out)
    reference = resolve_policy(policy)
    choice = _checked_choice(reference, env, products, disturbances)
    plan = episode_plan(seed, episodes, choice.products)
    for line in write_film(reference, choice, plan, out):
        print(line)
    return 0


def console() -> Console:
    """Tables on standard output; wide enough to stay readable in a log."""
    plain = Console()
    return plain if plain.is_terminal else Console(width=120)


def _checked_choice(
    reference: PolicyReference, env: str | None, products: str, disturbances: str
) -> CellChoice:
    """The cell, made once here so that a wrong name is told before any work starts.

    Without `env` it is the one that the policy was trained in, and for an expert the weld cell.
    """
    env_id = env or reference.environment or DEFAULT_ENV
    choice = CellChoice(env=env_id, products=products_of(products, env_id), disturbances=disturbances)
    choice.make().close()
    reference.require_fit(env_id)
    return choice


def _bundle_directory(text: str) -> Path:
    if text.startswith("zoo:"):
        return _path(resolve_policy(text))
    directory = Path(text)
    if not directory.is_dir():
        raise UsageError(
            f"{text} is not a directory; verify takes a bundle, as `cellwright export` writes it"
        )
    return directory


def _path(reference: PolicyReference) -> Path:
    if reference.path is None:
        raise UsageError(f"{reference.name} is no bundle")
    return reference.path
