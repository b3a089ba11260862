"""Aims of insertions, compared with recorded evaluations of the shipped policies."""

from collections.abc import Mapping
from pathlib import Path

from cellwright_train.results.insertions import InsertionEvaluation
from tools.documentation.aims import Aim, Row, after, aims_table, between
from tools.documentation.environments import slug_of
from tools.documentation.results import NOTHING, insertions

TIGHTEST = "round-8-0.1-chamfer+square-12-0.1-chamfer"
_Found = Mapping[tuple[str, str, str, str], InsertionEvaluation]


def _of_a_task(
    task: str, *, trained: float, held_out: float, late: float, cameras: float, hard: float
) -> tuple[Aim, ...]:
    """Success on training and held-out parts [%], with a late arm, a knocked camera and under `hard`."""
    return (
        Aim(task, "training parts", trained),
        Aim(task, "held-out parts", held_out, products="held-out"),
        Aim(task, "camera moved by 3 mm", cameras, disturbances="moved_camera"),
        Aim(task, "camera turned by 5 degrees", cameras, disturbances="turned_camera"),
        Aim(task, "latency of three control steps", late, disturbances="late"),
        Aim(task, "`hard`", hard, disturbances="hard"),
    )


AIMS = (
    *_of_a_task("peg-insertion", trained=99.0, held_out=99.0, late=99.0, cameras=98.5, hard=90.0),
    Aim("peg-insertion", "0.1 mm of clearance a side", 98.5, products=TIGHTEST),
    *_of_a_task("connector-insertion", trained=98.5, held_out=99.0, late=99.0, cameras=99.0, hard=90.0),
    *_of_a_task("nut-fastening", trained=98.0, held_out=85.0, late=95.0, cameras=90.0, hard=75.0),
    after("nut-fastening", "new-batch", 97.0),
    *_of_a_task("gear-mesh", trained=98.0, held_out=85.0, late=90.0, cameras=90.0, hard=80.0),
    after("gear-mesh", "moved-fixture", 96.0),
    after("gear-mesh", "dim-light", 95.0),
)
"""Successes, by the slug of their task, which is the name of its policy too."""
LARGEST_FORCE_N = 15.0
"""Aim for the 95th percentile of the peak force of pegs."""
LARGEST_TIME_FRACTION = 0.7
"""Aim for the median time over that of an industrial expert."""
RIVALS = ("spiral-search", "visual-servo")
_PEGS = ("peg-insertion", "zoo:peg-insertion", "train", "train")


def insertion_aims(directory: Path) -> str:
    """Every aim, the measured value, and whether it is reached."""
    found = {
        (slug_of(evaluation.env), evaluation.policy, products, disturbances): evaluation
        for products, disturbances, evaluation in insertions(directory)
    }
    rows = [_success(aim, found) for aim in AIMS]
    rows += [_force(found), *(_against(rival, found) for rival in RIVALS)]
    return aims_table("task", rows) if found else NOTHING


def _success(aim: Aim, found: _Found) -> Row:
    evaluation = found.get((aim.subject, f"zoo:{aim.subject}", aim.products, aim.disturbances))
    row = Row(aim.subject, aim.what, f">= {aim.percent:g} %")
    return row.of_parts([part.success for part in aim.counted(evaluation)], aim.percent)


def _force(found: _Found) -> Row:
    row = Row(_PEGS[0], "p95 of the peak force, training parts", f"<= {LARGEST_FORCE_N:g} N")
    evaluation = found.get(_PEGS)
    if evaluation is None:
        return row
    force = evaluation.peak_force_n(0.95)
    return row.held(between(force, "N"), force.value <= LARGEST_FORCE_N)


def _against(rival: str, found: _Found) -> Row:
    told = f"more successes, <= {100 * LARGEST_TIME_FRACTION:g} % of its median time"
    row = Row(_PEGS[0], f"against `{rival}` on the same seeds", told)
    ours, theirs = found.get(_PEGS), found.get((_PEGS[0], rival, *_PEGS[2:]))
    if ours is None or theirs is None or _seeds(ours) != _seeds(theirs):
        return row
    ours_s, theirs_s = ours.cycle_time_s(0.5), theirs.cycle_time_s(0.5)
    if ours_s is None or theirs_s is None:
        return row.held("nothing was inserted", False)
    fraction = ours_s.value / theirs_s.value
    more = ours.success_rate.value > theirs.success_rate.value
    rates = f"{100 * ours.success_rate.value:.1f} against {100 * theirs.success_rate.value:.1f} %"
    measured = f"{rates}, in {100 * fraction:.0f} % of its time"
    return row.held(measured, more and fraction <= LARGEST_TIME_FRACTION)


def _seeds(evaluation: InsertionEvaluation) -> list[int]:
    return [part.seed for part in evaluation.results]
