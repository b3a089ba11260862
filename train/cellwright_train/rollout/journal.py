"""Finished parts of an evaluation, kept on disk while it goes on."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cellwright_envs.conditions import conditions_hash
from cellwright_train.errors import UsageError, one_line
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import Episode
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.trial import Trial

_SUFFIX = ".partial"
_MOST_BYTES = 1 << 28


class Journal:
    """`FILE.partial` beside the `FILE` of the results: a line that says what was asked for, one per part.

    It outlives the process, however that ends. The same work, of any length, begins with what it holds;
    another is refused, so that nothing is lost or mixed up. Two processes cannot share one.
    """

    def __init__(
        self,
        results: Path | None,
        asked: Mapping[str, Any],
        parts: Sequence[tuple[str, type[EpisodeResult]]] = (),
    ) -> None:
        """Open the journal of `results`, none where they go to no regular file.

        `asked` is what decides the results, as JSON; `parts` are a unique key and the kind of result of each
        part that is known at the beginning.
        """
        self.finished: dict[int, EpisodeResult] = {}
        """Results that were there already, by index in `parts`."""
        self.path: Path | None = None
        self._parts = parts
        self._found: Mapping[str, Any] = {}
        self._rows = 0
        self._file: io.FileIO | None = None
        if results is None or (results.exists() and not results.is_file()):
            return
        self.path = results.with_name(results.name + _SUFFIX)
        try:
            self._file = self.path.open("a+b", buffering=0)
            self._read(self._file, asked)
        except OSError as error:
            self._close()
            raise UsageError(f"{self.path} cannot be written: {error.strerror}") from error
        except BaseException:
            self._close()
            raise

    @classmethod
    def of_trial(cls, results: Path | None, trial: Trial, setting: Mapping[str, str]) -> Self:
        """That of one trial, whose cell and products `setting` names."""
        asked = {**trial.identity, "policy": trial.policy.name, "env": trial.cell.env, **setting}
        kind = family_of(trial.cell.env).result
        return cls(results, asked, [(part_key(episode), kind) for episode in trial.plan])

    def note(self, index: int, result: EpisodeResult) -> None:
        """Keep the result of part `index`. A full disk ends the journal, not the work."""
        self.keep(self._parts[index][0], result)

    def keep(self, key: str, result: EpisodeResult) -> None:
        """The same for a part that was not known at the beginning."""
        if self._file is None:
            return
        try:
            _append(self._file, {"part": key, "result": result.as_json()})
            self._rows += 1
        except OSError as error:
            print(f"{self.path} keeps no more parts: {error.strerror}", file=sys.stderr)
            self._close()

    def kept(self, key: str, kind: type[EpisodeResult]) -> EpisodeResult | None:
        """The result of a part that was there already, of this kind; None where it was not."""
        try:
            return kind.from_json(self._found[key]) if key in self._found else None
        except (ValueError, KeyError, TypeError) as error:
            raise self._damaged(error) from error

    @property
    def rows(self) -> int:
        """How many parts it keeps."""
        return self._rows

    def _damaged(self, error: Exception) -> UsageError:
        return UsageError(f"{self.path} cannot be read, remove it: {one_line(error)}")

    def discard(self) -> None:
        """Remove it: the results are where they belong."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.path is not None and not self._rows:
            self.path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _read(self, file: io.FileIO, asked: Mapping[str, Any]) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{self.path} is being written by another evaluation") from None
        file.seek(0)
        lines = file.read(_MOST_BYTES).split(b"\n")
        whole = lines[:-1]  # the last is empty, or was cut off in the middle
        self._rows = max(0, len(whole) - 1)
        file.truncate(sum(len(line) + 1 for line in whole))
        if not whole:
            _append(file, asked)
            return
        try:
            if json.loads(whole[0]) != asked:
                raise UsageError(
                    f"{self.path} keeps {self._rows} finished parts of another evaluation; "
                    "remove it, or name another --json"
                )
            rows = [json.loads(line) for line in whole[1:]]
            self._found = {row["part"]: row["result"] for row in rows}
        except UsageError:
            raise
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._damaged(error) from error
        results = ((index, self.kept(key, kind)) for index, (key, kind) in enumerate(self._parts))
        self.finished = {index: result for index, result in results if result is not None}


def _append(file: io.FileIO, entry: Mapping[str, Any]) -> None:
    data = json.dumps(entry).encode() + b"\n"
    length = file.seek(0, io.SEEK_END)
    if file.write(data) != len(data):
        file.truncate(length)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def part_key(episode: Episode) -> str:
    """What tells a part from all others of its cell."""
    return conditions_hash(**episode._asdict())
