"""A run directory belongs to one process at a time, and keeps the best policy whatever happens to it."""

import contextlib
import csv
import dataclasses
import errno
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cellwright_runtime.files.reading import FileError
from cellwright_train.cli import main
from cellwright_train.errors import Stopped, UsageError
from cellwright_train.learning import demonstrations, metrics, progress, runs, session, training
from cellwright_train.learning.demonstrations import DemonstrationConfig
from cellwright_train.learning.metrics import MetricsFile
from cellwright_train.learning.presets import PRESETS
from cellwright_train.learning.progress import Progress
from cellwright_train.learning.runs import RunDirectory, load_policy_from_run
from cellwright_train.learning.training import resume, train

SMALL = dataclasses.replace(
    PRESETS["debug"],
    steps=512,
    cells=2,
    workers=1,
    ppo=dataclasses.replace(PRESETS["debug"].ppo, batch_size=64, adaptive_threads=False, update_threads=1),
)

WARM_UP_ONLY = dataclasses.replace(
    SMALL, steps=256, ppo=dataclasses.replace(SMALL.ppo, warmup_rollouts=100, rollout_steps=64)
)
"""The critic learns, the actor does not."""


def silent(_: Progress) -> None:
    pass


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(SMALL, tmp_path_factory.mktemp("runs") / "run", seed=1, report=silent)


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> RunDirectory:
    return RunDirectory(path=Path(shutil.copytree(finished, tmp_path / "run")))


def longer(run: RunDirectory, **changes: Any) -> None:
    """Give a finished run more to do."""
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"steps": 1024} | changes))


def rows(run: RunDirectory) -> list[str]:
    with (run.path / "metrics.csv").open(newline="") as file:
        return [row["step"] for row in csv.DictReader(file)]


LOCKING = "from pathlib import Path\nfrom cellwright_train.learning.runs import RunDirectory\n" + (
    "import sys, time\nwith RunDirectory(path=Path(sys.argv[1])).locked():\n"
    "    print('locked', flush=True)\n    time.sleep(60)\n"
)


@contextlib.contextmanager
def somebody_else_trains(run: RunDirectory) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", LOCKING, str(run.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "locked\n"
        try:
            yield other
        finally:
            other.kill()


