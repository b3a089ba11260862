"""Compiled functions: how every package compiles what runs at each step, and where the code is kept.

Code is kept on disk, beside the package or in a directory of the user's, so that it is compiled once per
installation. Where no such directory can be written, each process compiles for itself. What is compiled is
said in the log, once a process; a command may show it as progress (`when_compiling`).
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import Any, Literal, TypeVar

from numba import njit
from numba.core.caching import FunctionCache
from numba.core.event import Event, Listener, register
from numba.extending import register_jitable

Result = TypeVar("Result")

ABOUT_S = 20
"""What all of one environment's functions take to compile [s], on one core of a server of 2023."""
_PACKAGES = "cellwright_"
_log = logging.getLogger(__name__)


def compiled(function: Callable[..., Result]) -> Callable[..., Result]:
    """Compile `function` at its first call and keep the code on disk where that is possible."""
    return _compiled(function)


def compiled_as(
    *, error_model: Literal["python", "numpy"] = "python", inline: Literal["never", "always"] = "never"
) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Like `compiled`, with what numba calls by these names."""
    return functools.partial(_compiled, error_model=error_model, inline=inline)


def compilable(function: Callable[..., Result]) -> Callable[..., Result]:
    """Let compiled functions call `function`, which stays a Python function for everyone else."""
    return register_jitable(function)


def compilable_inline(function: Callable[..., Result]) -> Callable[..., Result]:
    """The same, copied into every caller: for a few lines that run at each pixel."""
    return register_jitable(inline="always")(function)


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    dispatcher: Any = njit(**options)(function)
    try:
        dispatcher._cache = _Kept(function)  # type: ignore[no-untyped-call]  # as `cache=True` does
    except (RuntimeError, OSError):  # no directory can be written
        _compilations.kept = False
    return dispatcher


def when_compiling(tell: Callable[[str, float], None] | None) -> None:
    """Have `tell(name, seconds spent compiling so far)` called before and after each function is compiled.

    It stands in for the line in the log; None says nothing at all, as in a worker beside others.
    """
    _compilations.tell = tell or (lambda name, spent_s: None)


class _Kept(FunctionCache):
    """Numba's code on disk, of which a directory that became full or read-only only costs the keeping."""

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]
        except OSError as error:
            _log.warning("compiled code cannot be kept (%s); NUMBA_CACHE_DIR names another directory", error)
            self.disable()  # type: ignore[no-untyped-call]


class _Compilations(Listener):
    """What numba compiles in this process; one function's compilation contains those that it calls."""

    def __init__(self) -> None:
        self.kept = True
        self.tell: Callable[[str, float], None] = self._log_once
        self._depth = 0
        self._begin_s = 0.0
        self._spent_s = 0.0
        self._told = False

    def on_start(self, event: Event) -> None:
        function = event.data["dispatcher"].py_func
        if not self._depth:
            if not function.__module__.startswith(_PACKAGES):
                return
            self._begin_s = time.perf_counter()
            self.tell(function.__name__, self._spent_s)
        self._depth += 1

    def on_end(self, event: Event) -> None:
        if not self._depth:
            return
        self._depth -= 1
        if not self._depth:
            self._spent_s += time.perf_counter() - self._begin_s
            self.tell(event.data["dispatcher"].py_func.__name__, self._spent_s)

    def _log_once(self, name: str, spent_s: float) -> None:
        if self._told:
            return
        self._told = True
        if self.kept:
            _log.warning("compiling, once per installation: about %d s", ABOUT_S)
        else:
            _log.warning(
                "compiling, about %d s in each process, since no directory for the code can be written; "
                "NUMBA_CACHE_DIR names one",
                ABOUT_S,
            )


_compilations = _Compilations()
register("numba:compile", _compilations)  # type: ignore[no-untyped-call]
