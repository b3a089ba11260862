"""`cellwright shift` from its arguments to its files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.cli import main
from cellwright_train.lines.library import find_line
from tests.train.lines.conftest import HEAD, Faked

PEGS = '[[batch]]\nproduct = "round-16-1+square-16-1"\n'
MOVED = '[[batch.change]]\nline_change = "moved-fixture"\n'
WORK = f"{PEGS}parts = 12\n{MOVED}after = 6\n"


def run(path: Path, *more: str, policies: str = "oracle,spiral-search") -> int:
    return main(["shift", str(path), "--policies", policies, "--workers", "1", *more])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["shift"], "name a line, or draw one with --draw SEED"),
        (["shift", "mixed-shift", "--draw", "1"], "name a line, or draw one with --draw SEED"),
        (["shift", "mixed-shift"], "name who works on the line: --policies A,B"),
        (
            ["shift", "mixd-shift", "--policies", "oracle"],
            "unknown line 'mixd-shift'; did you mean 'mixed-shift'?",
        ),
        (["shift", "mixed-shift", "--policies", "orakle"], "did you mean 'oracle'?"),
        (["shift", "mixed-shift", "--policies", "oracle,oracle"], "--policies names oracle twice"),
        (
            ["shift", "mixed-shift", "--policies", "spiral-search"],
            "spiral-search has no policy for weld-seam; join",
        ),
        (
            ["shift", "peg-shift", "--policies", "seam-tracker"],
            "seam-tracker acts in no cell of the line: cellwri",
        ),
        (
            ["shift", "peg-shift", "--policies", "zoo:weld-seam"],
            "zoo:weld-seam acts in no cell of the line: cellw",
        ),
        (
            ["shift", "peg-shift", "--policies", "oracle+spiral-search"],
            "two policies for peg-insertion: oracle, sp",
        ),
        (
            ["shift", "peg-shift", "--policies", "oracle", "--parts", "9"],
            "--parts belongs to --draw; peg-shift says",
        ),
        (["shift", "--draw", "1", "--cells", "peg", "--write", "/tmp/x"], "unknown cell 'peg'"),
        (["shift", "--draw", "-1", "--policies", "oracle"], "--draw must be at least 0, got -1"),
        (
            ["shift", "--draw", "1", "--changes", "-1", "--policies", "oracle"],
            "--changes must be at least 0, got -1",
        ),
        (
            ["shift", "--draw", "1", "--parts", "9", "--policies", "oracle"],
            "5 changes in 1 cells need 30 to 10000 p",
        ),
        (
            ["shift", "peg-shift", "--write", "/tmp/x", "--json", "/tmp/y"],
            "there are no results without --policies",
        ),
        (
            ["shift", "peg-shift", "--policies", "oracle", "--json", "/no/place/a"],
            "/no/place is no directory",
        ),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert told in output.err
    assert (output.err.count("\n"), output.out) == (1, "")


def test_every_contender_makes_every_part_and_the_results_say_all(
    faked: Faked, written: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    assert run(written(WORK), "--json", str(results)) == 0
    told = json.loads(results.read_text())
    made = find_line(str(tmp_path / "pegs.toml"))
    assert (told["line_hash"], told["cells"]) == (made.hash, dict(made.cells))
    assert {"numpy", "pybullet", "onnxruntime"} < set(told["versions"])
    assert told["line"]["batch"][0]["change"] == [{"after": 6, "line_change": "moved-fixture"}]
    assert [change["part"] for change in told["changes"]] == [7]
    oracle, spiral = told["shifts"]
    assert [shift["policy"] for shift in told["shifts"]] == ["oracle", "spiral-search"]
    assert oracle["cells"]["peg-insertion"] == {
        "policy": "oracle",
        "policy_sha256": "oracle",
        "taught": False,
    }
    assert spiral["cells"]["peg-insertion"]["taught"] is True
    assert [row["id"] for row in oracle["per_part"]] == [part.id for part in made.parts]
    assert (oracle["first_pass_yield"]["value"], spiral["first_pass_yield"]["value"]) == (1.0, 10 / 12)
    assert [row["fate"] for row in spiral["per_part"]] == ["good"] * 6 + ["rework"] * 2 + ["good"] * 4
    assert spiral["per_part"][8]["stops_s"] == {"re-teaching": 900.0}
    assert spiral["changeover"]["per_change"][0]["parts_until_back"] == 2
    assert spiral["changeover"]["lost_s"] == pytest.approx(900.0 + 12.0)
    output = capsys.readouterr().out
    assert "pegs: 12 parts, 1 changes" in output
    assert "moved-fixture" in output
    assert output.endswith(f"written to {results}\n")


def test_a_mixed_line_takes_a_policy_for_each_cell(
    faked: Faked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results.json"
    names = "seam-tracker+spiral-search,oracle"
    assert main(["shift", "mixed-shift", "--policies", names, "--workers", "1", "--json", str(results)]) == 0
    joined, oracle = json.loads(results.read_text())["shifts"]
    assert joined["cells"]["weld-seam"]["policy"] == "seam-tracker"
    assert joined["cells"]["peg-insertion"]["policy"] == "spiral-search"
    output = capsys.readouterr().out
    assert "OEE" in output, "a long name leaves room for every figure"
    fates = "".join(row["fate"][0] for row in joined["per_part"])
    assert fates == "ggggg" + "ggggg" + "ssggg" + "ggggg", (
        "bad welds are noticed, the pegs' change is announced"
    )
    assert [row["result"].get("passed") is not None for row in oracle["per_part"]] == 2 * (
        [True] * 5 + [False] * 5
    )


def test_an_interrupted_shift_shows_what_it_has_and_goes_on_from_there(
    faked: Faked, written: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, results = written(WORK), tmp_path / "results.json"
    faked.interrupt_after = 17
    assert run(path, "--json", str(results)) == 130
    output = capsys.readouterr()
    assert "12 of 12 parts by oracle were finished" in output.err
    assert "of 12 parts by spiral-search were finished" in output.err
    assert "oracle" in output.out
    assert not results.exists()
    faked.interrupt_after = 10**9
    done = len(faked.done)
    assert run(path, "--json", str(results)) == 0
    assert len(faked.done) == 24, "no part was done twice"
    assert done == 17
    assert sorted(each.name for each in tmp_path.iterdir()) == ["pegs.toml", "results.json"]
    whole = tmp_path / "whole.json"
    assert run(path, "--json", str(whole)) == 0
    assert whole.read_text() == results.read_text()


def test_another_line_does_not_touch_what_a_shift_has_kept(
    faked: Faked, written: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, results = written(WORK), tmp_path / "results.json"
    faked.interrupt_after = 3
    assert run(path, "--json", str(results)) == 130
    kept = (tmp_path / "results.json.partial").read_bytes()
    path.write_text(path.read_text().replace("7000", "8000"))
    capsys.readouterr()
    assert run(path, "--json", str(results)) == 2
    assert "keeps 3 finished parts of another evaluation" in capsys.readouterr().err
    assert (tmp_path / "results.json.partial").read_bytes() == kept


def test_results_do_not_depend_on_the_number_of_workers(written: Callable[..., Path], tmp_path: Path) -> None:
    """In the real cell, with a stop in between that depends on what came out."""
    away = '[[batch.change]]\nafter = 1\nname = "away"\ndescription = "Away."\n'
    field = 'set = { "fixture_pose.mean_m" = { plus = [9e-3, 0, 0] } }\n'
    path = written(f"bad_in_a_row = 1\n{PEGS}parts = 4\n{away}{field}")
    found: list[Any] = []
    for workers in ("1", "2"):
        results = tmp_path / f"{workers}.json"
        command = ["shift", str(path), "--policies", "spiral-search,oracle", "--workers", workers]
        assert main([*command, "--json", str(results)]) == 0
        found.append(json.loads(results.read_text()))
    assert found[0] == found[1]
    spiral = found[0]["shifts"][0]
    assert [row["fate"] for row in spiral["per_part"]] == ["good", "rework", "good", "good"]
    assert [bool(row["stops_s"]) for row in spiral["per_part"]] == [False, False, True, False]


def test_a_written_line_keeps_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert main(["shift", "peg-shift", "--write", str(path)]) == 0
    assert path.read_text() == find_line("peg-shift").text
    assert "# They hold 0.2 % less with every part." in path.read_text()


def test_the_head_of_these_tests_is_a_line(written: Callable[..., Path]) -> None:
    assert find_line(str(written(f"{PEGS}parts = 1\n", HEAD))).file.name == "pegs"


def test_an_interrupted_shift_of_a_scenario_goes_on_in_its_control_too(
    faked: Faked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of the work is the same parts without the changes; it was lost, and nothing said what was kept."""
    path, results = tmp_path / "mine.toml", tmp_path / "results.json"
    head = HEAD.replace('name = "pegs"\ndescription = "A few pegs."', 'pain = "It moves."')
    path.write_text(f'{head}{WORK}[bar]\nkept = 0.5\nreason = "A test."\n')
    command = ["evaluate", "spiral-search", "--scenario", str(path), "--workers", "1", "--json", str(results)]
    faked.interrupt_after = 17
    assert main(command) == 130
    assert f"{results}.partial keeps 17 finished parts, the same command goes on there" in (
        capsys.readouterr().err
    )
    faked.interrupt_after = 10**9
    assert main(command) == 0
    assert len(faked.done) == 17 + 6, "the sixth part, before the change, is there from the shift"
    told = json.loads(results.read_text())
    assert told["bar"] == {
        "text": "50 % of the good parts kept",
        "reached": True,
        "good": 10,
        "parts": 12,
        "control": 12,
    }
    assert sorted(each.name for each in tmp_path.iterdir()) == ["mine.toml", "results.json"]
