"""`cellwright regress` from suite to verdict, on insertions that take a fraction of a second."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_train.cli import main
from cellwright_train.rollout import journal

SCENARIO = """pain = "A test."
cell = "peg-insertion"
products = "round-16-1"
disturbances = "train"
seed = {seed}
[bar]
good = 0.9
reason = "A test."
"""
SUITE = """name = "pegs"
scenarios = ["{a}", "{b}"]
parts = {parts}
false_alarms = 0.2
[policies]
peg-insertion = "{policy}"
"""


class Desk:
    """A directory with a suite of two scenarios and their baseline."""

    def __init__(self, directory: Path, parts: int = 12, policy: str = "oracle") -> None:
        self.directory = directory
        self.baseline, self.results = directory / "baseline.json", directory / "results.json"
        for name, seed in (("near", 500), ("far", 900)):
            self.scenario(name).write_text(SCENARIO.format(seed=seed))
        self.write_suite(parts, policy)

    def scenario(self, name: str) -> Path:
        return self.directory / f"{name}.toml"

    def write_suite(self, parts: int = 12, policy: str = "oracle") -> None:
        self.suite = self.directory / "suite.toml"
        a, b = self.scenario("near"), self.scenario("far")
        self.suite.write_text(SUITE.format(a=a, b=b, parts=parts, policy=policy))

    def regress(self, *more: str, workers: int = 1) -> int:
        command = ["regress", str(self.suite), "--against", str(self.baseline), "--workers", str(workers)]
        return main([*command, *more])

    def told(self, *more: str, workers: int = 1) -> tuple[int, dict[str, Any]]:
        code = self.regress("--json", str(self.results), *more, workers=workers)
        return code, json.loads(self.results.read_text())


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    desk = Desk(tmp_path_factory.mktemp("recorded"))
    assert desk.regress("--accept", "first") == 0
    return desk.directory


@pytest.fixture
def desk(recorded: Path, tmp_path: Path) -> Desk:
    made = Desk(tmp_path)
    for file in recorded.glob("baseline*"):
        shutil.copy(file, tmp_path)
    return made


def weaker(monkeypatch: pytest.MonkeyPatch) -> None:
    """An arm that makes nine tenths of each motion."""
    act = PegInsertion._act

    def bent(self: PegInsertion, action: Any) -> None:
        act(self, action * np.float32(0.9))

    monkeypatch.setattr(PegInsertion, "_act", bent)


@pytest.mark.parametrize("more", [(), ("--live", "3")])
def test_where_nothing_changed_the_suite_is_unchanged(
    desk: Desk, more: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = desk.told(*more)
    assert (code, told["verdict"], told["exit_code"]) == (0, "UNCHANGED", 0)
    assert [entry["verdict"] for entry in told["scenarios"].values()] == ["UNCHANGED"] * 2
    assert told["pooled"] is None
    assert capsys.readouterr().out.rstrip().endswith("UNCHANGED")


def test_another_policy_that_acts_alike_is_unchanged_and_told(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded = json.loads(desk.baseline.read_text())
    recorded["scenarios"]["near"]["policy_sha256"] = "0" * 64
    desk.baseline.write_text(json.dumps(recorded))
    code, told = desk.told()
    assert (code, told["verdict"]) == (0, "UNCHANGED")
    assert [entry["other_policy"] for entry in told["scenarios"].values()] == [True, False]
    assert " ".join(capsys.readouterr().out.split()).count("another policy than the baseline's") == 1
    assert desk.regress("--accept", "exported anew") == 0
    assert "0 scenarios recorded" in capsys.readouterr().out
    _, told = desk.told()
    assert [entry["other_policy"] for entry in told["scenarios"].values()] == [False, False]


def test_another_plant_is_located_and_weighed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    weaker(monkeypatch)
    code, told = desk.told()
    near = told["scenarios"]["near"]
    assert {each["kind"] for each in near["differences"]} == {"plant"}
    assert near["pairs"] > 0
    assert code == told["exit_code"]
    times = next(each for each in near["findings"] if each["measure"] == "cycle_time_s")
    assert times["worse"] > times["better"]


def test_a_policy_that_is_worse_is_a_regression_and_says_in_what(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told = desk.told("--policy", "peg-insertion=spiral-search")
    assert (code, told["verdict"]) == (1, "REGRESSION")
    entry = told["scenarios"]["near"]
    assert {each["kind"] for each in entry["differences"]} == {"policy"}
    assert entry["policy"] == "spiral-search"
    assert re.search(r"policy: \w+ at step 0; \w+ worse in \d+ pairs", capsys.readouterr().out)


def test_verdicts_do_not_depend_on_the_number_of_workers(desk: Desk) -> None:
    more = ("--policy", "peg-insertion=spiral-search")
    assert desk.told(*more, workers=1) == desk.told(*more, workers=2)


def test_live_parts_catch_what_the_recorded_one_does_not_show(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    act = PegInsertion._act

    def bent(self: PegInsertion, action: Any) -> None:
        other = self.conditions_hash() != first
        act(self, action * np.float32(0.8) if other else action)

    first = json.loads(desk.baseline.read_text())["scenarios"]["near"]["tape_conditions"]
    far = json.loads(desk.baseline.read_text())["scenarios"]["far"]["tape_conditions"]
    monkeypatch.setattr(PegInsertion, "_act", bent)
    _, told = desk.told("--scenario", "near")
    assert told["scenarios"]["near"]["verdict"] == "UNCHANGED"
    assert far != first
    _, told = desk.told("--scenario", "near", "--live", "4")
    assert told["scenarios"]["near"]["verdict"] != "UNCHANGED"
    assert told["scenarios"]["near"]["pairs"] >= 4


def changed_line(name: str, old: str, new: str) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        file = desk.scenario(name)
        assert old in file.read_text()
        file.write_text(file.read_text().replace(old, new))

    return change


def other_baseline(field: str, value: Any) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        data = json.loads(desk.baseline.read_text())
        data["scenarios"]["near"][field] = value
        desk.baseline.write_text(json.dumps(data))

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (changed_line("near", "seed = 500", "seed = 501"), "the scenario has other parts than it had"),
        (changed_line("near", '"train"', '"hard"'), "the scenario has other parts than it had"),
        (changed_line("near", "round-16-1", "square-16-1"), "the scenario has other parts than it had"),
        (lambda desk: desk.write_suite(parts=13), "the baseline has 12 parts, the suite asks for 13"),
        (other_baseline("env", "cellwright/PegInsertion-v9"), "that of the baseline was cellwright/PegIns"),
        (other_baseline("measures", ["lateral_mm", "peak_force_n", "other"]), "has the measures lateral_mm"),
    ],
)
def test_what_cannot_be_compared_says_why(desk: Desk, change: Callable[[Desk], None], why: str) -> None:
    change(desk)
    code, told = desk.told()
    entry = told["scenarios"]["near"]
    assert (code, entry["verdict"], entry["pairs"], entry["findings"]) == (2, "NOT COMPARABLE", 0, None)
    assert why in entry["not_comparable"]


def test_parts_that_meet_other_conditions_are_no_pairs(desk: Desk) -> None:
    data = json.loads(desk.baseline.read_text())
    for part in data["scenarios"]["near"]["parts"][1:]:
        part[0] = "0" * 16
    desk.baseline.write_text(json.dumps(data))
    _, told = desk.told("--policy", "peg-insertion=spiral-search")
    entry = told["scenarios"]["near"]
    assert (entry["verdict"], entry["pairs"]) == ("NOT COMPARABLE", 1)
    assert "seed 501 meets other conditions now" in entry["not_comparable"]


def test_a_scenario_without_a_record_is_not_comparable(desk: Desk) -> None:
    data = json.loads(desk.baseline.read_text())
    del data["scenarios"]["far"]
    desk.baseline.write_text(json.dumps(data))
    code, told = desk.told()
    assert (code, told["scenarios"]["near"]["verdict"]) == (2, "UNCHANGED")
    assert "--accept records it" in told["scenarios"]["far"]["not_comparable"]


def test_accept_records_what_changed_and_keeps_the_rest(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    before = json.loads(desk.baseline.read_text())
    changed_line("near", "seed = 500", "seed = 700")(desk)
    assert desk.regress("--accept", " moved the seeds ") == 0
    assert "1 scenarios recorded" in capsys.readouterr().out
    after = json.loads(desk.baseline.read_text())
    assert after["reason"] == "moved the seeds"
    assert after["scenarios"]["far"] == before["scenarios"]["far"]
    assert after["scenarios"]["near"]["parts"] != before["scenarios"]["near"]["parts"]
    assert len(list(desk.directory.glob("*.npz"))) == 1
    assert desk.regress() == 0


def test_shards_are_joined_to_the_whole(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    _, whole = desk.told("--policy", "peg-insertion=spiral-search")
    shards = [desk.directory / f"{number}.json" for number in (1, 2)]
    for number, file in enumerate(shards, start=1):
        more = ("--policy", "peg-insertion=spiral-search", "--shard", f"{number}/2", "--json", str(file))
        desk.regress(*more)
        assert json.loads(file.read_text())["scenarios"][("far", "near")[number - 1]] is None
    joined = desk.directory / "joined.json"
    command = ["regress", str(desk.suite), "--json", str(joined)]
    assert main([*command, "--merge", str(shards[0]), "--merge", str(shards[1])]) == whole["exit_code"]
    assert json.loads(joined.read_text()) == whole
    assert main([*command, "--merge", str(shards[0])]) in (1, 3)
    assert json.loads(joined.read_text())["scenarios"]["far"] is None
    capsys.readouterr()
    assert main([*command, "--merge", str(shards[0]), "--merge", str(shards[0])]) == 2
    assert "repeats the scenario near" in capsys.readouterr().err


TWO_CELLS = """name = "both"
scenarios = ["{pegs}", "{plugs}"]
parts = 2
[policies]
peg-insertion = "oracle"
connector-insertion = "oracle"
"""


def test_shards_of_two_cells_are_joined(desk: Desk) -> None:
    plugs = desk.directory / "plugs.toml"
    text = SCENARIO.format(seed=500).replace("peg-insertion", "connector-insertion")
    plugs.write_text(text.replace("round-16-1", "train"))
    desk.suite.write_text(TWO_CELLS.format(pegs=desk.scenario("near"), plugs=plugs))
    desk.baseline = desk.directory / "both.json"
    assert desk.regress("--accept", "first") == 0
    shards = [desk.directory / f"{number}.json" for number in (1, 2)]
    for number, file in enumerate(shards, start=1):
        assert desk.regress("--shard", f"{number}/2", "--json", str(file)) == 3
    command = ["regress", str(desk.suite), "--merge", str(shards[0]), "--merge", str(shards[1])]
    assert main(command) == 0


def test_what_was_examined_of_another_suite_is_not_joined(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    one, whole = desk.directory / "one.json", desk.directory / "whole.json"
    assert desk.regress("--scenario", "near", "--json", str(one)) == 0
    assert desk.regress("--json", str(whole)) == 0
    capsys.readouterr()

    def refused(file: Path, message: str, *more: str) -> None:
        assert main(["regress", str(desk.suite), "--merge", str(file), *more]) == 2
        assert message in capsys.readouterr().err

    refused(one, "this suite: ")
    for option in (("--policy", "peg-insertion=oracle"), ("--live", "3"), ("--false-alarms", "0.5")):
        refused(whole, f"leave {option[0]} out", *option)
    refused(whole, "held against another baseline", "--against", str(one))
    desk.suite.write_text(desk.suite.read_text() + "[margins]\npeak_force_n = 50.0\n")
    refused(whole, "under other parts, margins or conditions")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--policy", "weld-seam=oracle"), "which this suite does not have"),
        (
            ("--policy", "peg-insertion="),
            "names no policy; write for example peg-insertion=zoo:peg-insertion",
        ),
        (
            ("--policy", "peg-insertion=guide", "--policy", "peg-insertion=oracle"),
            "names two policies for cellwright/PegInsertion-v1: guide, oracle",
        ),
    ],
)
def test_a_policy_that_would_not_be_examined_is_refused(
    desk: Desk, more: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert desk.regress(*more) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--json", "--report", "--junit"])
@pytest.mark.parametrize("name", ["suite.toml", "baseline.json"])
def test_no_result_takes_the_place_of_what_is_read(
    desk: Desk, option: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (desk.directory / name).read_bytes()
    assert desk.regress(option, str(desk.directory / name)) == 2
    assert "is read by this command and would be lost" in capsys.readouterr().err
    assert (desk.directory / name).read_bytes() == before


def test_no_more_parts_are_weighed_than_the_suite_asks_for(desk: Desk) -> None:
    desk.write_suite(parts=4)
    code, told = desk.told("--policy", "peg-insertion=spiral-search", "--false-alarms", "1e-9")
    assert (code, told["verdict"]) == (3, "UNDERPOWERED")
    assert [entry["pairs"] for entry in told["scenarios"].values()] == [4, 4]


def test_a_suite_that_was_not_examined_whole_is_never_unchanged(desk: Desk) -> None:
    code, told = desk.told("--shard", "1/2")
    assert (code, told["verdict"], told["scenarios"]["far"]) == (3, "UNDERPOWERED", None)


def test_without_time_nothing_is_decided_and_nothing_made_up(desk: Desk) -> None:
    code, told = desk.told("--policy", "peg-insertion=spiral-search", "--minutes", "1e-9")
    entry = told["scenarios"]["near"]
    assert (code, entry["verdict"], entry["pairs"]) == (3, "UNDERPOWERED", 0)
    assert (entry["findings"], entry["needed_pairs"], entry["decided_after"]) == (None, None, None)


def test_an_interrupted_regression_goes_on_where_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    note = journal.Journal.note
    seen: list[int] = []

    def noting(self: journal.Journal, index: int, result: Any) -> None:
        note(self, index, result)
        seen.append(index)
        if len(seen) == 3:
            raise KeyboardInterrupt

    more = ("--policy", "peg-insertion=spiral-search")
    with monkeypatch.context() as patched:
        patched.setattr(journal.Journal, "note", noting)
        assert desk.regress("--json", str(desk.results), *more) == 130
    assert not desk.results.exists()
    capsys.readouterr()
    _, resumed = desk.told(*more)
    assert "3 parts taken from" in capsys.readouterr().err
    assert resumed == desk.told(*more)[1]
    assert not list(desk.directory.glob("*.partial"))


def test_a_scenario_is_a_junit_test(desk: Desk) -> None:
    file = desk.directory / "junit.xml"
    assert desk.regress("--junit", str(file)) == 0
    root = ElementTree.parse(file).getroot()
    assert root.attrib["tests"] == "2"
    assert (root.attrib["failures"], root.attrib["errors"]) == ("0", "0")
    changed_line("near", "seed = 500", "seed = 501")(desk)
    desk.regress("--junit", str(file), "--policy", "peg-insertion=spiral-search")
    root = ElementTree.parse(file).getroot()
    assert root.attrib["errors"] == "1"
    assert [case.attrib["name"] for case in root.iter("testcase")][:2] == ["near", "far"]
    message = next(root.iter("error")).attrib["message"]
    assert message.startswith("NOT COMPARABLE: the scenario has other parts")
    assert next(root.iter("failure")).attrib["message"] == "REGRESSION"


def test_a_regression_names_the_command_that_repeats_its_worst_part(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    _, told = desk.told("--policy", "peg-insertion=spiral-search")
    entry = told["scenarios"]["near"]
    assert len(entry["rows"]) == entry["pairs"]
    worst = next(row for row in entry["rows"] if row["seed"] == entry["worst"]["seed"])
    measure = max(entry["findings"], key=lambda finding: finding["log_e"])["measure"]
    worse = [row["seed"] for row in entry["rows"] if is_worse(row, measure)]
    lost = [row["seed"] for row in entry["rows"] if row["good"] == [True, False]]
    if not lost:  # all seated: the worst is the one that got worst
        assert worst["seed"] == max(entry["rows"], key=lambda row: worsening(row, measure))["seed"]
    else:
        assert worst["seed"] == lost[0]
    assert entry["since_seed"] == worse[0]
    command = entry["worst"]["replay"]
    assert command in capsys.readouterr().out
    replayed = desk.directory / "replayed.json"
    assert main([*command.split()[1:], "--json", str(replayed)]) == 0
    (part,) = json.loads(replayed.read_text())["per_episode"]
    assert part["seed"] == worst["seed"]
    assert part["peak_force_n"] == pytest.approx(worst["values"]["peak_force_n"][1], rel=1e-5)


def worsening(row: dict[str, Any], measure: str) -> float:
    before, now = row["values"][measure]
    return -math.inf if before is None else math.inf if now is None else now - before


def is_worse(row: dict[str, Any], measure: str) -> bool:
    if measure == "success":
        return row["good"] == [True, False]
    before, now = row["values"][measure]
    return now is None if before is not None and now is None else before is not None and now > before


@pytest.mark.slow
def test_the_page_shows_every_pair_and_the_worst_part(desk: Desk) -> None:
    page = desk.directory / "page.html"
    _, told = desk.told("--policy", "peg-insertion=spiral-search", "--report", str(page))
    text = page.read_text()
    entry = told["scenarios"]["near"]
    assert 'pegs: <span class="REGRESSION">' in text
    assert entry["worst"]["replay"] in text
    assert text.count("data:image/webp") == len(
        [each for each in told["scenarios"].values() if each["verdict"] == "REGRESSION"]
    )
    assert "http://" not in text.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )
    joined = desk.directory / "joined.html"
    assert main(["regress", str(desk.suite), "--merge", str(desk.results), "--report", str(joined)]) == 1
    assert entry["worst"]["replay"] in joined.read_text()


def suite_line(old: str, new: str) -> Callable[[Desk], None]:
    def change(desk: Desk) -> None:
        assert old in desk.suite.read_text()
        desk.suite.write_text(desk.suite.read_text().replace(old, new))

    return change


@pytest.mark.parametrize(
    ("change", "more", "message"),
    [
        (lambda d: d.baseline.unlink(), (), "baseline.json is missing"),
        (lambda d: d.suite.unlink(), (), "suite.toml is missing"),
        (suite_line('name = "pegs"', 'name = "nuts"'), (), "is of the suite 'pegs', not 'nuts'"),
        (suite_line("parts = 12", "parts = 0"), (), "suite.toml:3: parts: must be"),
        (suite_line("parts = 12", "part = 12"), (), "did you mean 'parts'"),
        (suite_line("peg-insertion", "peg-insertoin"), (), "did you mean 'peg-insertion'"),
        (suite_line('peg-insertion = "oracle"', ""), (), "policies: needs a policy of peg-insertion"),
        (suite_line("[policies]", "margins.sucess = 0.1\n[policies]"), (), "did you mean 'success'"),
        (suite_line("[policies]", "margins.success = 1.0\n[policies]"), (), "must be below 1"),
        (suite_line("near.toml", "far.toml"), (), "names a scenario twice"),
        (
            suite_line("parts = 12", "parts = 401"),
            (),
            "near and far share seeds with 401 parts; take at most 400",
        ),
        (suite_line("0.2", "2.0"), (), "false_alarms: must be"),
        (
            changed_line("near", "pain", "pian"),
            (),
            "near.toml:1: pian: unknown key 'pian'; did you mean 'pain'",
        ),
        (changed_line("near", "good = 0.9", "good = 1.9"), (), "need one of good and kept"),
        (changed_line("near", "good = 0.9", "kept = 0.9"), (), "there is no change"),
        (changed_line("near", "round-16-1", "round-16-2"), (), "near.toml:3: products: "),
        (None, ("--scenario", "nera"), "did you mean 'near'"),
        (None, ("--shard", "3/2"), "--shard must be i/n"),
        (None, ("--shard", "1/2", "--scenario", "near"), "leave out --scenario"),
        (None, ("--policy", "oracle"), "write for example weld-seam=oracle"),
        (None, ("--policy", "peg-insertion=orcale"), "did you mean 'oracle'"),
        (None, ("--policy", "peg=oracle"), "unknown cell 'peg'"),
        (None, ("--false-alarms", "0"), "--false-alarms must be between 0 and 1"),
        (None, ("--live", "-1"), "--live must be at least 0"),
        (None, ("--accept", " "), "--accept needs a reason"),
        (None, ("--accept", "x", "--shard", "1/2"), "leave out --shard"),
        (None, ("--merge", "x.json", "--accept", "x"), "leave out --accept"),
        (None, ("--accept", "x", "--report", "x.html"), "leave out --accept"),
    ],
)
def test_bad_input_is_one_line_and_loses_nothing(
    desk: Desk,
    change: Callable[[Desk], None] | None,
    more: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if change is not None:
        change(desk)
    desk.results.write_text("precious")
    before = {file.name: file.read_bytes() for file in desk.directory.iterdir()}
    assert desk.regress("--json", str(desk.results), *more) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert {file.name: file.read_bytes() for file in desk.directory.iterdir()} == before


@pytest.mark.parametrize(
    "data",
    [
        *("{", "[]", '{"suite": "pegs"}', '{"scenarios": {"near": {"verdict": "GOOD"}}}'),
        '{"scenarios": {"near": {"verdict": "REGRESSION", "findings": [{"measure": "success"}]}}}',
    ],
)
def test_what_is_no_result_is_not_joined(desk: Desk, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = desk.directory / "shard.json"
    file.write_text(data)
    assert main(["regress", str(desk.suite), "--merge", str(file)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def at(place: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Put `value` at a place of the results such as `scenarios/near/pairs`."""

    def change(told: dict[str, Any]) -> None:
        *way, last = place.split("/")
        held: Any = told
        for step in way:
            held = held[int(step)] if isinstance(held, list) else held[step]
        held[int(last) if isinstance(held, list) else last] = value

    return change


