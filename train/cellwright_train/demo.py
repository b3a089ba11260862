"""`cellwright demo`: the whole job once, from the taught program to a verified bundle, told in one page."""

import contextlib
import dataclasses
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellwright_envs.disturbances.line_change import LineChange
from cellwright_policies import zoo
from cellwright_runtime.bundle.container import BundleError
from cellwright_runtime.verification import Check
from cellwright_train.bundles.verification import verify
from cellwright_train.outputs import Output, require_new_directory
from cellwright_train.report.demo_page import PolicyStory, Story, demo_page
from cellwright_train.report.page import provenance
from cellwright_train.report.tables import evaluation_table
from cellwright_train.results.insertions import InsertionResult
from cellwright_train.rollout.cell import DEFAULT_ENV, Episode
from cellwright_train.rollout.evaluation import record
from cellwright_train.rollout.families import cell_class, require_line_change
from cellwright_train.rollout.film import FRAMES, filmed
from cellwright_train.rollout.policies import ZOO_PREFIX, BundleReference, PolicyReference, resolve_policy
from cellwright_train.rollout.recording import PartRecord
from cellwright_train.rollout.trial import Trial
from cellwright_train.terminal import console

SHIPPED = "weld-seam"
LINE_CHANGE = "new-batch"
FIRST_SEED = 500_000
"""Far from the seeds that training and its tests draw."""
SHIPPED_INSERTION = "peg-insertion"
INSERTION_ENV = "cellwright/PegInsertion-v1"
INSERTED = "square-12-0.5-chamfer"
_INSERTION_STEPS = 40
"""About how long an insertion takes."""
_ROOM_BYTES = 4 << 20
_EXPLANATIONS = {
    "seam-tracker": "Follows the measured seam with the settings of the programme.",
    "adaptive-tracker": "The best classical one: also adapts speed and heat to the gap.",
    f"zoo:{SHIPPED}": "The shipped policy: camera and process signals in, trained with PPO.",
}


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """What the demo does and where it writes."""

    report: Path = Path("report.html")
    work: Path = Path("demo-out")
    """Training run and bundle go to a fresh directory in here."""
    parts: int = 20
    minutes: float = 1.5
    """Length of the fine-tuning run."""
    seed: int = 1
    workers: int = 2


def run_demo(config: DemoConfig) -> int:
    """Run it; returns the exit code: 1 where the exported bundle fails its verification."""
    with Output(config.report, room_bytes=_ROOM_BYTES) as report:
        require_new_directory(config.work / "001")
        return _run(config, report)


def _run(config: DemoConfig, report: Output) -> int:
    begin = time.perf_counter()
    screen = console()
    references, notes = _controllers()
    for note in notes:
        screen.print(note)
    change_at = config.parts // 2
    screen.print(
        f"[bold]1/3[/bold]  {config.parts} parts, {len(references)} controllers, "
        f"line change after part {change_at}"
    )
    trials = [_trial(reference, config) for reference in references]
    stories = tuple(_weld(trial, config.workers) for trial in trials)
    film = _film(dataclasses.replace(trials[-1], pictures=True), trials[-1].plan[change_at])
    insertion = _insert(config)
    screen.print(
        f"     and in the assembly cell {insertion.policy} with {insertion.result.product}: "
        f"{insertion.result.outcome}"
    )
    screen.print(f"[bold]2/3[/bold]  PPO goes on from the shipped policy for {config.minutes:g} min")
    tuning, checks = _fine_tune(config, references[-1])
    story = Story(
        policies=stories,
        change_at=change_at,
        change=_change().description,
        film=film,
        insertion=insertion,
        fine_tuning=tuning,
        checks=[(check.name, check.passed, check.detail) for check in checks],
        notes=notes,
        provenance=_told_provenance(config, time.perf_counter() - begin),
    )
    try:
        report.write(demo_page(story).encode())
    finally:
        screen.print("[bold]3/3[/bold]  results")
        screen.print(
            evaluation_table([story.evaluation() for story in stories], "train disturbances, one line change")
        )
        for check in checks:
            screen.print(f"bundle {check.name}: {'pass' if check.passed else 'FAIL'}, {check.detail}")
    screen.print(
        f"{config.report} tells the rest; open it in a browser ({time.perf_counter() - begin:.0f} s)"
    )
    return 0 if all(check.passed for check in checks) else 1


