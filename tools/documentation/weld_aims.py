"""Aims of welds, compared with recorded evaluations of the shipped policies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cellwright_train.results.feasible import Feasible
from cellwright_train.results.intervals import Estimate, proportion
from cellwright_train.results.welds import WeldEvaluation
from tools.documentation.markdown import table
from tools.documentation.results import NOTHING, welds

POOL, BLIND = "zoo:weld-seam", "zoo:weld-seam-without-pool"
SCRIPTED = ("adaptive-tracker", "seam-tracker")
SADDLE, GEOMETRY = "tee-saddle-3.2", "geometry-held-out"
SEARCHED = "feasible"
"""Directory, beside the results, of the searches for parts that can be made good."""
LARGEST_DEFECTS = {("train", "train"): 0.1, ("held-out", "hard"): 0.5}
"""Of the shipped policy, over those of the best scripted controller."""
LARGEST_DISTANCE_MM = 0.3
"""Of the wire from the seam, beyond that of `seam-tracker`."""


class Aim(NamedTuple):
    """Parts at level C that a shipped policy is to reach [%]."""

    policy: str
    what: str
    percent: float
    products: str = "train"
    disturbances: str = "train"
    kind: str = ""
    """How the names of the products begin that count."""


AIMS = (
    Aim(POOL, "training parts", 96.0),
    Aim(POOL, "butts among them", 90.0, kind="butt"),
    Aim(BLIND, "training parts", 94.0),
    Aim(BLIND, "butts among them", 85.0, kind="butt"),
    *(
        Aim(POOL, f"after {change}", 94.0, disturbances=f"train, after {change}")
        for change in ("new-batch", "moved-fixture", "bent-wire", "dim-light")
    ),
    Aim(POOL, "the saddle", 90.0, products=SADDLE),
    Aim(POOL, "angles and curves held out", 90.0, products=GEOMETRY),
)
LEAST_FEASIBLE = 85.0
"""Parts at level C [%] of those held out that can be made good under `hard`."""
_Found = Mapping[tuple[str, str, str], WeldEvaluation]


def weld_aims(directory: Path) -> str:
    """Every aim, the measured value, and whether it is reached."""
    found = {(e.policy, products, disturbances): e for products, disturbances, e in welds(directory)}
    rows = [_good(aim, found) for aim in AIMS]
    rows.append(_feasible(directory, found))
    rows += [_defects(*split, found) for split in LARGEST_DEFECTS]
    rows += [_distance(products, found) for products in (SADDLE, GEOMETRY)]
    return table(("policy", "what", "aim", "measured", "reached"), rows) if found else NOTHING


def _good(aim: Aim, found: _Found) -> tuple[str, ...]:
    evaluation = found.get((aim.policy, aim.products, aim.disturbances))
    head = f"`{aim.policy}`", f"{aim.what}, at level C", f">= {aim.percent:g} %"
    results = () if evaluation is None else evaluation.results
    passed = [each.passed["C"] for each in results if each.product.startswith(aim.kind)]
    if not passed:
        return *head, *_NOT_RECORDED
    rate = proportion(sum(passed), len(passed))
    return *head, _percent(rate), _yes(100.0 * rate.value >= aim.percent)


def _feasible(directory: Path, found: _Found) -> tuple[str, ...]:
    evaluation = found.get((POOL, "held-out", "hard"))
    path = directory / SEARCHED / "weld-seam--held-out--hard.json"
    told = "held-out parts under `hard` that can be made good, at level C"
    head = f"`{POOL}`", told, f">= {LEAST_FEASIBLE:g} %"
    if evaluation is None or not path.exists():
        return *head, *_NOT_RECORDED
    asked: dict[str, Any] = {
        "env": evaluation.env,
        "seed": evaluation.seed,
        "products": "held-out",
        "disturbances": "hard",
    }
    feasible = Feasible.read(path, asked, len(evaluation.results)).over(evaluation).results
    if not feasible:
        return *head, "none can", "no"
    rate = proportion(sum(each.good for each in feasible), len(feasible))
    measured = f"{_percent(rate)}, {len(feasible)} of {len(evaluation.results)} parts"
    return *head, measured, _yes(100.0 * rate.value >= LEAST_FEASIBLE)


def _defects(products: str, disturbances: str, found: _Found) -> tuple[str, ...]:
    most = LARGEST_DEFECTS[products, disturbances]
    head = (
        f"`{POOL}`",
        f"defect length, {products} parts under `{disturbances}`",
        f"<= {most:g} of the best scripted controller's",
    )
    ours = found.get((POOL, products, disturbances))
    theirs = [each for name in SCRIPTED if (each := found.get((name, products, disturbances)))]
    if ours is None or not theirs:
        return *head, *_NOT_RECORDED
    mine, best = ours.defect_mm_per_m.value, min(each.defect_mm_per_m.value for each in theirs)
    return *head, f"{mine:.1f} against {best:.1f} mm/m", _yes(mine <= most * best)


def _distance(products: str, found: _Found) -> tuple[str, ...]:
    head = (
        f"`{POOL}`",
        f"wire off the seam, {'the saddle' if products == SADDLE else 'angles and curves held out'}",
        f"<= {LARGEST_DISTANCE_MM:g} mm more than `seam-tracker`",
    )
    ours, theirs = (found.get((name, products, "train")) for name in (POOL, "seam-tracker"))
    if ours is None or theirs is None:
        return *head, *_NOT_RECORDED
    mine, other = ours.tracking_mean_mm.value, theirs.tracking_mean_mm.value
    return *head, f"{mine:.2f} against {other:.2f} mm", _yes(mine <= other + LARGEST_DISTANCE_MM)


_NOT_RECORDED = "not recorded", "no"


def _percent(rate: Estimate) -> str:
    return f"{100 * rate.value:.1f} % ({100 * rate.low:.1f} to {100 * rate.high:.1f})"


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"
