"""How many threads a gradient step should use on a machine that may be doing something else too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch

_FIRST_PAUSE = 16
_LONGEST_PAUSE = 512


class StepThreads:
    """Runs each gradient step on one thread or on `most`, whichever was faster when last compared.

    Two threads on two idle cores are up to 1.5 times as fast as one. When another process takes one of the
    cores, threads wait for each other and the same step takes several times as long. So the other choice is
    tried now and then, less and less often while it loses. Sums then differ in their last bits from run to
    run: `adaptive=False` always takes `most`.
    """

    def __init__(self, most: int, *, adaptive: bool) -> None:
        self.threads = most
        """What the next step uses, unless it is a trial."""
        self._other = 1 if adaptive else most
        self._pause = self._steps_to_trial = _FIRST_PAUSE

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Run one gradient step."""
        trial = self._other != self.threads and self._steps_to_trial == 0
        torch.set_num_threads(self._other if trial else self.threads)
        started_s = time.perf_counter()
        yield
        self.record(time.perf_counter() - started_s, trial=trial)

    def record(self, took_s: float, *, trial: bool) -> None:
        """Record the time of a step, and choose the threads of the next one."""
        if not trial:
            self._usual_s = took_s
            self._steps_to_trial = max(0, self._steps_to_trial - 1)
        elif took_s < self._usual_s:
            self.threads, self._other = self._other, self.threads
            self._pause = self._steps_to_trial = _FIRST_PAUSE
        else:
            self._pause = self._steps_to_trial = min(2 * self._pause, _LONGEST_PAUSE)

    _usual_s = float("inf")