def test_a_second_resume_is_refused_until_the_first_has_ended_in_any_way(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(path.name for path in run.checkpoints.iterdir())
    with somebody_else_trains(run) as other:
        assert main(["train", "--resume", "--run-dir", str(run.path)]) == 2
        assert capsys.readouterr().err == f"cellwright: {run.path} is being trained by another process\n"
        other.send_signal(signal.SIGKILL)
        other.wait()
        assert resume(run.path, report=silent) == run.path
    assert sorted(path.name for path in run.checkpoints.iterdir()) == before


def test_two_new_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    with (
        somebody_else_trains(RunDirectory(path=tmp_path / "run")),
        pytest.raises(UsageError, match="another"),
    ):
        train(SMALL, tmp_path / "run", seed=1, report=silent)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def scoring(success: float, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = {"success_rate": success, "return": 1.0, "length": 40.0}
    monkeypatch.setattr(session, "evaluate_in_training", lambda *_: scores)


@pytest.mark.parametrize(("success", "is_replaced"), [(0.125, False), (1.0, True)])
def test_the_best_policy_is_replaced_by_a_better_one_only_whatever_the_checkpoint_knew(
    success: float, is_replaced: bool, run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    (best,) = run.best.iterdir()
    state = json.loads((best / "state.json").read_text())
    scores = {"success_rate": 0.5, "return": 0.0, "length": 40.0}
    (best / "state.json").write_text(json.dumps(state | {"scores": scores}))
    longer(run)
    scoring(success, monkeypatch)
    resume(run.path, report=silent)
    assert run.best_score == ((1.0, 1.0) if is_replaced else (0.5, 0.0))
    assert best.is_dir() is not is_replaced


def test_a_best_policy_that_was_not_yet_removed_is_no_harm(run: RunDirectory) -> None:
    (best,) = run.best.iterdir()
    shutil.copytree(best, run.best / f"{int(best.name) + 1:012d}")
    (run.best / f".{best.name}-0a1b").mkdir()
    load_policy_from_run(run.path)
    with run.locked():
        assert not [path for path in run.best.iterdir() if path.name.startswith(".")]
    assert run.best_score > (-1.0, 0.0)


class FullDisk:
    """Raises where a file of this name is written, from its `after`th time on."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self, directory: Path, model: Any) -> None:
        (directory / "model.safetensors").write_bytes(b"half")
        if self.left == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.left -= 1
        write(directory, model)


write = runs.write_checkpoint


def test_a_full_disk_is_said_in_one_line_and_the_run_goes_on_once_there_is_room(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    longer(run)
    before = load_policy_from_run(run.path).action_net.weight.tolist()
    with monkeypatch.context() as patched:
        patched.setattr(runs, "write_checkpoint", FullDisk(after=0))
        assert main(["train", "--resume", "--run-dir", str(run.path)]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(
        f"cellwright: {run.path} cannot be written: No space left on device; what was saved"
    )
    assert not [path for path in run.path.rglob(".*") if path.name != ".lock"]
    assert load_policy_from_run(run.path).action_net.weight.tolist() == before
    assert main(["train", "--resume", "--run-dir", str(run.path)]) == 0
    assert run.is_finished
    assert not multiprocessing.active_children()


def test_metrics_hold_every_update_once_after_a_resume_from_an_older_checkpoint(run: RunDirectory) -> None:
    assert rows(run) == ["128", "256", "384", "512"]
    state_file = run.last_checkpoint() / "state.json"
    state = json.loads(state_file.read_text())
    state_file.write_text(json.dumps(state | {"metrics_rows": 2}))  # as of a checkpoint before the last rows
    with (run.path / "metrics.csv").open("a") as file:
        file.write("half a li")
    longer(run)
    resume(run.path, report=silent)
    assert rows(run) == ["128", "256", "640", "768", "896", "1024"]


def test_a_row_that_finds_no_room_leaves_no_half_of_it(tmp_path: Path, monkeypatch: Any) -> None:
    file = MetricsFile(tmp_path / "m.csv")
    file.write({"a": 1.0}, {}, step=1)
    before = (tmp_path / "m.csv").read_bytes()
    monkeypatch.setattr(metrics, "_csv", lambda rows: _Long(b"2,2.0"))
    with pytest.raises(OSError, match="no space left"):
        file.write({"a": 2.0}, {}, step=2)
    assert (tmp_path / "m.csv").read_bytes() == before


class _Long(bytes):
    """Is longer than what the disk takes of it."""

    def __len__(self) -> int:
        return 99


def test_demonstrations_say_what_room_they_need_before_they_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demonstrations.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 30e6))
    monkeypatch.setitem(
        PRESETS,
        "debug",
        dataclasses.replace(SMALL, demonstrations=DemonstrationConfig(expert="", steps=400_000)),
    )
    monkeypatch.setattr(session.TrainingSession, "_teacher", lambda self: None)
    assert main(["train", "debug", "--run-dir", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.splitlines()[-1]
    assert "demonstrations need 3.4 GB in" in told
    assert "where 30.0 MB are free; make room, or begin a run on another disk with --run-dir" in told


def test_room_for_demonstrations_is_set_aside_and_freed_where_it_is_not_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = load_space()
    store = demonstrations.DemonstrationStore(tmp_path / "a", space, 5, 100)
    for file in (tmp_path / "a").iterdir():
        assert file.stat().st_blocks * 512 >= file.stat().st_size
    assert store.rows == 0

    def full(descriptor: int, first: int, count: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UsageError, match=r"npy cannot be written: No space left on device; it takes \d"):
        demonstrations.DemonstrationStore(tmp_path / "b", space, 5, 100)
    assert not list((tmp_path / "b").iterdir())


def test_demonstrations_that_were_removed_are_missed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"lacks actions\.npy, from which the demonstrations would go on"):
        demonstrations.DemonstrationStore(tmp_path / "a", load_space(), 5, 100, rows=50)


def load_space() -> Any:
    from cellwright_envs.probe import ColumnTracking

    return ColumnTracking(privileged=True).observation_space


WARM = dataclasses.replace(
    SMALL, demonstrations=DemonstrationConfig(expert="", steps=600, rounds=2, batch_size=64, final_epochs=3)
)


class Expert:
    """Does nothing, which is enough to be learnt."""

    def reset(self, cells: int, indices: Any = None) -> None:
        pass

    def act_batch(self, observations: Any) -> Any:
        import numpy as np

        return np.zeros((len(observations["image"]), 5), np.float32)


class Stopping:
    """Raises at the first report that `when` holds of, and keeps the reports."""

    def __init__(self, when: Any = lambda _: False) -> None:
        self.when = when
        self.heard: list[Progress] = []

    def __call__(self, progress: Progress) -> None:
        self.heard.append(progress)
        if self.when(progress):
            raise Stopped(signal.SIGTERM)


def test_every_stage_reports_and_the_time_left_is_of_the_whole_run(tmp_path: Path) -> None:
    reports = Stopping()
    train(WARM, tmp_path / "run", seed=0, expert=Expert(), report=reports)
    stages = list(dict.fromkeys(report.stage for report in reports.heard))
    assert stages == ["demonstrations", "imitation", "critic", "ppo"]
    last_pass = [report for report in reports.heard if report.stage == "imitation"][-1]
    assert last_pass.steps == last_pass.total == 5 * 600
    rates = progress.Rates()
    rates.collecting.last, rates.imitation.last = 10.0, 100.0
    assert rates.left_s(100, 1000, 50, ppo_epochs=3) == pytest.approx(10 + 10 + 50 * (0.1 + 3 * 0.01))
    rates.ppo.last = 5.0
    assert rates.left_s(0, 0, 50, ppo_epochs=3) == pytest.approx(10)
    halfway = next(report for report in reports.heard if report.stage == "imitation" and report.total == 3000)
    assert halfway.seconds_left > 0


def test_a_stop_while_learning_from_demonstrations_loses_at_most_a_pass(tmp_path: Path) -> None:
    path = tmp_path / "run"
    late = Stopping(lambda p: p.stage == "imitation" and p.total == 3000 and p.steps > 1300)
    with pytest.raises(Stopped):
        train(WARM, path, seed=0, expert=Expert(), report=late)
    run = RunDirectory.open(path)
    state = run.state(run.last_checkpoint())
    assert (state.rounds_collected, state.rounds_done, state.passes_done) == (2, 1, 2)
    reports = Stopping()
    resume(path, expert=Expert(), report=reports)
    assert reports.heard[0].stage == "imitation"
    assert reports.heard[0].steps == 1200
    assert run.is_finished


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["peg-insertion", "--run-dir"], "leave peg-insertion out"),
        (["--seed", "5", "--run-dir"], "leave --seed 5 out"),
    ],
)
def test_what_a_resume_would_ignore_is_refused(
    arguments: list[str], told: str, run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--resume", *arguments, str(run.path)]) == 2
    assert told in capsys.readouterr().err
    assert main(["train", "--resume"]) == 2
    assert "--resume needs a run: name it with --run-dir, or name its preset" in capsys.readouterr().err


def test_a_preset_and_a_seed_name_the_run_to_resume(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(run.path.parent)
    (run.path.parent / "runs").mkdir()
    run.path.rename(run.path.parent / "runs" / "debug-7")
    assert main(["train", "debug", "--seed", "7", "--resume"]) == 0
    assert capsys.readouterr().out == "run written to runs/debug-7\n", "its environment has no bundles"


def test_what_comes_next_is_what_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PRESETS, "debug", dataclasses.replace(SMALL, steps=10**7))
    assert main(["train", "debug", "--minutes", "0.02", "--run-dir", str(tmp_path / "a run")]) == 0
    told = f"next: cellwright train --resume --run-dir '{tmp_path / 'a run'}'\n"
    assert capsys.readouterr().out.endswith(told)
    run = RunDirectory.open(tmp_path / "a run")
    assert not run.can_be_exported
    config = json.loads((run.path / "config.json").read_text())
    (run.path / "config.json").write_text(json.dumps(config | {"env_id": "cellwright/WeldSeam-v1"}))
    assert run.can_be_exported


def test_ctrl_c_saves_and_ends_with_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(self: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(session.TrainingSession, "_learn", interrupted)
    assert main(["train", "debug", "--run-dir", str(tmp_path / "run")]) == 130
    assert "interrupted" in capsys.readouterr().err
    assert RunDirectory.open(tmp_path / "run").last_checkpoint().is_dir()


def test_a_run_of_an_older_version_has_to_be_trained_again(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    for directory in (run.last_checkpoint(), run.best):
        (directory / "model.zip").write_bytes(b"PK")
    for command in (["evaluate", str(run.path)], ["train", "--resume", "--run-dir", str(run.path)]):
        assert main(command) == 2
        told = capsys.readouterr().err
        assert "kept pickles, which are not loaded any more; train the run again" in told
        assert told.count("\n") == 1


def test_a_policy_of_another_environment_is_refused(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    for env_id in ("cellwright/PegInsertion-v1", "cellwright/WeldSeam-v1"):
        config = json.loads((run.path / "config.json").read_text())
        (run.path / "config.json").write_text(json.dumps(config | {"env_id": env_id, "env_kwargs": {}}))
        assert main(["evaluate", str(run.path), "--episodes", "1"]) == 2
        assert f"was trained on other observations than {env_id} has now" in capsys.readouterr().err


def test_a_trainer_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "cellwright_train.cli",
        "train",
        "debug",
        "--run-dir",
        str(tmp_path / "run"),
    ]
    mark = f"CELLWRIGHT_TEST={tmp_path}".encode()
    environment = os.environ | {"CELLWRIGHT_TEST": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as training_run:
        while not (tmp_path / "run" / "metrics.csv").exists():
            assert training_run.poll() is None
            time.sleep(0.05)
        training_run.kill()
    deadline = time.monotonic() + 20
    while (left := running(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left


def running(mark: bytes) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                found.append(entry.name)
    return found


@pytest.mark.parametrize("when", ["cells are made", "the first test", "the last test"])
def test_a_run_that_was_given_weights_goes_on_from_them_wherever_it_was_stopped(
    when: str, run: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a checkpoint it went on from random weights; stopped in a test, it never made that."""
    given = load_policy_from_run(run.path).state_dict()
    begun = RunDirectory(path=tmp_path / "begun")
    place, name = (training, "make_cells") if when == "cells are made" else (session, "evaluate_in_training")
    before, calls = getattr(place, name), [None] * (when != "the last test")

    def stop(*asked: Any) -> Any:
        if calls:
            raise KeyboardInterrupt
        calls.append(None)
        return before(*asked)

    monkeypatch.setattr(place, name, stop)
    with pytest.raises(KeyboardInterrupt):
        train(WARM_UP_ONLY, begun.path, seed=2, initial_weights=given, report=silent)
    assert not begun.is_finished
    monkeypatch.setattr(place, name, before)
    resume(begun.path, report=silent)
    assert begun.is_finished
    assert torch.equal(
        begun.load_policy("last").state_dict()["action_net.weight"], given["action_net.weight"]
    )
    with (begun.path / "metrics.csv").open(newline="") as file:
        tests = [row for row in csv.DictReader(file) if row["test/success_rate"]]
    assert [row["step"] for row in tests] == ["0", "256"]
    assert float(tests[-1]["time/parts"]) > 0
    assert float(tests[-1]["time/minutes"]) > 0


def test_weights_of_another_network_are_refused(run: RunDirectory, tmp_path: Path) -> None:
    given = load_policy_from_run(run.path).state_dict()
    begun = RunDirectory.create(tmp_path / "begun", SMALL, 2, dict(list(given.items())[1:]))
    with pytest.raises(FileError, match=r"given\.safetensors policy/.* is missing"):
        resume(begun.path, report=silent)
