"""Hides lines that a library prints to the process's streams directly, below Python's own."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator

_STREAMS = (1, 2)


@contextlib.contextmanager
def without_lines(start: str) -> Iterator[None]:
    """Drop lines that begin with `start` from standard output and error; what else is written is passed on.

    PyBullet prints a build line on import, which would come before a command's JSON or table.
    """
    with contextlib.ExitStack() as stack:
        for number in _STREAMS:
            stack.enter_context(_filtered(number, start.encode()))
        yield


@contextlib.contextmanager
def _filtered(number: int, start: bytes) -> Iterator[None]:
    """The same for one file descriptor; one that is closed, or cannot be held back, is left alone."""
    try:
        kept, held = os.dup(number), tempfile.TemporaryFile()  # noqa: SIM115 (closed below)
    except OSError:
        yield
        return
    with os.fdopen(kept, "wb"), held:
        _flush()
        os.dup2(held.fileno(), number)
        try:
            yield
        finally:
            _flush()
            os.dup2(kept, number)
            held.seek(0)
            passed = b"".join(line for line in held if not line.startswith(start))
            with contextlib.suppress(OSError):
                os.write(number, passed)


def _flush() -> None:
    """Empty the buffers of Python and of the C library, so that nothing comes out at the wrong time."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()
    with contextlib.suppress(OSError, TypeError, AttributeError):
        ctypes.CDLL(None).fflush(None)
