"""Scenarios are data: every one that ships can be worked on, and a fault in a file is one line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import gymnasium
import pytest

from cellwright_envs.disturbances.line_change import plus
from cellwright_train.cli import main
from cellwright_train.errors import UsageError
from cellwright_train.rollout.cell import reset_options
from cellwright_train.rollout.families import cell_class
from cellwright_train.scenarios.catalogue import cell_scenario, scenario, scenario_names
from cellwright_train.scenarios.scenario import Bar, Scenario
from cellwright_train.scenarios.shift_scenario import ShiftScenario

CELL_SCENARIOS = [name for name in scenario_names() if isinstance(scenario(name), Scenario)]
SHIFTS = [name for name in scenario_names() if name not in CELL_SCENARIOS]
FAMILIES = {name.split("-")[0] for name in scenario_names()}


def test_there_are_scenarios_of_every_cell_and_their_parts_are_their_own() -> None:
    found = [cell_scenario(name) for name in CELL_SCENARIOS]
    assert {each.env for each in found} == set(_cells())
    seeds = [each.seed for each in found]
    assert len(set(seeds)) == len(seeds)
    apart = [b - a for a, b in zip(sorted(seeds), sorted(seeds)[1:], strict=False)]
    assert min(apart) >= 1000
    assert len({each.identity for each in found}) == len(found)


def _cells() -> list[str]:
    from cellwright_train.lines.cells import cells

    return list(cells().values())


@pytest.mark.parametrize("name", CELL_SCENARIOS)
def test_every_scenario_is_a_sentence_with_a_bar_and_can_begin(name: str) -> None:
    each = cell_scenario(name)
    assert each.pain[0].isupper()
    assert each.pain.endswith(".")
    assert each.bar.reason.endswith(".")
    episode = each.plan(1)[0]
    cell = cell_class(each.env)(disturbances="none")
    try:
        options = reset_options(_Wrapped(cell), episode)
        assert options["product"] in each.products
        changed = options["disturbances"]
        plain = cell.disturbance_sets[each.disturbances]
        assert (changed != plain) == bool(each.changes)
    finally:
        cell.close()


class _Wrapped(gymnasium.Wrapper):
    pass


def test_a_plan_goes_on_where_it_was_and_its_control_lacks_the_changes_alone() -> None:
    each = cell_scenario("weld-three-changes")
    assert each.plan(7)[:3] == each.plan(3)
    assert [episode.seed for episode in each.plan(3)] == [each.seed, each.seed + 1, each.seed + 2]
    for changed, control in zip(each.plan(4), each.plan(4, control=True), strict=True):
        assert len(changed.changes) == 3
        assert control == changed._replace(changes=())
    many = scenario("weld-butts")
    assert [episode.product for episode in many.plan(6)] == [*many.products, *many.products][:6]


def test_the_identity_is_of_what_decides_the_parts() -> None:
    each = scenario("peg-dim-light")
    for other in (
        dataclasses.replace(each, seed=each.seed + 1),
        dataclasses.replace(each, products=each.products[1:]),
        dataclasses.replace(each, disturbances="hard"),
        dataclasses.replace(each, env="cellwright/Other-v0"),
        dataclasses.replace(each, changes=()),
        dataclasses.replace(
            each,
            changes=(dataclasses.replace(each.changes[0], changes={"backlash.play_m": plus(1e-4)}),),
        ),
    ):
        assert other.identity != each.identity
    same = dataclasses.replace(each, pain="Another sentence.", bar=Bar(good=0.5, reason="Another."))
    assert same.identity == each.identity


@pytest.mark.parametrize(
    ("bar", "good", "parts", "control", "reached"),
    [
        (Bar(good=0.9, reason="r"), 90, 100, 0, True),
        (Bar(good=0.9, reason="r"), 89, 100, 0, False),
        (Bar(kept=0.9, reason="r"), 72, 100, 80, True),
        (Bar(kept=0.9, reason="r"), 71, 100, 80, False),
        (Bar(kept=0.9, reason="r"), 0, 100, 0, False),
        (Bar(good=0.68, reason="r"), 51, 75, 0, True),
    ],
)
def test_a_bar_is_reached_from_its_value_on(
    bar: Bar, good: int, parts: int, control: int, reached: bool
) -> None:
    assert bar.reached(good, parts, control) is reached


def test_a_bar_says_what_it_asks_for() -> None:
    assert str(Bar(good=0.9, reason="r")) == "90 % good"
    assert str(Bar(kept=0.75, reason="r")) == "75 % of the good parts kept"


GOOD = """pain = "A test."
cell = "peg-insertion"
seed = 1

[[change]]
description = "Rust."
set."contact_friction.factor" = { times = 1.3 }

