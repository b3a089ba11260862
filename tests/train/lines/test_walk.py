"""When the line stops, what people teach then, and what a contender therefore meets."""

from collections.abc import Sequence

import pytest

from cellwright_train.lines.contenders import Contender
from cellwright_train.lines.line import Line
from cellwright_train.lines.teaching import GAINS, OFFSETS, teaching
from cellwright_train.lines.walk import Walk
from cellwright_train.rollout.cell import Episode
from cellwright_train.rollout.families import cell_class
from tests.train.lines.conftest import HEAD, fixture_m, inserted, line

PEGS = '[[batch]]\nproduct = "round-8-0.5"\n'
MOVED = '[[batch.change]]\nline_change = "moved-fixture"\n'


def walked(made: Line, policy: str, bad: Sequence[int] = ()) -> Walk:
    """A contender at the end of a line: what is in `bad` fails, and all that the fixture moves away."""
    walk = Walk(made, Contender.resolve(policy, made.cells))
    while works := walk.ahead():
        walk.settle(
            [
                inserted(good=offset_m(made, work.episode) < 1e-3 and work.part.index not in bad)
                for work in works
            ]
        )
    return walk


def offset_m(made: Line, episode: Episode) -> float:
    return fixture_m(next(iter(made.cells.values())), episode)


def offsets_mm(walk: Walk) -> list[float]:
    return [round(1e3 * offset_m(walk.line, row.work.episode), 3) for row in walk.rows]


def stops(walk: Walk) -> dict[int, dict[str, float]]:
    return {row.part.index: dict(row.work.stops_s) for row in walk.rows if row.work.stops_s}


OFF_MM = 3.162
"""The fixture after `moved-fixture`."""


def test_an_announced_change_stops_the_line_and_is_taught() -> None:
    made = line(f"{PEGS}parts = 6\n{MOVED}after = 3\nannounced = true\n")
    walk = walked(made, "spiral-search")
    assert stops(walk) == {3: {"re-teaching": 900.0}}
    assert offsets_mm(walk) == [0.0] * 6
    assert all(row.result.good for row in walk.rows)


@pytest.mark.parametrize("policy", ["oracle", "zoo:peg-insertion"])
def test_nobody_teaches_a_trained_policy_or_one_that_knows_the_truth(policy: str) -> None:
    made = line(f"{PEGS}parts = 6\n{MOVED}after = 3\nannounced = true\n")
    walk = walked(made, policy)
    assert stops(walk) == {}
    assert offsets_mm(walk) == [0.0] * 3 + [OFF_MM] * 3


def test_an_unannounced_change_is_taught_after_bad_parts_in_a_row() -> None:
    made = line(f"{PEGS}parts = 8\n{MOVED}after = 3\n")
    walk = walked(made, "spiral-search")
    assert stops(walk) == {5: {"re-teaching": 900.0}}
    assert offsets_mm(walk) == [0.0] * 3 + [OFF_MM] * 2 + [0.0] * 3


@pytest.mark.parametrize(
    ("every", "row", "stop"), [(1, 1, 4), (1, 3, 6), (2, 2, 6), (4, 1, 4), (3, 2, 9), (5, 2, 10)]
)
def test_people_stop_the_line_after_the_inspected_part_that_is_one_too_many(
    every: int, row: int, stop: int
) -> None:
    head = HEAD.replace("inspected_every = 1", f"inspected_every = {every}\nbad_in_a_row = {row}")
    walk = walked(line(f"{PEGS}parts = 12\n{MOVED}after = 3\n", head), "spiral-search")
    assert list(stops(walk)) == [stop]
    assert offsets_mm(walk) == [0.0] * 3 + [OFF_MM] * (stop - 3) + [0.0] * (12 - stop)


def test_a_good_inspected_part_in_between_begins_the_row_anew() -> None:
    assert list(stops(walked(line(f"{PEGS}parts = 8\n"), "spiral-search", bad=(0, 2, 4)))) == []
    assert list(stops(walked(line(f"{PEGS}parts = 8\n"), "spiral-search", bad=(0, 2, 3)))) == [4]


def test_where_teaching_did_not_help_people_wait_for_a_good_part_before_they_teach_again() -> None:
    bad = (1, 2, 3, 4, 5, 6, 8, 9)
    assert list(stops(walked(line(f"{PEGS}parts = 12\n"), "spiral-search", bad=bad))) == [3, 10]


def test_after_the_last_part_nobody_teaches() -> None:
    assert stops(walked(line(f"{PEGS}parts = 3\n"), "spiral-search", bad=(1, 2))) == {}


def test_what_is_taught_is_off_once_the_fixture_moves_back_unannounced() -> None:
    undone = '[[batch.change]]\nundo = "moved-fixture"\nafter = 4\n'
    made = line(f"{PEGS}parts = 8\n{MOVED}after = 2\nannounced = true\n{undone}")
    walk = walked(made, "spiral-search")
    assert stops(walk) == {2: {"re-teaching": 900.0}, 6: {"re-teaching": 900.0}}
    assert offsets_mm(walk) == [0.0] * 4 + [OFF_MM] * 2 + [0.0] * 2


def test_a_known_change_that_teaching_cannot_undo_stops_nothing() -> None:
    made = line(
        f'{PEGS}parts = 4\n[[batch.change]]\nline_change = "new-batch"\nannounced = true\nafter = 2\n'
    )
    walk = walked(made, "spiral-search")
    assert stops(walk) == {}
    assert [len(row.work.episode.changes) for row in walk.rows] == [0, 0, 1, 1]


