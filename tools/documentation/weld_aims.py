"""Aims of welds, compared with recorded evaluations of the shipped policies."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cellwright_train.results.feasible import Feasible
from cellwright_train.results.welds import WeldEvaluation
from tools.documentation.aims import Aim, Row, after, aims_table
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
AIMS = (
    Aim(POOL, "training parts", 96.0),
    Aim(POOL, "butts among them", 90.0, kind="butt"),
    Aim(BLIND, "training parts", 94.0),
    Aim(BLIND, "butts among them", 85.0, kind="butt"),
    *(after(POOL, change, 94.0) for change in ("new-batch", "moved-fixture", "bent-wire", "dim-light")),
    Aim(POOL, "the saddle", 90.0, products=SADDLE),
    Aim(POOL, "angles and curves held out", 90.0, products=GEOMETRY),
)
"""Parts at level C."""
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
    return aims_table("policy", rows) if found else NOTHING


def _good(aim: Aim, found: _Found) -> Row:
    evaluation = found.get((aim.subject, aim.products, aim.disturbances))
    row = Row(f"`{aim.subject}`", f"{aim.what}, at level C", f">= {aim.percent:g} %")
    return row.of_parts([part.passed["C"] for part in aim.counted(evaluation)], aim.percent)


def _feasible(directory: Path, found: _Found) -> Row:
    evaluation = found.get((POOL, "held-out", "hard"))
    path = directory / SEARCHED / "weld-seam--held-out--hard.json"
    told = "held-out parts under `hard` that can be made good, at level C"
    row = Row(f"`{POOL}`", told, f">= {LEAST_FEASIBLE:g} %")
    if evaluation is None or not path.exists():
        return row
    asked: dict[str, Any] = {
        "env": evaluation.env,
        "seed": evaluation.seed,
        "products": "held-out",
        "disturbances": "hard",
    }
    feasible = Feasible.read(path, asked, len(evaluation.results)).over(evaluation).results
    if not feasible:
        return row.held("none can", False)
    note = f", {len(feasible)} of {len(evaluation.results)} parts"
    return row.of_parts([each.good for each in feasible], LEAST_FEASIBLE, note)


def _defects(products: str, disturbances: str, found: _Found) -> Row:
    most = LARGEST_DEFECTS[products, disturbances]
    what = f"defect length, {products} parts under `{disturbances}`"
    row = Row(f"`{POOL}`", what, f"<= {most:g} of the best scripted controller's")
    ours = found.get((POOL, products, disturbances))
    theirs = [each for name in SCRIPTED if (each := found.get((name, products, disturbances)))]
    if ours is None or not theirs:
        return row
    mine, best = ours.defect_mm_per_m.value, min(each.defect_mm_per_m.value for each in theirs)
    return row.held(f"{mine:.1f} against {best:.1f} mm/m", mine <= most * best)


def _distance(products: str, found: _Found) -> Row:
    what = f"wire off the seam, {'the saddle' if products == SADDLE else 'angles and curves held out'}"
    row = Row(f"`{POOL}`", what, f"<= {LARGEST_DISTANCE_MM:g} mm more than `seam-tracker`")
    ours, theirs = (found.get((name, products, "train")) for name in (POOL, "seam-tracker"))
    if ours is None or theirs is None:
        return row
    mine, other = ours.tracking_mean_mm.value, theirs.tracking_mean_mm.value
    return row.held(f"{mine:.2f} against {other:.2f} mm", mine <= other + LARGEST_DISTANCE_MM)
