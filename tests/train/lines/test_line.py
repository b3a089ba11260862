"""What each part of a line meets, and what changes before it."""

import json
from pathlib import Path

import pytest

from cellwright_envs.conditions import conditions_hash
from cellwright_train.cli import main
from cellwright_train.lines.cells import cells
from cellwright_train.lines.library import find_line, shipped
from cellwright_train.lines.line import Line
from cellwright_train.rollout.cell import CellChoice, Episode, reset_options
from tests.train.lines.conftest import HEAD, line

PEGS = '[[batch]]\nproduct = "round-8-0.5+square-8-0.3"\n'
MOVED = '[[batch.change]]\nline_change = "moved-fixture"\n'


def told(made: Line) -> list[list[str]]:
    """The first word of each change that each part meets."""
    return [[change.description.split()[0] for change in part.episode.changes] for part in made.parts]


def test_seeds_count_up_products_take_turns_and_ids_say_everything() -> None:
    made = line(f"{PEGS}parts = 3\n{PEGS}parts = 2\n")
    assert [(part.episode.seed, part.episode.product) for part in made.parts] == [
        (7000, "round-8-0.5"),
        (7001, "square-8-0.3"),
        (7002, "round-8-0.5"),
        (7003, "round-8-0.5"),
        (7004, "square-8-0.3"),
    ]
    assert made.parts[4].id == "pegs/5/peg-insertion/square-8-0.3/7004"
    assert len({part.id for part in made.parts}) == 5
    assert {part.episode.disturbances for part in made.parts} == {"none"}


def test_a_change_lasts_until_it_is_undone() -> None:
    made = line(
        f"{PEGS}parts = 3\n{MOVED}after = 1\n{PEGS}parts = 3\n"
        '[[batch.change]]\nline_change = "dim-light"\n[[batch.change]]\nundo = "moved-fixture"\nafter = 2\n'
    )
    assert told(made) == [[], ["The"], ["The"], ["The", "The"], ["The", "The"], ["The"]]
    assert made.parts[5].episode.changes[0].description.startswith("The cell's lamp")
    assert [(event.index, event.name, event.announced) for event in made.events] == [
        (1, "moved-fixture", False),
        (3, "dim-light", False),
        (5, "moved-fixture undone", False),
    ]
    assert made.events[2].description.startswith("Undone: The fixture was put back")


def test_a_change_may_come_twice_under_a_name_of_its_own() -> None:
    made = line(f'{PEGS}parts = 2\n{MOVED}{MOVED}name = "moved again"\nafter = 1\n')
    assert [len(part.episode.changes) for part in made.parts] == [1, 2]


def test_other_products_and_disturbances_are_changes_and_the_same_ones_are_none() -> None:
    batches = ('product = "round-8-0.5"\nparts = 1\n', 'product = "square-8-0.3"\nparts = 1\n')
    made = line("".join(f"[[batch]]\n{batches[i]}" for i in (0, 0, 1)) + 'disturbances = "train"\n')
    (event,) = made.events
    assert (event.index, event.name) == (2, "square-8-0.3, disturbances train")
    assert [each.announced for each in event.happenings] == [True, False]
    assert not event.announced
    assert not event.is_taught, "its program is there"


def test_equipment_wears_by_its_law_from_when_it_was_new() -> None:
    made = line(
        '[[wear]]\nname = "pads"\nused_parts = 2\nreplacing_s = 30\n[wear.set]\n'
        '"grip_strength.factor" = { times = 0.9 }\n"fixture_pose.mean_m" = { plus = [1e-4, 0, 0] }\n'
        f'{PEGS}parts = 2\n{PEGS}parts = 2\nreplace = ["pads"]\n'
    )
    worn = [part.episode.changes for part in made.parts]
    assert [len(changes) for changes in worn] == [1, 1, 0, 1], "what is new changes nothing"
    for changes, parts in ((worn[0], 2), (worn[1], 3), (worn[3], 1)):
        (change,) = changes
        assert change.description == f"pads after {parts} parts"
        assert change.changes["grip_strength.factor"].value == pytest.approx(0.9**parts)
        assert change.changes["fixture_pose.mean_m"].value == pytest.approx((1e-4 * parts, 0.0, 0.0))
    (event,) = made.events
    assert (event.index, event.name, event.replacing_s, event.announced) == (2, "new pads", 30.0, True)
    assert event.is_taught, "a part of what wears can be taught"


