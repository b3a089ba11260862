"""Keys from the terminal, also through ssh."""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from types import TracebackType
from typing import Self

from cellwright_train.errors import UsageError

_MOST_BYTES = 1024


class TerminalKeys:
    """The keyboard of the terminal that a command runs in, which shows nothing of it meanwhile."""

    def __init__(self) -> None:
        """Raises `UsageError` where standard input is no terminal."""
        if sys.stdin is None or not sys.stdin.isatty():
            raise UsageError("keys come from a terminal, and standard input is none")
        self._file = sys.stdin.fileno()
        self._due_s = 0.0

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        termios.tcsetattr(self._file, termios.TCSAFLUSH, self._before)

    def wait(self) -> None:
        """Return once a key is pressed."""
        termios.tcflush(self._file, termios.TCIFLUSH)
        os.read(self._file, _MOST_BYTES)
        self._due_s = time.monotonic()

    def pressed(self, period_s: float) -> str:
        """The keys since the last call, `period_s` after it."""
        self._due_s = max(self._due_s + period_s, time.monotonic())
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        if not select.select([self._file], [], [], 0)[0]:
            return ""
        return os.read(self._file, _MOST_BYTES).decode(errors="replace")
