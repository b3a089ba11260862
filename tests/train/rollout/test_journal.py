"""Finished parts outlive the process that worked on them."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.cli import main
from cellwright_train.errors import Stopped
from cellwright_train.rollout import journal

PEG = "cellwright/PegInsertion-v1"
COMMAND = ["evaluate", "oracle", "--env", PEG, "--disturbances", "none", "--workers", "1"]


def evaluate(target: Path, episodes: int, *more: str) -> int:
    return main([*COMMAND, "--episodes", str(episodes), "--json", str(target), *more])


def stop_after(parts: int, monkeypatch: pytest.MonkeyPatch, why: BaseException) -> None:
    note = journal.Journal.note
    seen: list[Any] = []

    def noting(self: journal.Journal, index: int, result: Any) -> None:
        note(self, index, result)
        seen.append(result)
        if len(seen) == parts:
            raise why

    monkeypatch.setattr(journal.Journal, "note", noting)


@pytest.mark.parametrize(
    ("why", "code"), [(KeyboardInterrupt(), 130), (Stopped(signal.SIGTERM), 143), (Stopped(1), 129)]
)
def test_an_interrupted_evaluation_shows_what_it_has_and_goes_on_from_there(
    why: BaseException,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = tmp_path / "a.json"
    with monkeypatch.context() as patched:
        stop_after(2, patched, why)
        assert evaluate(target, 3) == code
    told = capsys.readouterr()
    assert "2 parts, train products" in told.out
    assert f"2 of 3 parts were finished; {target}.partial keeps them" in told.err
    assert [path.name for path in tmp_path.iterdir()] == ["a.json.partial"]
    assert evaluate(target, 3) == 0
    assert "2 of 3 parts taken from" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    assert evaluate(tmp_path / "whole.json", 3) == 0
    assert target.read_text() == (tmp_path / "whole.json").read_text()


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The journal of an evaluation that was stopped after a part."""
    with monkeypatch.context() as patched:
        stop_after(1, patched, KeyboardInterrupt())
        assert evaluate(tmp_path / "a.json", 2) == 130
    return tmp_path / "a.json.partial"


@pytest.mark.parametrize("other", [("--products", "held-out"), ("--line-change", "dim-light")])
def test_another_evaluation_does_not_touch_it(
    other: tuple[str, str], kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = kept.read_bytes()
    capsys.readouterr()
    assert evaluate(kept.with_name("a.json"), 2, *other) == 2
    told = capsys.readouterr().err
    assert "keeps 1 finished parts of another evaluation; remove it, or name another --json" in told
    assert told.count("\n") == 1
    assert kept.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda data: data + b'{"seed": 100', 0),
        (lambda data: data[:-1], 0),
        (lambda data: data + b"{}\n", 2),
        (lambda data: data + b"[" * 100_000 + b"\n", 2),
        (lambda data: b"\xff\n", 2),
    ],
    ids=["a part was cut off", "the last was cut off", "no part", "nested", "no text"],
)
def test_a_torn_line_is_repeated_and_a_damaged_journal_is_refused(
    damage: Any, code: int, kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept.write_bytes(damage(kept.read_bytes()))
    capsys.readouterr()
    target = kept.with_name("a.json")
    assert evaluate(target, 2) == code
    if code:
        assert f"{kept} cannot be read, remove it" in capsys.readouterr().err
    else:
        assert len(json.loads(target.read_text())["per_episode"]) == 2


def test_a_full_disk_ends_the_journal_and_not_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    append = journal._append

    def full_later(file: Any, entry: Any) -> None:
        if "part" in entry:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(file, entry)

    monkeypatch.setattr(journal, "_append", full_later)
    assert evaluate(tmp_path / "a.json", 1) == 0
    assert "keeps no more parts" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")
def test_a_killed_evaluation_leaves_its_finished_parts_and_no_process(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    command = [*COMMAND[:-1], "2", "--episodes", "500", "--json", str(target)]
    with subprocess.Popen(
        [sys.executable, "-m", "cellwright_train.cli", *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"CELLWRIGHT_TEST": str(tmp_path)},
    ) as running:
        partial = target.with_name("a.json.partial")
        while not partial.exists() or partial.read_bytes().count(b"\n") < 3:
            assert running.poll() is None
            time.sleep(0.05)
        running.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while (left := marked(str(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
    finished = partial.read_bytes().count(b"\n") - 1
    assert finished >= 2


def marked(mark: str) -> list[int]:
    """Processes of this test, by what stands in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"CELLWRIGHT_TEST={mark}".encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found
