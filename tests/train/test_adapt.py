"""`cellwright adapt` from a bundle and a line to a run and a bundle with its lineage."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.cli import main
from cellwright_train.learning import adaptation
from cellwright_train.lines.library import find_line
from cellwright_train.rollout import cell
from cellwright_train.rollout.cell import run_episode
from cellwright_train.rollout.policies import resolve_policy

POLICY = "zoo:peg-insertion"
LINE = """name = "dark"
description = "Pegs, then weak light."
seed = 2300000
cell = "peg-insertion"
handling_s = 4.0
[[batch]]
product = "round-16-1"
parts = 4
[[batch.change]]
after = 2
line_change = "dim-light"
"""


@pytest.fixture
def line(tmp_path: Path) -> Path:
    file = tmp_path / "dark.toml"
    file.write_text(LINE)
    return file


@pytest.mark.slow
def test_a_bundle_adapts_to_a_line_and_knows_where_it_comes_from(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(adaptation, "_TEST_EPISODES", 16)
    run, bundle, results = tmp_path / "run", tmp_path / "bundle", tmp_path / "r.json"
    monkeypatch.setattr("cellwright_train.commands.adapt._SCORED", 2)
    command = ["adapt", POLICY, "--line", str(line), "--parts", "20", "--measured", "2", "--workers", "1"]
    assert main([*command, "--run-dir", str(run), "--json", str(results), "--out", str(bundle)]) == 0
    told = json.loads(results.read_text())
    assert told["policy_sha256"] == resolve_policy(POLICY).digest
    assert told["adapted_sha256"] == resolve_policy(str(run)).digest
    assert not list(tmp_path.glob("*.partial"))
    assert {name: len(parts) for name, parts in told["measured"].items()} == {
        "before": 2,
        "right after": 2,
        "adapted": 2,
        "adapted, before the change": 2,
    }
    pairs = zip(told["measured"]["right after"], told["measured"]["adapted"], strict=True)
    assert all(old["conditions"] == new["conditions"] for old, new in pairs)
    assert told["moments"][0]["steps"] == 0
    assert told["moments"][-1]["steps"] > 0
    assert told["moments"][-1]["parts"] > 0
    made = Bundle.load(bundle)
    assert made.spec.training["parent"]["sha256"] == told["policy_sha256"]
    assert made.spec.training["command"].startswith("cellwright adapt zoo:peg-insertion")
    capsys.readouterr()
    # The same command finds its run done and measures again; another one does not write over it.
    again = tmp_path / "again.json"
    assert main([*command, "--run-dir", str(run), "--json", str(again)]) == 0
    assert json.loads(again.read_text())["adapted_sha256"] == told["adapted_sha256"]
    assert main([*command, "--run-dir", str(run), "--seed", "2"]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_parts_that_were_measured_before_an_interruption_are_not_measured_again(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worked: list[int] = []

    def counted(*of: Any, **more: Any) -> Any:
        worked.append(of[2].seed)
        return run_episode(*of, **more)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cell, "run_episode", counted)
    monkeypatch.setattr("cellwright_train.learning.training.train", interrupted)
    results = tmp_path / "r.json"
    command = ["adapt", POLICY, "--line", str(line), "--measured", "1", "--workers", "1"]
    command += ["--run-dir", str(tmp_path / "run"), "--json", str(results)]
    for _ in range(2):
        with contextlib.suppress(KeyboardInterrupt):
            main(command)
    assert len(worked) == 2, "a part before the change and one after it"
    assert len((tmp_path / "r.json.partial").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    ("policy", "more", "message"),
    [
        ("oracle", [], "is an expert and does not learn; name a bundle or a run"),
        ("zoo:gear-mesh", [], "and no cellwright/GearMesh"),
        (POLICY, ["--change", "2"], "--change must be 1 to 1"),
        (POLICY, ["--parts", "0"], "--parts must be at least 1"),
        (POLICY, ["--measured", "0"], "--measured must be at least 1"),
        (POLICY, ["--kept", "1"], "kept"),
        (POLICY, ["--expert", "orcale"], "orcale"),
        (POLICY, ["--seed", "4294967296"], "--seed must be from 0 to 4294967295"),
        (POLICY, ["--out", "."], "exists"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(
    policy: str, more: list[str], message: str, line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["adapt", policy, "--line", str(line), "--run-dir", str(run), *more]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not run.exists()


@pytest.mark.parametrize("changed", ["line", "policy"])
def test_a_run_does_not_go_on_under_a_line_or_from_a_policy_that_has_changed_since(
    changed: str, line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It went on with what it had begun with, and was measured and told as one of the new line."""
    run = tmp_path / "run"
    command = ["adapt", POLICY, "--line", str(line), "--run-dir", str(run)]
    (run / "checkpoints").mkdir(parents=True)
    (run / "commands").write_text(
        f"cellwright adapt {POLICY} --line {line} --parts=200 --kept=0.25 --seed=1\n"
    )
    parent = {"sha256": resolve_policy(POLICY).digest, "line": find_line(str(line)).hash}
    other = {"sha256" if changed == "policy" else "line": "0"}
    (run / "parent.json").write_text(json.dumps(parent | other))
    assert main(command) == 2
    named = POLICY if changed == "policy" else line
    assert capsys.readouterr().err == (
        f"cellwright: {run} was begun before {named} was changed; name another --run-dir\n"
    )
