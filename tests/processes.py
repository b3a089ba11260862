"""Programs in processes of their own: clients that nobody here wrote, and controllers that they speak to."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LOOP = """
import os as _os, sys as _sys
_out = _os.fdopen(_os.dup(1), "w")
_os.dup2(2, 1)  # what a client prints is no answer
_room = {}
for _line in _sys.stdin:
    _kind, _text = eval(_line)
    try:
        if _kind == "do":
            exec(_text, _room)
            _answer = (True, None)
        else:
            _answer = (True, eval(_text, _room))
    except BaseException as _error:
        _answer = (False, f"{type(_error).__name__}: {_error}")
    print(repr(_answer), file=_out, flush=True)
"""


class ProgramError(Exception):
    """What a program raised."""


class Process:
    """A Python process that does what it is told, line by line."""

    def __init__(self, first: str = "", *, directory: Path | None = None) -> None:
        """Do `first` at once, in `directory`, else in an empty one that goes with the process.

        Clients leave files where they run.
        """
        root = Path(__file__).parents[1]
        roots = [root / name for name in ("envs", "policies", "perception", "sim_assets", "train", "")]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, roots))}
        self._own = tempfile.TemporaryDirectory() if directory is None else None
        self._process = subprocess.Popen(
            [sys.executable, "-c", _LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=directory if self._own is None else self._own.name,
            env=environment,
        )
        if first:
            self.do(first)

    def do(self, code: str) -> None:
        """Run statements; raises ProgramError with what they raised."""
        self._told("do", code)

    def ask(self, expression: str) -> Any:
        """The value of an expression that is a literal."""
        return self._told("ask", expression)

    def close(self) -> None:
        """End it, as a crash does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        if self._own is not None:
            self._own.cleanup()

    def send(self, code: str) -> None:
        """Begin statements without waiting for them."""
        assert self._process.stdin is not None
        self._process.stdin.write(repr(("do", code)) + "\n")
        self._process.stdin.flush()

    def _told(self, kind: str, text: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(repr((kind, text)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise ProgramError("the process has ended")
        fine, answer = ast.literal_eval(line)
        if not fine:
            raise ProgramError(answer)
        return answer


def until(done: Callable[[], Any], seconds: float = 20.0) -> None:
    """Wait for `done` to be true; fails where that takes longer."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.005)
