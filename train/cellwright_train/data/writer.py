"""A dataset that is whole after every episode, however the process ends."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path, PurePath
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from cellwright_train.data import lerobot_v3 as lerobot
from cellwright_train.data.episode import EpisodeLayout, RecordedEpisode
from cellwright_train.data.exchange import exchange
from cellwright_train.data.reader import Dataset, Row
from cellwright_train.data.statistics import Statistics, pooled
from cellwright_train.errors import UsageError

_SUFFIX = ".partial"
_NEXT, _PROBE = "next", "probe"


class DatasetWriter:
    """Adds episodes to the dataset in a directory, which at every moment holds exactly the finished ones.

    The files of a dataset count each other, so they have to change together. The next dataset, with one more
    episode, is made in `DIRECTORY.partial/next`, where unchanged files are hard links; once it is on the
    disk, the two directories are exchanged in one step. A process that is killed leaves `DIRECTORY.partial`
    behind, which the next one clears away. Two processes cannot share it.
    """

    def __init__(self, directory: Path, layout: EpisodeLayout) -> None:
        """Begin a dataset, or go on with one; raises `UsageError` where the directory cannot hold it."""
        self.directory = directory
        self._place = directory.resolve()
        self._layout = layout
        self.rows: list[Row] = []
        """The episodes that it holds."""
        self._tasks: list[str] = []
        self._statistics: dict[str, Statistics] = {}
        if self._place.is_mount() or (self._place.exists() and not self._place.is_dir()):
            raise UsageError(f"{directory} is no directory that can be replaced; name a new one")
        self._scratch = self._place.with_name(self._place.name + _SUFFIX)
        self._next = self._scratch / _NEXT
        try:
            self._lock = _locked(self._scratch)
        except OSError as error:
            raise self._refusal(error) from error
        try:
            self._open()
        except BaseException:
            self._clear()
            raise

    def add(self, episode: RecordedEpisode) -> None:
        """Add an episode; once this returns, nothing but a broken disk can lose it.

        Raises `UsageError` where it cannot be written; the episodes before stay.
        """
        number, first_frame = len(self.rows), sum(row.length for row in self.rows)
        tasks = list(dict.fromkeys([*self._tasks, episode.task]))
        views = {view: episode.images[:, index] for index, view in enumerate(self._layout.views)}
        numbers = lerobot.columns(
            episode,
            self._layout.rate_hz,
            number=number,
            first_frame=first_frame,
            task=tasks.index(episode.task),
        )
        found = lerobot.episode_statistics(views, numbers)
        pool = {name: pooled(self._statistics[name], new) if number else new for name, new in found.items()}
        row = Row(length=len(episode), first_frame=first_frame, task=episode.task, facts=episode.facts)
        totals = lerobot.info(
            self._layout, episodes=number + 1, frames=first_frame + len(episode), tasks=len(tasks)
        )
        try:
            own = (
                self._write(lerobot.data_path(number), lerobot.data_table(views, numbers)),
                self._write(
                    lerobot.episode_path(number),
                    lerobot.episode_table(episode, found, number=number, first_frame=first_frame),
                ),
            )
            self._write(lerobot.TASKS, lerobot.tasks_table(tasks))
            self._write(lerobot.STATS, _plain(pool))
            self._write(lerobot.INFO, totals)
            self._publish(own)
        except OSError as error:
            raise self._refusal(error) from error
        self.rows.append(row)
        self._tasks, self._statistics = tasks, pool

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clear()

    def _open(self) -> None:
        """Read what is there, and lay it out for the next episode."""
        if self._place.is_dir() and any(self._place.iterdir()):
            there = Dataset.open(self._place, self._layout)
            self.rows, self._tasks = list(there.rows), list(there.tasks)
            self._statistics = dict(there.statistics)
        try:
            self._next.mkdir()
            (probe := self._scratch / _PROBE).mkdir()
            exchange(probe, self._next)  # so that a disk that cannot do this is told before the work
            probe.rmdir()
            if self.rows:
                shutil.copytree(self._place, self._next, copy_function=os.link, dirs_exist_ok=True)
        except OSError as error:
            raise self._refusal(error) from error

    def _write(self, name: PurePath, content: pa.Table | Mapping[str, Any]) -> PurePath:
        """A file of the next dataset, in place of the link to one of the dataset before."""
        path = self._next / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            if isinstance(content, pa.Table):
                pq.write_table(content, file, compression="snappy")
            else:
                file.write((json.dumps(content, indent=4, allow_nan=False) + "\n").encode())
            file.flush()
            os.fsync(file.fileno())
        return name

    def _publish(self, new: tuple[PurePath, ...]) -> None:
        """Exchange the datasets, then link the `new` files into the one that comes next."""
        for directory in {parent for name in (*new, lerobot.INFO) for parent in name.parents}:
            _sync(self._next / directory)
        if self.rows:
            exchange(self._next, self._place)
        else:
            self._next.rename(self._place)
            self._next.mkdir()
        _sync(self._place.parent)
        for name in new:
            (self._next / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(self._place / name, self._next / name)

    def _refusal(self, error: OSError) -> UsageError:
        kept = f"; its {len(self.rows)} finished episodes are kept" if self.rows else ""
        return UsageError(f"{self.directory} cannot be written: {error.strerror or error}{kept}")

    def _clear(self) -> None:
        shutil.rmtree(self._scratch, ignore_errors=True)
        os.close(self._lock)


def _locked(directory: Path) -> int:
    """Descriptor of a directory that is empty and that this process alone uses.

    Raises `UsageError` where another recording uses it, or where it holds what no recording left there.
    """
    directory.mkdir(exist_ok=True)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if foreign := set(os.listdir(directory)) - {_NEXT, _PROBE}:
            raise UsageError(f"{directory} is in the way: it holds {min(foreign)}")
        for name in (_NEXT, _PROBE):
            shutil.rmtree(directory / name, ignore_errors=True)
    except BlockingIOError:
        os.close(descriptor)
        raise UsageError(f"{directory} is in use by another recording") from None
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _sync(directory: Path) -> None:
    """Have the names in a directory outlast a loss of power."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _plain(statistics: Mapping[str, Statistics]) -> dict[str, Any]:
    return {
        column: {name: value.tolist() for name, value in values.items()}
        for column, values in statistics.items()
    }