[bar]
kept = 0.9
reason = "A test."
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            'cell = "peg-insertion"',
            'cell = "peg-insertoin"',
            ":2: cell: unknown cell 'peg-insertoin'; did you",
        ),
        (
            'cell = "peg-insertion"',
            'cell = "cellwright/PegInsertion-v1"',
            ":2: cell: a line names no version",
        ),
        ("seed = 1", "seed = -1", ":3: seed: must be"),
        ("seed = 1", "", ": needs the key 'seed'"),
        ("contact_friction.factor", "contact_friction.facto", ":7: change 1, set, contact_friction.facto: "),
        ("contact_friction.factor", "process_spread.scale", ":7: change 1, set, process_spread.scale: "),
        (
            "{ times = 1.3 }",
            "{ times = 1.3, plus = 1.0 }",
            ":7: change 1, set, contact_friction.factor: needs one",
        ),
        ("{ times = 1.3 }", "{ to = [1.0, 2.0, 3.0] }", ":7: change 1, set, contact_friction.factor: "),
        ("{ times = 1.3 }", "{ times = inf }", "must be finite"),
        ('description = "Rust."\n', "", ":5: change 1: needs a description beside its set"),
        (
            'description = "Rust."',
            'line_change = "dim-light"',
            ":5: change 1: needs one of line_change and set",
        ),
        (
            'set."contact_friction.factor" = { times = 1.3 }',
            'line_change = "dim-light"',
            ":6: change 1, description: belongs to set; a line_change has its own",
        ),
        ("[[change]]", 'disturbances = "hrad"\n[[change]]', ":5: disturbances: unknown disturbance 'hrad'"),
        ("[[change]]", 'products = "rond"\n[[change]]', ":5: products: "),
        ("kept = 0.9", "", "need one of good and kept"),
        ("kept = 0.9", "kept = 0.9\ngood = 0.9", "need one of good and kept"),
        ("kept = 0.9", "kept = 0.0", "above 0 and up to 1"),
        ("kept = 0.9", 'kept = "most"', "bar, kept: must be"),
        ('reason = "A test."', "", "needs the key 'reason'"),
        ("[bar]", "[bra]", "did you mean 'bar'"),
        ("[[change]]", "[change]", "must be written [[change]]"),
        ("seed = 1", "seed = ", ":3: no TOML"),
    ],
)
def test_a_fault_in_a_file_is_one_line(old: str, new: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    assert scenario(str(file)).name == "mine"
    assert old in GOOD
    file.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(UsageError) as refused:
        scenario(str(file))
    assert message in str(refused.value)
    assert str(refused.value).startswith(str(file))
    assert "\n" not in str(refused.value)


def test_an_unknown_scenario_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean 'peg-dim-light'"):
        scenario("peg-dimlight")


def test_parts_far_on_are_planned_without_those_before() -> None:
    each = cell_scenario("peg-as-trained")
    assert each.plan(3, first=4) == each.plan(7)[4:]
    assert [part.seed for part in each.plan(2, first=10**15)] == [each.seed + 10**15, each.seed + 10**15 + 1]


def test_five_are_shifts_in_several_cells_in_which_nobody_announces_what_changes() -> None:
    assert len(SHIFTS) == 5
    for name in SHIFTS:
        each = scenario(name)
        assert isinstance(each, ShiftScenario)
        assert len(each.cells) >= 2
        assert each.line.file.description == each.pain
        assert each.line.events or each.line.file.wear
        assert not any(event.announced for event in each.line.events)
        assert (each.bar.kept or 0) > 0
    assert len({scenario(name).identity for name in scenario_names()}) == len(scenario_names())


SHIFT = """pain = "A test."
seed = 900
cell = "peg-insertion"
handling_s = 4.0
[[batch]]
product = "round-16-1"
parts = 2
[[batch]]
cell = "gear-mesh"
product = "m1-z24-b8-0.25"
parts = 2
[[batch.change]]
line_change = "dim-light"
[bar]
kept = 0.5
reason = "A test."
"""


def test_a_shift_is_scored_beside_itself_without_the_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, results = tmp_path / "mine.toml", tmp_path / "results.json"
    file.write_text(SHIFT)
    asked = ["evaluate", "oracle", "--scenario", str(file), "--workers", "1"]
    assert main([*asked, "--json", str(results)]) == 0
    told = json.loads(results.read_text())
    assert told["scenario_identity"] == scenario(str(file)).identity
    assert told["bar"]["parts"] == len(told["per_episode"]) == len(told["control"]) == 4
    pairs = zip(told["per_episode"], told["control"], strict=True)
    assert [one["conditions"] == other["conditions"] for one, other in pairs] == [True, True, False, False]
    assert told["bar"]["good"] == sum(each["success"] for each in told["per_episode"])
    assert "bar: 50 % of the good parts kept: reached" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "more", "message"),
    [
        ("pain", "pian", [], "needs the key 'pain'"),
        ("seed = 900", 'seed = 900\nname = "x"', [], "mine.toml:3: name: follows from the name of the file"),
        ("parts = 2", "part = 2", [], "did you mean 'parts'"),
        ("kept = 0.5", "kept = 1.5", [], "mine.toml:14: bar: need one of good and kept"),
        (
            '[[batch.change]]\nline_change = "dim-light"\n',
            "",
            [],
            "mine.toml:13: bar, kept: compares with the parts before a change",
        ),
        ("", "", ["--episodes", "5"], "leave --episodes out"),
        ("", "", ["--report", "x.html"], "leave --report out"),
        ("", "", ["--line-change", "dim-light"], "leave --line-change out"),
    ],
)
def test_a_fault_in_a_shift_is_one_line(
    old: str, new: str, more: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SHIFT.replace(old, new, 1) if old else SHIFT)
    assert main(["evaluate", "oracle", "--scenario", str(file), *more]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_suite_refuses_a_shift(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text('name = "x"\nscenarios = ["mixed-everything"]\n[policies]\n')
    assert main(["regress", str(suite), "--against", "no.json"]) == 2
    assert "is a shift in several cells" in capsys.readouterr().err