def _controllers() -> tuple[list[PolicyReference], list[str]]:
    names = ["seam-tracker", "adaptive-tracker"]
    if SHIPPED in zoo.names():
        return [resolve_policy(name) for name in [*names, zoo_name()]], []
    missing = f"{zoo_name()} is not installed with this copy, so its column and the fine-tuning are left out."
    return [resolve_policy(name) for name in names], [missing]


def zoo_name() -> str:
    """The shipped policy as a POLICY argument."""
    return f"zoo:{SHIPPED}"


def _trial(reference: PolicyReference, config: DemoConfig) -> Trial:
    """The parts of the demo, of which the second half comes after the line change."""
    trial = Trial.resolve(reference, seed=FIRST_SEED + 1000 * config.seed, episodes=config.parts, trace=True)
    trial.close()
    half = config.parts // 2
    changed = (episode._replace(changes=(_change(),)) for episode in trial.plan[half:])
    return dataclasses.replace(trial, plan=(*trial.plan[:half], *changed))


def _weld(trial: Trial, workers: int) -> PolicyStory:
    name = trial.policy.name
    welds = record(trial, workers=workers)
    return PolicyStory(label=name, explanation=_EXPLANATIONS.get(name, ""), welds=tuple(welds))


def _film(trial: Trial, episode: Episode, *, steps: int = 0, frames: int = FRAMES) -> PartRecord[Any]:
    with contextlib.closing(trial):
        return filmed(*trial.workplace, episode, steps=steps, frames=frames)


def _insert(config: DemoConfig) -> PartRecord[InsertionResult]:
    """One part inserted by the shipped policy, or where there is none by the oracle."""
    shipped = f"{ZOO_PREFIX}{SHIPPED_INSERTION}"
    trial = Trial.resolve(
        shipped if SHIPPED_INSERTION in zoo.names() else "oracle",
        env=INSERTION_ENV,
        products=INSERTED,
        seed=FIRST_SEED + 1000 * config.seed,
        episodes=1,
        trace=True,
        pictures=True,
    )
    return _film(trial, trial.plan[0], steps=_INSERTION_STEPS, frames=8)


def _fine_tune(config: DemoConfig, shipped: PolicyReference) -> tuple[Mapping[str, str], list[Check]]:
    """Train on from the shipped policy, export the result and verify it; nothing where there is none."""
    if not isinstance(shipped, BundleReference):
        return {}, []
    import torch

    from cellwright_train.bundles.exporting import ExportConfig, export_run
    from cellwright_train.learning.presets import PRESETS
    from cellwright_train.learning.training import train

    try:
        weights = {name: torch.from_numpy(values) for name, values in shipped.bundle.weights.items()}
    except BundleError as error:
        return {"left out": str(error)}, []
    directory = fresh(config.work)
    preset = PRESETS[SHIPPED]
    tuning = dataclasses.replace(
        preset,
        demonstrations=dataclasses.replace(preset.demonstrations, steps=0),
        workers=config.workers,
    )
    begin = time.perf_counter()
    run = train(tuning, directory / "run", seed=config.seed, minutes=config.minutes, initial_weights=weights)
    trained_s = time.perf_counter() - begin
    reference = resolve_policy(str(run))
    command = f"cellwright demo --minutes {config.minutes:g} --seed {config.seed}"
    export = ExportConfig(
        name="weld-seam-fine-tuned",
        directory=directory / "bundle",
        command=command,
        workers=config.workers,
    )
    bundle = export_run(Trial.resolve(reference, seed=FIRST_SEED, episodes=12), export)
    checks = verify(bundle.directory, against=reference, episodes=12, workers=config.workers)
    card = bundle.spec.scores
    return {
        "trained for": f"{trained_s:.0f} s",
        "bundle": f"{bundle.directory} ({sum(len(data) for data in bundle.files.values()) / 1e6:.1f} MB)",
        "passes level C": f"{100 * card['first_pass_yield']['C']:.0f} % of 12 fresh parts",
    }, checks


def fresh(parent: Path) -> Path:
    """The first numbered directory in `parent` that is not there yet."""
    number = 1
    while (parent / f"{number:03d}").exists():
        number += 1
    directory = parent / f"{number:03d}"
    directory.mkdir(parents=True)
    return directory


def _change() -> LineChange:
    """The line change of the demo."""
    change: LineChange = require_line_change(cell_class(DEFAULT_ENV), LINE_CHANGE)
    return change


def _told_provenance(config: DemoConfig, seconds: float) -> dict[str, str]:
    command = f"cellwright demo --parts {config.parts} --minutes {config.minutes:g} --seed {config.seed}"
    return provenance(command, seconds)