def test_cells_keep_their_own_changes_and_count_their_own_parts() -> None:
    gears = '[[batch]]\ncell = "gear-mesh"\nproduct = "train"\n'
    made = line(
        f'[[wear]]\nname = "pads"\nset = {{ "grip_strength.factor" = {{ times = 0.9 }} }}\n'
        f"{PEGS}parts = 1\n{MOVED}{gears}parts = 2\n{PEGS}parts = 1\n"
    )
    assert list(made.cells) == ["peg-insertion", "gear-mesh"]
    assert [len(part.episode.changes) for part in made.parts] == [1, 0, 0, 2]
    assert made.parts[3].episode.changes[1].description == "pads after 1 parts"
    assert [event.name for event in made.events] == ["moved-fixture"], "the pegs are the same as before"


def test_a_batch_may_have_times_of_its_own() -> None:
    made = line(
        f"ideal_cycle_s = 2\n{PEGS}parts = 1\nhandling_s = 0\n"
        f"{PEGS}parts = 1\nrework_s = 7\nideal_cycle_s = 3\n"
    )
    assert [(part.handling_s, part.rework_s, part.ideal_cycle_s) for part in made.parts] == [
        (0.0, 300.0, 2.0),
        (4.0, 7.0, 3.0),
    ]


def test_a_cell_is_its_newest_version() -> None:
    assert cells()["weld-seam"].startswith("cellwright/WeldSeam-v")
    assert len(cells()) == 6


def test_lines_that_say_the_same_have_the_same_hash() -> None:
    batch = f"{PEGS}parts = 2\n"
    assert line(batch).hash == line(f"# a comment\nbad_in_a_row = 2\n{batch}").hash
    assert line(batch).hash != line(f"bad_in_a_row = 3\n{batch}").hash


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_line_can_be_run(name: str) -> None:
    made = find_line(name)
    assert made.file.name == name
    assert made.parts
    assert made.events
    assert all(part.ideal_cycle_s for part in made.parts)


def test_the_short_shipped_line_takes_turns_between_both_families() -> None:
    made = find_line("mixed-shift")
    assert len(made.parts) == 20
    assert list(made.cells) == ["weld-seam", "peg-insertion"]


def test_a_part_after_a_change_is_that_of_an_evaluation(tmp_path: Path) -> None:
    seed, product = 7001, "square-16-1"
    path = tmp_path / "line.toml"
    path.write_text(
        HEAD.replace('"none"', '"train"') + f'[[batch]]\nproduct = "{product}"\nparts = 2\n{MOVED}after = 1\n'
    )
    shift, evaluation = tmp_path / "shift.json", tmp_path / "evaluation.json"
    assert main(["shift", str(path), "--policies", "oracle", "--workers", "1", "--json", str(shift)]) == 0
    chosen = ["--env", cells()["peg-insertion"], "--seed", str(seed), "--products", product]
    command = [
        "evaluate",
        "oracle",
        *chosen,
        "--episodes",
        "1",
        "--line-change",
        "moved-fixture",
        "--workers",
        "1",
    ]
    assert main([*command, "--json", str(evaluation)]) == 0
    (own,) = json.loads(evaluation.read_text())["per_episode"]
    rows = json.loads(shift.read_text())["shifts"][0]["per_part"]
    assert rows[1]["result"] == own
    assert rows[0]["result"]["conditions"] != own["conditions"]


def test_a_weld_of_a_line_meets_what_the_same_weld_of_an_evaluation_meets() -> None:
    made = line(
        '[[batch]]\nproduct = "lap-straight-1.6"\nparts = 1\n[[batch.change]]\nline_change = "new-batch"\n',
        HEAD.replace("peg-insertion", "weld-seam").replace('"none"', '"train"'),
    )
    env_id = made.cells["weld-seam"]
    cell = CellChoice(env=env_id, disturbances="train").make().unwrapped
    change = cell.line_changes["new-batch"]  # type: ignore[attr-defined]
    (part,) = made.parts
    assert conditions_hash(**part.episode._replace(disturbances=None)._asdict()) == conditions_hash(
        **Episode(7000, "lap-straight-1.6", (change,))._asdict()
    )
    found = []
    for episode in (part.episode, Episode(7000, "lap-straight-1.6", (change,))):
        cell.reset(seed=episode.seed, options=reset_options(cell, episode))
        found.append(cell.conditions_hash())  # type: ignore[attr-defined]
    cell.close()
    assert found[0] == found[1]
