"""Compiled functions with numba: where the code is kept, and what is reported while it is made.

Code is kept on disk, beside the package or in a directory of the user's, so that it is compiled once per
installation. Where no such directory can be written, each process compiles for itself. That something is
compiled is reported in the log, which is standard error where nobody set it up, again every few seconds.
"""

from __future__ import annotations

import logging
import math
import multiprocessing
import time
from collections.abc import Callable
from typing import Any

from numba import njit, types
from numba.core.caching import FunctionCache
from numba.core.event import Event, Listener, register
from numba.extending import intrinsic, overload, register_jitable

ABOUT_S = 30
"""What all of one environment's functions take to compile [s], on one core of a server of 2023."""
SAY_EVERY_S = 5.0
_PACKAGES = "cellwright_"
_log = logging.getLogger(__name__)


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile `function` at its first call and keep the code on disk where that is possible."""
    dispatcher: Any = njit(**options)(function)
    try:
        dispatcher._cache = _Kept(function)  # type: ignore[no-untyped-call]  # as `cache=True` does
    except (RuntimeError, OSError):  # no directory can be written
        _compilations.kept = False
    return dispatcher


def compilable(function: Callable[..., Any]) -> Any:
    """Let compiled functions call `function`."""
    return register_jitable(function)


def compile_as(function: Callable[..., Any], one_by_one: Callable[..., Any], *, inline: bool) -> None:
    """Have compiled functions that call `function` call `one_by_one` instead, or contain it."""
    overload(function, strict=False, inline="always" if inline else "never")(lambda *types: one_by_one)


@intrinsic
def select(context: Any, condition: Any, yes: Any, no: Any) -> Any:
    """One instruction that takes `yes` where `condition` holds, else `no`: a branch would end vector code."""
    both = context.unify_types(yes, no)
    return both(types.boolean, both, both), lambda _, builder, signature, values: builder.select(*values)


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
        self._depth = 0
        self._begin_s = 0.0
        self._spent_s = 0.0
        self._said_s = -math.inf
        """Seconds spent at the last line in the log."""

    def on_start(self, event: Event) -> None:
        function = event.data["dispatcher"].py_func
        if not self._depth:
            if not str(function.__module__).startswith(_PACKAGES):  # None for code from `exec`
                return
            self._begin_s = time.perf_counter()
            self._say()
        self._depth += 1

    def on_end(self, event: Event) -> None:
        if not self._depth:
            return
        self._depth -= 1
        if not self._depth:
            self._spent_s += time.perf_counter() - self._begin_s
            self._say()

    def _say(self) -> None:
        if self._spent_s < self._said_s + SAY_EVERY_S or not _speaks():
            return
        if self._said_s >= 0.0:
            _log.warning("compiling: %.0f s so far", self._spent_s)
        elif self.kept:
            _log.warning("compiling, once per installation: about %d s", ABOUT_S)
        else:
            _log.warning(
                "compiling, about %d s in each process, since no directory for the code can be written; "
                "NUMBA_CACHE_DIR names one",
                ABOUT_S,
            )
        self._said_s = self._spent_s


def _speaks() -> bool:
    """Whether this process says it for all: of workers, which all compile the same, the first."""
    return multiprocessing.parent_process() is None or multiprocessing.current_process().name.endswith("-1")


_compilations = _Compilations()
register("numba:compile", _compilations)  # type: ignore[no-untyped-call]