def test_teaching_for_a_known_change_starts_the_inspection_anew() -> None:
    known = f"{MOVED}after = 3\nannounced = true\n"
    walk = walked(line(f"{PEGS}parts = 7\n{known}"), "spiral-search", bad=(2, 3, 4))
    assert list(stops(walk)) == [3, 5]


def test_a_stop_owed_to_inspection_and_one_for_a_known_change_are_one() -> None:
    known = f"{MOVED}after = 3\nannounced = true\n"
    walk = walked(line(f"{PEGS}parts = 6\n{known}"), "spiral-search", bad=(1, 2))
    assert stops(walk) == {3: {"re-teaching": 900.0}}
    assert offsets_mm(walk) == [0.0] * 6


def test_every_contender_stops_while_equipment_is_replaced() -> None:
    wear = '[[wear]]\nname = "pads"\nset = { "grip_strength.factor" = { times = 0.99 } }\nreplacing_s = 60\n'
    made = line(f'{wear}{PEGS}parts = 2\n{PEGS}parts = 2\nreplace = ["pads"]\n')
    for policy in ("oracle", "spiral-search"):
        assert stops(walked(made, policy)) == {2: {"replacing": 60.0}}


def test_the_clock_adds_handling_cycles_and_stops() -> None:
    made = line(f"reteaching_s = 100\n{PEGS}parts = 3\n{MOVED}after = 1\nannounced = true\n")
    rows = walked(made, "spiral-search").rows
    assert [(row.begin_s, row.end_s) for row in rows] == [(0.0, 6.0), (106.0, 112.0), (112.0, 118.0)]


def test_parts_ahead_end_where_people_may_stop_the_line() -> None:
    made = line(f"{PEGS}parts = 9\n", HEAD.replace("every = 1", "every = 2"))
    walk = Walk(made, Contender.resolve("spiral-search", made.cells))
    lengths = []
    bad = {1, 5, 7}
    while works := walk.ahead():
        lengths.append(len(works))
        walk.settle([inserted(good=work.part.index not in bad) for work in works])
    assert lengths == [4, 4, 1], "the second inspected part, then the fourth, then the end"
    free = Walk(made, Contender.resolve("oracle", made.cells))
    assert len(free.ahead()) == 9


def test_the_rows_are_the_same_however_few_results_come_at_a_time() -> None:
    made = line(f"{PEGS}parts = 9\n{MOVED}after = 3\n")
    whole = walked(made, "spiral-search")
    walk = Walk(made, Contender.resolve("spiral-search", made.cells))
    while works := walk.ahead():
        walk.settle([inserted(good=offset_m(made, work.episode) < 1e-3) for work in works])
    assert walk.rows == whole.rows


def test_inspection_of_one_cell_leaves_the_other_alone() -> None:
    gears = '[[batch]]\ncell = "gear-mesh"\nproduct = "train"\nparts = 4\n'
    made = line(f"{PEGS}parts = 2\n{MOVED}{gears}{PEGS}parts = 2\n")
    walk = walked(made, "spiral-search")
    assert stops(walk) == {6: {"re-teaching": 900.0}}
    assert [len(row.work.episode.changes) for row in walk.rows] == [1, 1, 0, 0, 0, 0, 2, 2]


def test_teaching_undoes_what_it_can_and_nothing_else() -> None:
    made = line(
        f'{PEGS}parts = 1\n{MOVED}[[batch.change]]\nline_change = "moved-camera"\n'
        '[[batch.change]]\nname = "dark"\ndescription = "Dark."\n[batch.change.set]\n'
        '"exposure.mean_gain" = { times = 0.5 }\n"contact_friction.factor" = { times = 2 }\n'
    )
    (env_id,) = made.cells.values()
    (part,) = made.parts
    learnt = teaching(env_id, part.episode)
    assert learnt is not None
    assert set(learnt.changes) == {
        "fixture_pose.mean_m",
        "fixture_pose.mean_yaw_rad",
        "hand_camera.mean_translation_m",
        "exposure.mean_gain",
    }
    after = cell_class(env_id).disturbance_sets["none"]
    for change in (*part.episode.changes, learnt):
        after = change.apply(after)
    assert after.fixture_pose.mean_m == (0.0, 0.0, 0.0)
    assert after.exposure.mean_gain == pytest.approx(1.0)
    assert after.contact_friction.factor == (2.0, 2.0)
    assert teaching(env_id, Episode(1)) is None
    usual = cell_class(env_id).disturbance_sets["none"]
    assert learnt.apply(usual).exposure.mean_gain == pytest.approx(2.0), (
        "in full light again it is twice as bright"
    )


@pytest.mark.parametrize("task", ["weld-seam", "peg-insertion", "gear-mesh"])
def test_every_set_has_the_fields_that_are_taught(task: str) -> None:
    from cellwright_train.lines.cells import cell_id

    cell = cell_class(cell_id(task))
    for disturbances in cell.disturbance_sets.values():
        for field in (*OFFSETS[cell.family], *GAINS):
            kind, _, name = field.partition(".")
            usual = getattr(getattr(disturbances, kind), name)
            assert usual in (0.0, 1.0, (0.0, 0.0, 0.0)), "teaching goes back to this"
