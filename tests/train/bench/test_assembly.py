from io import StringIO

from rich.console import Console

from cellwright_train.bench.assembly import _play, _record, insertion_steps
from cellwright_train.bench.benchmark import Effort
from cellwright_train.report.tables import figures_table
from cellwright_train.rollout.cell import CellChoice

EFFORT = Effort(repeats=2, env_steps=30, frames=1, decisions=1, training_iterations=0)


def test_every_task_is_measured_at_both_kinds_of_clearance() -> None:
    figures = insertion_steps(EFFORT)
    # The bolts' points are loose in all nuts.
    both = [">= 1000", ">= 600"]
    assert {name: figure["aim"] for name, figure in figures.items()} == {
        f"{task}_{kind}steps_per_s_one_process": aim
        for task in ("peg_insertion", "connector_insertion", "gear_mesh", "nut_fastening")
        for kind, aim in zip(("", "tight_"), both, strict=True)
        if (task, kind) != ("nut_fastening", "tight_")
    }
    assert all(figure["unit"] == "steps/s, two cameras" for figure in figures.values())
    assert all(figure["value"] > 0 and figure["repeats"] == 2 for figure in figures.values())


def test_what_is_timed_is_the_whole_insertion_into_the_hole() -> None:
    recorded = _record("cellwright/PegInsertion-v1", ["round-16-1"], 30)
    env = CellChoice(env="cellwright/PegInsertion-v1", products=("round-16-1",)).make()
    _play(env, recorded)
    assert env.unwrapped.scorecard().success
    env.close()


def test_figures_keep_their_whole_name_in_the_table_of_a_log() -> None:
    name = "weld_seam_step_time_over_raw_physics_and_render"
    console = Console(width=120, file=StringIO())
    console.print(figures_table({"figures": {name: {"missing": "too long to wait for " * 5}}}))
    assert name in console.file.getvalue()
