"""A dataset holds exactly its finished episodes at every moment, whatever becomes of the process."""

import errno
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_train.data import writer
from cellwright_train.data.episode import EpisodeLayout, RecordedEpisode
from cellwright_train.data.reader import Dataset
from cellwright_train.data.writer import DatasetWriter
from cellwright_train.errors import UsageError

Make = Callable[[int], RecordedEpisode]
EPISODES = 3
CHANGES = {"open", "os.mkdir", "os.remove", "os.rename", "os.link", "os.rmdir"}
"""What Python tells before it asks the system for it; also opening a file to read it."""


def content(directory: Path) -> dict[str, bytes]:
    """Every file, by its path in the directory; none where there is no directory."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def add(directory: Path, layout: EpisodeLayout, episodes: Iterator[RecordedEpisode]) -> None:
    with DatasetWriter(directory, layout) as dataset:
        for episode in episodes:
            dataset.add(episode)


@pytest.fixture(scope="module")
def right(
    tmp_path_factory: pytest.TempPathFactory, layout: EpisodeLayout, episode: Make
) -> list[dict[str, bytes]]:
    """Content of the undisturbed dataset after each number of episodes, from none on."""
    place = tmp_path_factory.mktemp("right") / "data"
    contents: list[dict[str, bytes]] = [{}]
    with DatasetWriter(place, layout) as dataset:
        for number in range(EPISODES):
            dataset.add(episode(number))
            assert len(Dataset.open(place, layout).rows) == number + 1
            contents.append(content(place))
    return contents


def in_a_child(work: Callable[[], None]) -> int:
    """Do `work` in a process of its own, which never returns from here; its number."""
    child = os.fork()
    if child:
        return child
    try:
        work()
    finally:
        os._exit(0)


def finished(place: Path, right: list[dict[str, bytes]]) -> int:
    """Number of finished episodes: every byte is that of the undisturbed dataset with as many."""
    return right.index(content(place))


def killed_before(change: int, place: Path, work: Callable[[], None]) -> bool:
    """Do `work` in another process, which is killed before it changes names of files for the time given;
    whether it got so far."""
    left = change

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in CHANGES and str(arguments[0]).startswith(str(place)):
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched() -> None:
        sys.addaudithook(watch)
        work()

    return os.WIFSIGNALED(os.waitpid(in_a_child(watched), 0)[1])


@pytest.mark.slow
def test_after_a_kill_between_any_two_changes_there_are_exactly_the_finished_episodes(
    layout: EpisodeLayout,
    episode: Make,
    right: list[dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # a kill does not ask what is on the disk
    place = tmp_path / "data"
    counts: list[int] = []
    while killed_before(len(counts) + 1, place, lambda: add(place, layout, map(episode, range(2)))):
        counts.append(finished(place, right))
        if len(counts) % 5 == 0:
            add(place, layout, map(episode, range(counts[-1], EPISODES)))
            assert list(tmp_path.iterdir()) == [place]
            assert content(place) == right[EPISODES]
        for left in tmp_path.iterdir():
            shutil.rmtree(left)
    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2}
    assert len(counts) > 50


def test_after_a_kill_at_any_moment_every_episode_that_was_finished_is_there(
    layout: EpisodeLayout, episode: Make, right: list[dict[str, bytes]], tmp_path: Path
) -> None:
    place = tmp_path / "data"
    reading, writing = os.pipe()

    def record() -> None:
        with DatasetWriter(place, layout) as dataset:
            for number in range(len(dataset.rows), EPISODES):
                dataset.add(episode(number))
                os.write(writing, b".")

    begin_s = time.monotonic()
    os.waitpid(in_a_child(record), 0)
    takes_s, rng = time.monotonic() - begin_s, random.Random(0)
    assert os.read(reading, 100) == b"." * EPISODES
    for _ in range(8):
        if finished(place, right) == EPISODES:
            shutil.rmtree(place)
        before = finished(place, right)
        child = in_a_child(record)
        time.sleep(rng.uniform(0.0, takes_s))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.write(writing, b".")  # so that there is something to read
        told = before + len(os.read(reading, 100)) - 1
        assert finished(place, right) in (told, told + 1)  # it may die before it can tell
    os.close(reading)
    os.close(writing)


def test_a_dataset_goes_on_where_it_stopped(
    layout: EpisodeLayout, episode: Make, right: list[dict[str, bytes]], tmp_path: Path
) -> None:
    place = tmp_path / "data"
    place.mkdir()  # an empty directory is as good as none
    add(place, layout, map(episode, range(1)))
    (place / "README.md").write_text("mine")
    add(place, layout, map(episode, range(1, EPISODES)))
    assert (place / "README.md").read_text() == "mine"
    assert content(place) == right[EPISODES] | {"README.md": b"mine"}


def test_an_episode_is_read_as_it_was_written(layout: EpisodeLayout, episode: Make, tmp_path: Path) -> None:
    add(tmp_path / "data", layout, map(episode, range(EPISODES)))
    dataset = Dataset.open(tmp_path / "data", layout)
    assert dataset.tasks == ("fit the peg 0", "fit the peg 1")
    for number in range(EPISODES):
        read, written = dataset.episode(number), episode(number)
        for name, values in vars(written).items():
            np.testing.assert_array_equal(getattr(read, name), values)
            assert getattr(read, name).dtype == values.dtype if isinstance(values, np.ndarray) else True


def test_what_is_there_is_not_overwritten(layout: EpisodeLayout, episode: Make, tmp_path: Path) -> None:
    (mine := tmp_path / "mine").mkdir()
    (mine / "a.txt").write_text("keep me")
    (tmp_path / "file").write_text("keep me")
    (tmp_path / "other.partial").mkdir()
    (tmp_path / "other.partial" / "a.txt").write_text("keep me")
    for name, told in (
        ("mine", "info.json"),
        ("file", "is no directory"),
        ("other", "in the way: it holds a.txt"),
        ("no/where", "cannot be written: No such file"),
    ):
        with pytest.raises(UsageError, match=told) as refusal:
            DatasetWriter(tmp_path / name, layout)
        assert "\n" not in str(refusal.value)
    kept = {"mine/a.txt", "file", "other.partial/a.txt"}
    assert content(tmp_path) == dict.fromkeys(sorted(kept), b"keep me")


def test_two_recordings_do_not_share_a_dataset(layout: EpisodeLayout, episode: Make, tmp_path: Path) -> None:
    with DatasetWriter(tmp_path / "data", layout) as dataset:
        with pytest.raises(UsageError, match="in use by another recording"):
            DatasetWriter(tmp_path / "data", layout)
        dataset.add(episode(0))
    assert len(Dataset.open(tmp_path / "data", layout).rows) == 1


def test_a_full_disk_costs_no_episode_that_was_finished(
    layout: EpisodeLayout,
    episode: Make,
    right: list[dict[str, bytes]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with DatasetWriter(tmp_path / "data", layout) as dataset:
        dataset.add(episode(0))
        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UsageError, match="No space left on device; its 1 finished episodes are kept"):
            dataset.add(episode(1))
    assert content(tmp_path / "data") == right[1]
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_disk_that_cannot_exchange_directories_is_refused_before_the_work(
    layout: EpisodeLayout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(one: Path, other: Path) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(other))

    monkeypatch.setattr(writer, "exchange", refuse)
    with pytest.raises(UsageError, match="data cannot be written: Invalid argument"):
        DatasetWriter(tmp_path / "data", layout)
    assert not list(tmp_path.iterdir())


def test_every_file_is_on_the_disk_before_it_counts(
    layout: EpisodeLayout, episode: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loss of power cannot be tried here, so the order of the calls is looked at."""
    calls: list[str] = []
    fsync, swap = os.fsync, writer.exchange

    def syncing(descriptor: int) -> None:
        calls.append(os.path.relpath(os.readlink(f"/proc/self/fd/{descriptor}"), tmp_path))
        fsync(descriptor)

    def swapping(one: Path, other: Path) -> None:
        calls.append("exchange")
        swap(one, other)

    with DatasetWriter(tmp_path / "data", layout) as dataset:
        dataset.add(episode(0))
        monkeypatch.setattr(os, "fsync", syncing)
        monkeypatch.setattr(writer, "exchange", swapping)
        dataset.add(episode(1))
    before, after = calls[: calls.index("exchange")], calls[calls.index("exchange") + 1 :]
    made = "data.partial/next"
    assert {name for name in before if name.endswith((".parquet", ".json"))} == {
        f"{made}/{name}"
        for name in (
            *("data/chunk-000/file-001.parquet", "meta/episodes/chunk-000/file-001.parquet"),
            *("meta/tasks.parquet", "meta/stats.json", "meta/info.json"),
        )
    }
    directories = {made, f"{made}/meta", f"{made}/data/chunk-000", f"{made}/meta/episodes/chunk-000"}
    assert directories <= set(before)
    assert after == ["."]


@pytest.mark.parametrize(
    "name",
    [
        *("meta/info.json", "meta/stats.json", "meta/tasks.parquet"),
        *("meta/episodes/chunk-000/file-001.parquet", "data/chunk-000/file-001.parquet"),
    ],
)
@pytest.mark.parametrize("damage", ["cut off", "another's", "gone"])
def test_a_damaged_file_gets_one_line(
    name: str, damage: str, layout: EpisodeLayout, episode: Make, tmp_path: Path
) -> None:
    add(tmp_path / "data", layout, map(episode, range(2)))
    path = tmp_path / "data" / name
    if damage == "cut off":
        path.write_bytes(path.read_bytes()[:-9])
    elif damage == "gone":
        path.unlink()
    else:
        add(tmp_path / "other", layout, map(episode, (1, 0, 2)))
        path.write_bytes((tmp_path / "other" / name).read_bytes())
    with pytest.raises(UsageError, match=r"cannot be read|is no data of such episodes") as refusal:
        Dataset.open(tmp_path / "data", layout).episode(1)
    assert "\n" not in str(refusal.value)
