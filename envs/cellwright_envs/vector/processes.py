"""Worker processes that end with the process that started them, however that ends."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection

_ENDING = (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)
CONTEXT = multiprocessing.get_context("spawn")
"""A forked child would inherit the locks of torch's and numba's threads."""
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


def end_with_parent(lifeline: Connection) -> None:
    """Have this process killed as soon as the one that holds the other end of `lifeline` is gone.

    Nothing is ever sent through `lifeline`: it closes when its holder ends, even by a signal that cannot be
    caught, and a thread that waits for that works on every system. Linux's own signal for it (`prctl`) comes
    too early: already when the thread ends that started the process.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM,))
    threading.Thread(target=_watch, args=(lifeline,), daemon=True, name="lifeline").start()


@contextlib.contextmanager
def plain_child_environment() -> Iterator[None]:
    """Start a process that neither imports the caller's `__main__` nor does arithmetic on many threads.

    Signals that a terminal sends to a whole group do not reach it, not even while it starts: the parent
    decides what becomes of it. The parent itself gets them, and SIGTERM, when the process has all that it
    needs: one that was started by half would print a traceback.
    """
    resource_tracker.ensure_running()  # which would unblock the signals again
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    main = sys.modules["__main__"]
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    sys.modules["__main__"] = types.ModuleType("__main__")
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _watch(lifeline: Connection) -> None:
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv_bytes()
    os._exit(1)  # at once: what stands on the stack may be a step of minutes