@pytest.fixture(scope="module")
def worsened(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Results with a REGRESSION, as text."""
    made = Desk(tmp_path_factory.mktemp("worsened"))
    for file in recorded.glob("baseline*"):
        shutil.copy(file, made.directory)
    return json.dumps(made.told("--policy", "peg-insertion=spiral-search")[1])


@pytest.mark.parametrize(
    "change",
    [
        *(at("false_alarms", value) for value in ("x", 0, 1.5)),
        *(at("policies", value) for value in ("x", {"a": ["b"]})),
        at("scenarios/near/pairs", "abc"),
        at("scenarios/near/differences", "abc"),
        at("scenarios/near/differences", [1]),
        at("scenarios/near/findings", None),
        at("scenarios/near/findings/0/worse", "3"),
        at("scenarios/near/findings/0/difference", [1.0]),
        at("scenarios/near/findings/0/margin", 0),
        at("scenarios/near/rows/0/good", [1, 0]),
        at("scenarios/near/worst", {"seed": 1}),
        at("scenarios/near/verdict", "GOOD"),
    ],
)
def test_results_with_a_wrong_value_are_refused_in_one_line(
    desk: Desk,
    worsened: str,
    change: Callable[[dict[str, Any]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    told, file = json.loads(worsened), desk.directory / "shard.json"
    file.write_text(worsened)
    assert main(["regress", str(desk.suite), "--merge", str(file)]) == 1
    change(told)
    file.write_text(json.dumps(told))
    capsys.readouterr()
    assert main(["regress", str(desk.suite), "--merge", str(file)]) == 2
    err = capsys.readouterr().err
    assert "holds no results of `cellwright regress`" in err
    assert err.count("\n") == 1


def test_it_needs_a_baseline(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["regress", str(desk.suite)]) == 2
    assert "name the baseline with --against" in capsys.readouterr().err
