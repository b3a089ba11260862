"""What Rerun is given, read back by its own reader; no window and no network."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rerun as rr
from rerun.chunk import RrdReader

from cellwright_train.cli import main
from cellwright_train.rollout.cell import CellChoice, Episode, run_episode
from cellwright_train.rollout.policies import resolve_policy
from cellwright_train.rollout.steps import Step, Watched
from cellwright_train.rollout.viewer import APPLICATION, Viewer

PEG = "cellwright/PegInsertion-v1"
COMMAND = ["watch", "oracle", "--env", PEG, "--products", "round-16-1", "--disturbances", "none"]


def rows(path: Path) -> dict[str, int]:
    """Number of rows that change with time, by what they are of."""
    found: dict[str, int] = {}
    for chunk in RrdReader(path).stream():
        found[str(chunk.entity_path)] = found.get(str(chunk.entity_path), 0) + chunk.num_rows
    return found


def steps_of(env: Any, *listeners: Any) -> list[Step]:
    steps: list[Step] = []
    policy = resolve_policy("oracle").load(env)
    run_episode(Watched(env, lambda _, step: steps.append(step), *listeners), policy, Episode(0))
    return steps


def test_every_step_is_in_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "peg.rrd"
    assert main([*COMMAND, "--out", str(out)]) == 0
    assert "round-16-1, seed 0: seated\nwritten to" in capsys.readouterr().out
    env = CellChoice(env=PEG, products=("round-16-1",), disturbances="none").make(privileged=True)
    count = len(steps_of(env))
    env.close()
    found = rows(out)
    named = {
        f"/observation/{group}" for group in ("pose", "wrench", "leash", "last_action", "history", "limit")
    }
    assert {path for path in found if path.startswith("/observation/")} == named
    assert found["/camera/hand"] == found["/camera/fixed"] == count
    for path in (*named, "/action", "/reward", "/tool"):
        assert found[path] == count + 1  # and what its curves are, once
    assert found["/cell"] == -(-count // 2)
    assert found["/episodes"] == 1


def test_a_viewer_does_not_change_the_episode() -> None:
    env = CellChoice(env=PEG, products=("round-16-1",), disturbances="train").make(privileged=True)
    stream = rr.RecordingStream(APPLICATION)
    stream.memory_recording()
    alone, watched = steps_of(env), steps_of(env, Viewer(stream))
    env.close()
    assert len(alone) == len(watched)
    for one, other in zip(alone, watched, strict=True):
        assert one.reward == other.reward
        for group, values in one.observation.items():
            np.testing.assert_array_equal(values, other.observation[group])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[rr.RecordingStream]:
    """The windows that were opened; what they show is kept in memory."""
    windows: list[rr.RecordingStream] = []

    def open_window(self: rr.RecordingStream) -> None:
        windows.append(self)
        self.memory_recording()

    monkeypatch.setattr(rr.RecordingStream, "spawn", open_window)
    return windows


def test_a_window_is_opened_and_no_file_written(
    opened: list[rr.RecordingStream],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main([*COMMAND, "--viewer"]) == 0
    assert capsys.readouterr().out == "round-16-1, seed 0: seated\n"
    assert len(opened) == 1
    assert not list(tmp_path.iterdir())
    assert main([*COMMAND, "--viewer", "--out", "a.gif"]) == 2
    assert "leave one of them out" in capsys.readouterr().err


def test_a_recording_is_shown_and_is_the_same(opened: list[rr.RecordingStream], tmp_path: Path) -> None:
    command = ["record", *COMMAND[1:], "--episodes", "1"]
    assert main([*command, "--out", str(tmp_path / "shown"), "--viewer"]) == 0
    assert len(opened) == 1
    assert main([*command, "--out", str(tmp_path / "alone")]) == 0
    data = "data/chunk-000/file-000.parquet"
    assert (tmp_path / "shown" / data).read_bytes() == (tmp_path / "alone" / data).read_bytes()


def test_a_weld_is_shown_too(tmp_path: Path) -> None:
    out = tmp_path / "weld.rrd"
    assert main(["watch", "seam-tracker", "--products", "lap-straight-1.6", "--out", str(out)]) == 0
    found = rows(out)
    assert {"/camera/overview", "/camera/stripe", "/observation/seam", "/reward", "/cell"} <= set(found)
