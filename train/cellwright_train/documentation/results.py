"""Tables of recorded `cellwright evaluate --json` and `cellwright bench --json`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cellwright_train.cell import LEVELS, EpisodeResult
from cellwright_train.documentation.errors import DocumentationError
from cellwright_train.documentation.markdown import table
from cellwright_train.evaluation import Evaluation
from cellwright_train.intervals import Estimate, proportion

NOTHING = "No evaluation has been recorded yet."


class Recorded(NamedTuple):
    """One evaluation and what was welded in it."""

    products: str
    disturbances: str
    evaluation: Evaluation


def results(directory: Path, products: str | None = None, disturbances: str | None = None) -> str:
    """All evaluations, or, shorter, the policies on one choice of products and disturbances."""
    found = evaluations(directory)
    if products is None:
        return _every_figure(found) if found else NOTHING
    if disturbances is None:
        raise DocumentationError(f"results {products}: name the disturbances too")
    chosen = [each.evaluation for each in found if each[:2] == (products, disturbances)]
    return _comparison(chosen) if chosen else NOTHING


def defect_codes(directory: Path) -> str:
    """Defects by ISO 6520-1 code of the same evaluations."""
    found = evaluations(directory)
    codes = sorted({code for each in found for code in each.evaluation.defect_mm_per_m_by_code}, key=int)
    if not codes:
        return "No evaluation with a defect has been recorded yet."
    rows = [
        (products, disturbances, f"`{e.policy}`", *(_by_code(e, code) for code in codes))
        for products, disturbances, e in found
    ]
    return table(("products", "disturbances", "policy", *codes), rows)


def evaluations(directory: Path) -> list[Recorded]:
    """Every recorded evaluation, split by split, the one with the least defects first."""
    found = [_recorded(path, data) for path, data in _files(directory) if "per_episode" in data]
    found.sort(key=lambda each: each.evaluation.defect_mm_per_m.value)
    return sorted(found, key=lambda each: each[:2], reverse=True)


def _recorded(path: Path, data: Mapping[str, Any]) -> Recorded:
    """Raises `DocumentationError` for a file whose name disagrees with its content."""
    try:
        policy, products, disturbances = data["policy"], data["products"], data["disturbances"]
    except KeyError as error:
        raise DocumentationError(f"{path.name} does not tell its {error}; evaluate again") from error
    wanted = f"{policy.replace(':', '-').replace('/', '-')}--{products}--{disturbances}.json"
    if path.name != wanted:
        raise DocumentationError(
            f"{path.name} holds {policy} on {products} with {disturbances} disturbances; name it {wanted}"
        )
    return Recorded(products, disturbances, _evaluation(data))


def _evaluation(data: Mapping[str, Any]) -> Evaluation:
    parts = tuple(
        EpisodeResult(
            seed=entry["seed"],
            product=entry["product"],
            passed=entry["passed"],
            defect_mm=entry["defect_mm"]["total"],
            defect_mm_by_code=entry["defect_mm"]["by_code"],
            seam_mm=entry["seam_mm"],
            tracking_mean_mm=entry["tracking_error_mm"]["mean"],
            tracking_p95_mm=entry["tracking_error_mm"]["p95"],
            cycle_time_s=entry["cycle_time_s"],
            crashed=entry["crashed"],
        )
        for entry in data["per_episode"]
    )
    return Evaluation(policy=data["policy"], env=data["env"], seed=data["seed"], results=parts)


def _every_figure(found: list[Recorded]) -> str:
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


def _comparison(found: list[Evaluation]) -> str:
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


def _by_code(evaluation: Evaluation, code: str) -> str:
    return f"{evaluation.defect_mm_per_m_by_code.get(code, 0.0):.1f}"


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.0f} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"


def _interval(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f} ({estimate.low:.{digits}f} to {estimate.high:.{digits}f})"
