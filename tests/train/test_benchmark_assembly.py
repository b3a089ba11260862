from cellwright_train.benchmark import Effort
from cellwright_train.benchmark_assembly import _play, _record, peg_insertion_steps
from cellwright_train.cell import CellChoice

EFFORT = Effort(repeats=2, env_steps=30, frames=1, decisions=1, training_iterations=0)


def test_both_kinds_of_clearance_are_measured_and_say_with_how_many_cameras() -> None:
    figures = peg_insertion_steps(EFFORT)
    assert [figure["aim"] for figure in figures.values()] == [">= 1000", ">= 600"]
    assert all(figure["unit"] == "steps/s (two 64x64 cameras)" for figure in figures.values())
    assert all(figure["value"] > 0 and figure["repeats"] == 2 for figure in figures.values())


def test_what_is_timed_is_the_whole_insertion_into_the_hole() -> None:
    recorded = _record(["round-16-1"], 30)
    env = CellChoice(env="cellwright/PegInsertion-v0", products=("round-16-1",)).make()
    _play(env, recorded)
    assert env.unwrapped.scorecard().success
    env.close()
