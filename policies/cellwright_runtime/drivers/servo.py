"""The thread that keeps a controller's cycle; whatever takes longer than a cycle happens elsewhere."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

from cellwright_runtime.drivers.link import Clock, monotonic

LATE_S = 0.002


class ServoThread:
    """Does one step a cycle, from `start` until a step says that it was the last, or fails.

    A step reads the robot's state, which waits for the end of the cycle, decides, and sends. Inference never
    belongs into it: it takes what another thread has decided last.
    """

    def __init__(
        self,
        step: Callable[[], bool],
        stop: Callable[[], None],
        *,
        cycle_s: float,
        clock: Clock = monotonic,
    ) -> None:
        """`step` returns whether another one follows; `stop` brings the arm to rest, whatever ended it."""
        self.cycles = 0
        self.late = 0
        """Steps that ended more than 2 ms after their cycle."""
        self.worst_s = 0.0
        """The latest of them."""
        self.error: BaseException | None = None
        """What ended the thread, where that was no step."""
        self._step, self._stop, self._cycle_s = step, stop, cycle_s
        self._clock = clock
        self._ended, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="servo", daemon=True)

    def start(self) -> None:
        """Begin."""
        gc.collect()
        gc.freeze()  # what is there already is not searched for garbage in the middle of a cycle
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; returns whether it has come.

        Raises what ended the thread, once the arm was stopped.
        """
        # Not `Thread.join`: one that Ctrl-C interrupts takes a running thread for an ended one (Python 3.11).
        if not self._done.wait(timeout_s):
            return False
        gc.unfreeze()
        if self.error is not None:
            raise self.error
        return True

    def stop(self, timeout_s: float = 5.0) -> None:
        """Have the arm stopped after the present step, and wait for that; raises what ended the thread."""
        self._ended.set()
        self.join(timeout_s)

    @property
    def alive(self) -> bool:
        """Whether steps are done."""
        return self._thread.ident is not None and not self._done.is_set()

    def _run(self) -> None:
        before_s = None
        try:
            while not self._ended.is_set():
                goes_on = self._step()
                now_s = self._clock()
                if before_s is not None:
                    late_s = now_s - before_s - self._cycle_s
                    self.late += late_s > LATE_S
                    self.worst_s = max(self.worst_s, late_s)
                before_s = now_s
                self.cycles += 1
                if not goes_on:
                    return
        except BaseException as error:
            self.error = error
        finally:
            try:
                self._stop()
            finally:
                self._done.set()
