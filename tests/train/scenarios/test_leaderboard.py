"""Scores are compared only where they are of the same parts, versions and policies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.cli import main
from cellwright_train.scenarios.catalogue import scenario, scenario_names

NAME = "peg-moved-fixture"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two experts in a scenario."""
    directory = tmp_path_factory.mktemp("scores")
    for expert in ("oracle", "blind-insertion"):
        file = directory / f"{expert}.json"
        command = ["evaluate", expert, "--scenario", NAME, "--episodes", "3", "--workers", "1"]
        assert main([*command, "--json", str(file)]) == 0
    return directory


@pytest.fixture
def scores(written: Path, tmp_path: Path) -> Path:
    for file in written.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_results_of_a_scenario_say_its_conditions_and_its_bar(scores: Path) -> None:
    told = json.loads((scores / "oracle.json").read_text())
    each = scenario(NAME)
    assert (told["scenario"], told["scenario_identity"], told["env"]) == (NAME, each.identity, each.env)
    assert [row["seed"] for row in told["per_episode"]] == [each.seed, each.seed + 1, each.seed + 2]
    good = sum(row["success"] for row in told["per_episode"])
    control = sum(row["success"] for row in told["control"]["per_episode"])
    bar = {"text": "95 % good", "reached": good == 3, "good": good, "parts": 3, "control": control}
    assert told["bar"] == bar


def test_a_part_of_a_scenario_is_repeated_by_its_seed(tmp_path: Path, scores: Path) -> None:
    file = tmp_path / "one.json"
    seed = scenario(NAME).seed + 2
    command = ["evaluate", "oracle", "--scenario", NAME, "--episodes", "1", "--seed", str(seed)]
    assert main([*command, "--workers", "1", "--json", str(file)]) == 0
    one, all_of_them = json.loads(file.read_text()), json.loads((scores / "oracle.json").read_text())
    assert one["per_episode"] == all_of_them["per_episode"][2:]


def test_the_table_has_a_column_per_policy_and_ticks(
    scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = scores / "table.json"
    assert main(["leaderboard", str(scores), "--json", str(file)]) == 0
    shown = capsys.readouterr().out
    assert NAME in shown
    assert shown.index("blind-insertion") < shown.index("oracle")
    oracle = next(row for row in json.loads(file.read_text()) if row["policy"] == "oracle")
    assert oracle["reached"] == (oracle["good"] == 3)
    assert ("✓" in shown) == any(row["reached"] for row in json.loads(file.read_text()))


def edited(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def edit(scores: Path) -> None:
        data = json.loads((scores / name).read_text())
        change(data)
        (scores / name).write_text(json.dumps(data))

    return edit


def copied(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def copy(scores: Path) -> None:
        data = json.loads((scores / "oracle.json").read_text())
        change(data)
        (scores / name).write_text(json.dumps(data))

    return copy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            edited("oracle.json", lambda d: d.update(scenario_identity="0" * 16)),
            "other conditions than the scen",
        ),
        (
            edited("oracle.json", lambda d: d.update(scenario="mine")),
            "other conditions than the scenario mine",
        ),
        (edited("oracle.json", lambda d: d.update(cellwright="0.0.1")), "was made by cellwright 0.0.1"),
        (edited("oracle.json", lambda d: d["per_episode"].pop()), "holds no results of a scenario"),
        (edited("oracle.json", lambda d: d["bar"].update(good=4)), "holds no results of a scenario"),
        (edited("oracle.json", lambda d: d.pop("policy_sha256")), "holds no results of a scenario"),
        (edited("oracle.json", lambda d: d["bar"].update(good=2.5)), "holds no results of a scenario"),
        (edited("oracle.json", lambda d: d["bar"].update(control=-3)), "holds no results of a scenario"),
        (
            edited("oracle.json", lambda d: (d["bar"].update(good=0, parts=0), d.update(per_episode=[]))),
            "holds no results of a scenario",
        ),
        (edited("oracle.json", lambda d: d.update(seed=1)), "begins at the seed 1, peg-moved-fixture at"),
        (
            edited("oracle.json", lambda d: d["bar"].update(good=0, reached=True)),
            "says that the bar was reached",
        ),
        (copied("again.json", lambda d: None), "are both of oracle in peg-moved-fixture"),
        (lambda scores: (scores / "cut.json").write_text("{"), "is not JSON"),
        (lambda scores: [file.unlink() for file in scores.iterdir()], "has no results of a scenario"),
    ],
)
def test_what_does_not_compare_is_refused_in_one_line(
    scores: Path, change: Callable[[Path], Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change(scores)
    assert main(["leaderboard", str(scores)]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_policies_of_one_name_and_parts_of_another_number_do_not_compare(
    scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fewer(data: dict[str, Any]) -> None:
        data["per_episode"].pop()
        data["bar"].update(parts=2, good=0, control=0, reached=False)
        data["policy"] = "mine"

    copied("mine.json", fewer)(scores)
    assert main(["leaderboard", str(scores)]) == 2
    assert "parts of peg-moved-fixture" in capsys.readouterr().err
    (scores / "mine.json").unlink()

    def other(data: dict[str, Any]) -> None:
        each = scenario("peg-dim-light")
        data.update(
            scenario=each.name, scenario_identity=each.identity, seed=each.seed, policy_sha256="other"
        )

    copied("other.json", other)(scores)
    assert main(["leaderboard", str(scores)]) == 2
    assert "are of two policies that are both oracle" in capsys.readouterr().err


def test_the_table_does_not_take_the_place_of_a_result(
    scores: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (scores / "oracle.json").read_bytes()
    assert main(["leaderboard", str(scores), "--json", str(scores / "oracle.json")]) == 2
    assert "would be lost" in capsys.readouterr().err
    assert (scores / "oracle.json").read_bytes() == before


def test_results_that_are_of_no_scenario_are_left_out(scores: Path) -> None:
    (scores / "plain.json").write_text('{"policy": "oracle", "per_episode": []}')
    assert main(["leaderboard", str(scores)]) == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--env", "cellwright/PegInsertion-v1"), "--scenario decides --env"),
        (("--products", "held-out"), "--scenario decides --products"),
        (("--disturbances", "hard"), "--scenario decides --disturbances"),
        (("--line-change", "dim-light"), "--scenario decides --line-change"),
        (("--seed", "5"), f"--seed of {NAME} begins at"),
    ],
)
def test_what_a_scenario_decides_cannot_be_given(
    more: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", "oracle", "--scenario", NAME, *more]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_a_policy_of_another_cell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "adaptive-tracker", "--scenario", NAME]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_search_has_no_bar_and_no_place_in_the_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It shows what can be made good; a bar of kept parts was reached by any search, having no control."""
    file = tmp_path / "search.json"
    command = ["evaluate", "blind-insertion", "--scenario", "peg-other-robot", "--episodes", "2"]
    assert main([*command, "--tries", "2", "--workers", "1", "--json", str(file)]) == 0
    assert "bar:" not in capsys.readouterr().out
    assert "bar" not in json.loads(file.read_text())
    assert main(["leaderboard", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"cellwright: {file} is a search with up to 2 tries a part, no score of a policy\n"
    )


def test_the_list_has_every_scenario(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.json"
    assert main(["scenarios", "--json", str(file)]) == 0
    assert [each["name"] for each in json.loads(file.read_text())] == list(scenario_names())
    shown = capsys.readouterr().out
    assert all(name in shown for name in scenario_names())
