"""What a run writes beside its checkpoints: the table of its metrics."""

from __future__ import annotations

import csv
import io
import os
from pathlib import Path
from typing import Any

from stable_baselines3.common.logger import KVWriter

from cellwright_runtime.files.reading import read_file
from cellwright_train.errors import UsageError, one_line

_MOST_BYTES = 1 << 28


class MetricsFile(KVWriter):
    """A CSV with one row per update; a resumed run goes on in the file, a new metric gets a new column."""

    def __init__(self, path: Path, rows: int | None = None) -> None:
        """Go on after `rows` of the file: what came after the checkpoint comes again. None: after all.

        Raises `UsageError` where the file is no such table.
        """
        self._path = path
        self._columns: list[str] = []
        self.rows = 0
        if not path.exists():
            return
        try:
            text = read_file(path, most_bytes=_MOST_BYTES).decode()
            table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
        except (ValueError, csv.Error) as error:
            raise UsageError(f"{path} cannot be read, move it away: {one_line(error)}") from error
        self._columns = table[0] if table else []
        kept = table[1:] if rows is None else table[1 : 1 + rows]
        self.rows = len(kept)
        if len(kept) < len(table) - 1 or not text.endswith("\n"):
            self._rewrite(kept)

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        """Append a row; called by Stable-Baselines3's logger."""
        row = {"step": step} | {key: f"{value:.6g}" for key, value in key_values.items()}
        new = [column for column in row if column not in self._columns]
        if new:
            self._widen(new)
        with self._path.open("ab", buffering=0) as file:
            length = file.tell()
            line = _csv([[row.get(column, "") for column in self._columns]])
            try:
                if file.write(line) != len(line):
                    raise OSError(0, "no space left", str(self._path))
            except OSError:
                file.truncate(length)
                raise
        self.rows += 1

    def close(self) -> None:
        """Nothing is kept open."""

    def _widen(self, new: list[str]) -> None:
        rows: list[list[str]] = []
        if self._path.exists():
            with self._path.open(newline="") as file:
                rows = list(csv.reader(file))[1:]
        self._columns += new
        self._rewrite([[*row, *[""] * len(new)] for row in rows])

    def _rewrite(self, rows: list[list[str]]) -> None:
        write_beside(self._path, _csv([self._columns, *rows]))


def _csv(rows: list[list[Any]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def write_beside(path: Path, data: bytes) -> None:
    """Write a file beside its place and move it there."""
    beside = path.with_name(f".{path.name}.tmp")
    try:
        beside.write_bytes(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
