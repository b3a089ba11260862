"""`cellwright record`."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_train.cli import main
from cellwright_train.data import writer
from cellwright_train.data.episode import EpisodeLayout
from cellwright_train.data.reader import Dataset
from cellwright_train.rollout.cell import CellChoice

PEG = "cellwright/PegInsertion-v1"
COMMAND = ["record", "oracle", "--env", PEG, "--products", "round-16-1", "--disturbances", "none"]


def record(out: Path, episodes: int, *more: str) -> int:
    return main([*COMMAND, "--out", str(out), "--episodes", str(episodes), *more])


def content(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.fixture(scope="module")
def cell() -> Any:
    made = CellChoice(env=PEG, products=("round-16-1",), disturbances="none").make(privileged=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("recorded") / "pegs"
    assert record(out, 2) == 0
    return out


def test_the_recorded_actions_give_the_recorded_episode_again(recorded: Path, cell: Any) -> None:
    dataset = Dataset.open(recorded, EpisodeLayout.of(cell))
    for number, row in enumerate(dataset.rows):
        episode = dataset.episode(number)
        observation, _ = cell.reset(seed=row.seed)
        for step, action in enumerate(episode.actions):
            np.testing.assert_array_equal(episode.images[step], observation["image"])
            groups = [observation[name] for name in dataset.layout.groups]
            np.testing.assert_array_equal(episode.state[step], np.concatenate(groups))
            observation, reward, terminated, truncated, info = cell.step(action)
            assert episode.rewards[step] == np.float32(reward)
            assert episode.dones[step] == (terminated or truncated)
            assert episode.successes[step] == info["is_success"]
        assert episode.dones[-1]
        assert episode.task == "fit the peg round-16-1 to its hole"


def test_the_true_state_is_not_recorded(recorded: Path, cell: Any) -> None:
    """The oracle acts on it, so that the cell shows it while it is recorded."""
    names = json.loads((recorded / "meta/info.json").read_text())["features"]
    assert not [name for name in names if "privileged" in name]
    assert not set(cell.unwrapped.privileged_names) & {
        name.split(".", 1)[1] for name in names["observation.state"]["names"]
    }


def test_what_repeats_an_episode_and_its_result_stand_beside_it(recorded: Path, cell: Any) -> None:
    facts = Dataset.open(recorded, EpisodeLayout.of(cell)).rows[1].facts
    assert facts["made_by"] == {
        "cellwright": facts["made_by"]["cellwright"],
        "policy": "oracle",
        "policy_sha256": "oracle",
        "env": PEG,
        "products": "round-16-1",
        "disturbances": "none",
    }
    assert (facts["result"]["seed"], facts["result"]["success"], facts["good"]) == (1, True, True)


def test_a_recording_that_is_stopped_goes_on_and_ends_as_one_that_was_not(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, add = tmp_path / "pegs", writer.DatasetWriter.add

    def stopping(self: writer.DatasetWriter, episode: Any) -> None:
        add(self, episode)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(writer.DatasetWriter, "add", stopping)
        assert record(out, 2) == 130
    assert f"1 of 2 episodes are in {out}; the same command goes on there" in capsys.readouterr().err
    assert record(out, 2) == 0
    assert "2 episodes, 2 of them good" in capsys.readouterr().out
    assert content(out) == content(recorded)
    assert [path.name for path in tmp_path.iterdir()] == ["pegs"]


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (("--seed", "5"), "episode 0 of {out} has seed 0, not 5; name another --out"),
        (("--disturbances", "train"), "has disturbances none, not train"),
        (("--line-change", "dim-light"), "has line_change None, not dim-light"),
        (("--products", "round-8-0.5"), "has products round-16-1, not round-8-0.5"),
    ],
)
def test_another_recording_does_not_touch_it(
    more: tuple[str, ...], told: str, recorded: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(recorded)
    assert record(recorded, 3, *more) == 2
    said = capsys.readouterr().err
    assert told.format(out=recorded) in said
    assert said.count("\n") == 1
    assert content(recorded) == before


def test_another_cell_s_dataset_gets_one_line(recorded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "seam-tracker", "--out", str(recorded)]) == 2
    said = capsys.readouterr().err
    assert "meta/info.json says fps otherwise" in said
    assert said.count("\n") == 1


def test_a_person_needs_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record", "keyboard", "--env", PEG, "--out", str(tmp_path / "a")]) == 2
    assert "keys come from a terminal, and standard input is none" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_person_records_through_a_terminal(tmp_path: Path) -> None:
    """Whatever is typed: keys down to the fixture until the peg is broken or the time is up."""
    master, slave = pty.openpty()
    out = tmp_path / "by-hand"
    command = ["record", "keyboard", *COMMAND[2:], "--episodes", "1", "--out", str(out)]
    with subprocess.Popen(
        [sys.executable, "-m", "cellwright_train.cli", *command],
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        assert process.stdout is not None
        told = process.stdout.readline()
        while told and b"press a key to begin" not in told:
            told = process.stdout.readline()
        while process.poll() is None:
            os.write(master, b"f")
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.02)
        told = process.stdout.read()
    os.close(slave)
    os.close(master)
    assert process.returncode == 0, told.decode()
    layout = EpisodeLayout.of(gymnasium.make(PEG, disable_env_checker=True))
    episode = Dataset.open(out, layout).episode(0)
    assert episode.facts["made_by"]["policy"] == "keyboard"
    assert set(np.unique(episode.actions)) == {-1.0, 0.0}
    assert not episode.actions[:, [0, 1, 3, 4, 5]].any()
