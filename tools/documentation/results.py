"""Tables of recorded `cellwright evaluate --json` and `cellwright bench --json`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

from cellwright_train.results.insertions import InsertionEvaluation
from cellwright_train.results.intervals import Estimate, proportion
from cellwright_train.results.result import Evaluation
from cellwright_train.results.welds import LEVELS, WeldEvaluation
from cellwright_train.rollout.cell import DEFAULT_ENV
from cellwright_train.rollout.families import family_of
from tools.documentation.environments import slug_of
from tools.documentation.errors import DocumentationError
from tools.documentation.markdown import table

NOTHING = "No evaluation has been recorded yet."
Kind = TypeVar("Kind", bound=Evaluation[Any])


class Recorded(NamedTuple, Generic[Kind]):
    """One evaluation, with its products and disturbances."""

    products: str
    disturbances: str
    evaluation: Kind


def results(directory: Path, products: str | None = None, disturbances: str | None = None) -> str:
    """All evaluations of welds, or, shorter, the policies on one choice of products and disturbances."""
    found = welds(directory)
    if products is None:
        return f"{_every_figure(found)}\n\n{_graded(found)}" if found else NOTHING
    if disturbances is None:
        raise DocumentationError(f"results {products}: name the disturbances too")
    chosen = [each.evaluation for each in found if each[:2] == (products, disturbances)]
    return _comparison(chosen) if chosen else NOTHING


def defect_codes(directory: Path) -> str:
    """Defects by ISO 6520-1 code of the same evaluations."""
    found = welds(directory)
    codes = sorted({code for each in found for code in each.evaluation.defect_mm_per_m_by_code}, key=int)
    if not codes:
        return "No evaluation with a defect has been recorded yet."
    rows = [
        (products, disturbances, f"`{e.policy}`", *(_by_code(e, code) for code in codes))
        for products, disturbances, e in found
    ]
    return table(("products", "disturbances", "policy", *codes), rows)


def insertion_results(directory: Path) -> str:
    """All evaluations of insertions."""
    rows = [
        (
            f"`{e.env}`",
            products,
            disturbances,
            f"`{e.policy}`",
            f"{len(e.results)} from {e.seed}",
            _percent(e.success_rate),
            _percent(e.loose_success_rate),
            _median_time_s(e),
            _interval(e.peak_force_n(0.95), 1),
            e.broken,
            e.lost,
        )
        for products, disturbances, e in insertions(directory)
    ]
    headings = ("environment", "products", "disturbances", "policy", "parts, first seed")
    figures = ("success %", "loose success %", "median time s", "p95 peak force N", "broken", "lost")
    return table((*headings, *figures), rows) if rows else NOTHING


def insertion_comparison(directory: Path) -> str:
    """For each task, the policies that were evaluated on its training parts under `train` disturbances.

    With their success on held-out parts, where that was evaluated too. Runs, which are not shipped, are left
    out.
    """
    found = [each for each in insertions(directory) if each.disturbances == "train"]
    held_out = {(e.env, e.policy): e for products, _, e in found if products == "held-out"}
    rows = [
        (
            f"`{e.env.partition('/')[2]}`",
            f"`{e.policy}`",
            _percent(e.success_rate),
            _percent(other.success_rate) if (other := held_out.get((e.env, e.policy))) else "",
            _median_time_s(e),
            _interval(e.peak_force_n(0.95), 1),
        )
        for products, _, e in found
        if products == "train" and "/" not in e.policy
    ]
    figures = ("success %", "success on held-out parts %", "median time s", "p95 peak force N")
    return table(("task", "policy", *figures), rows) if rows else NOTHING


def welds(directory: Path) -> list[Recorded[WeldEvaluation]]:
    """Every recorded evaluation of welds, split by split, the one with the least defects first."""
    found = _of(directory, WeldEvaluation)
    found.sort(key=lambda each: each.evaluation.defect_mm_per_m.value)
    return sorted(found, key=lambda each: each[:2], reverse=True)


def insertions(directory: Path) -> list[Recorded[InsertionEvaluation]]:
    """Every recorded evaluation of insertions, split by split, the one with the most successes first."""
    found = _of(directory, InsertionEvaluation)
    found.sort(key=lambda each: -each.evaluation.success_rate.value)
    found.sort(key=lambda each: each[:2], reverse=True)
    return sorted(found, key=lambda each: each.evaluation.env)


def _of(directory: Path, kind: type[Kind]) -> list[Recorded[Kind]]:
    read = [_recorded(path, data) for path, data in _files(directory) if "per_episode" in data]
    return [each for each in read if isinstance(each.evaluation, kind)]


def _recorded(path: Path, data: Mapping[str, Any]) -> Recorded[Any]:
    """Raises `DocumentationError` for a file whose name disagrees with its content."""
    try:
        env, policy = data["env"], data["policy"]
        products, disturbances = data["products"], data["disturbances"]
    except KeyError as error:
        raise DocumentationError(f"{path.name} does not tell its {error}; evaluate again") from error
    change = data.get("line_change")
    words = [
        policy.replace(":", "-").replace("/", "-"),
        products,
        disturbances,
        *([change] if change else []),
    ]
    wanted = "--".join(words if env == DEFAULT_ENV else [slug_of(env), *words]) + ".json"
    if change:
        disturbances = f"{disturbances}, after {change}"
    if path.name != wanted:
        raise DocumentationError(
            f"{path.name} holds {policy} on {products} with {disturbances} disturbances; name it {wanted}"
        )
    family = family_of(env)
    parts = tuple(family.result.from_json(entry) for entry in data["per_episode"])
    made = family.evaluation(policy=policy, env=env, seed=data["seed"], results=parts)
    return Recorded(products, disturbances, made)


def _graded(found: list[Recorded[WeldEvaluation]]) -> str:
    """The editions of the standard that the welds were graded by."""
    return f"Graded by {'; '.join(sorted({each.evaluation.graded_by for each in found}))}."


def _every_figure(found: list[Recorded[WeldEvaluation]]) -> str:
    yields = tuple(f"{level} %" for level in LEVELS)
    figures = ("defects mm/m", "off seam mm", "p95 off seam mm", "cycle s", "crashes (%)")
    rows = [
        (
            products,
            disturbances,
            f"`{e.policy}`",
            f"{len(e.results)} from {e.seed}",
            *(_percent(e.first_pass_yield(level)) for level in LEVELS),
            _interval(e.defect_mm_per_m, 1),
            _interval(e.tracking_mean_mm, 2),
            _interval(e.tracking_p95_mm, 2),
            _interval(e.cycle_time_s, 1),
            f"{e.crashes} ({_percent(proportion(e.crashes, len(e.results)))})",
        )
        for products, disturbances, e in found
    ]
    return table(("products", "disturbances", "policy", "parts, first seed", *yields, *figures), rows)


def _comparison(found: list[WeldEvaluation]) -> str:
    figures = ("parts at level C %", "defects mm/m", "off seam mm", "cycle s", "crashes")
    rows = [
        (
            f"`{e.policy}`",
            _percent(e.first_pass_yield("C")),
            _interval(e.defect_mm_per_m, 1),
            f"{e.tracking_mean_mm.value:.2f}",
            f"{e.cycle_time_s.value:.1f}",
            e.crashes,
        )
        for e in found
    ]
    return table(("policy", *figures), rows)


def bench(directory: Path) -> str:
    """Figures of every recorded benchmark, with their aims."""
    told = [_bench(path.name, data) for path, data in _files(directory) if "figures" in data]
    return "\n\n".join(told) or "No benchmark has been recorded yet."


def _bench(name: str, data: Mapping[str, Any]) -> str:
    machine = data["machine"]
    where = f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    used = ", ".join(f"{package} {version}" for package, version in data["versions"].items())
    quick = " (quick)" if data["quick"] else ""
    rows = [_figure(key.replace("_", " "), figure) for key, figure in data["figures"].items()]
    headings = ("figure", "median", "spread", "aim", "reached")
    return f"`{name}`{quick}: {where}; {used}.\n\n{table(headings, rows)}"


def _figure(name: str, figure: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    aim = figure["aim"]
    if "missing" in figure:
        return name, figure["missing"], "", aim, ""
    spread = f"{figure['low']:.4g} to {figure['high']:.4g}, {figure['repeats']} repeats"
    return name, f"{figure['value']:.4g} {figure['unit']}", spread, aim, _reached(figure["value"], aim)


def _reached(value: float, aim: str) -> str:
    sign, _, limit = aim.partition(" ")
    if sign == ">=":
        return "yes" if value >= float(limit) else "no"
    if sign == "<=":
        return "yes" if value <= float(limit) else "no"
    return ""


def _files(directory: Path) -> Iterator[tuple[Path, Any]]:
    for path in sorted(directory.glob("*.json")):
        yield path, json.loads(path.read_text())


def _by_code(evaluation: WeldEvaluation, code: str) -> str:
    return f"{evaluation.defect_mm_per_m_by_code.get(code, 0.0):.1f}"


def _median_time_s(evaluation: InsertionEvaluation) -> str:
    median_s = evaluation.cycle_time_s(0.5)
    return "" if median_s is None else _interval(median_s, 1)


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.0f} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"


def _interval(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"
