"""How many threads a gradient step should use on a machine that may be doing something else too."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import torch

_TRIAL_EVERY = 16
_MEMORY = 0.7


class StepThreads:
    """Runs each gradient step on one thread or on `most`, whichever has been faster lately.

    Two threads on two idle cores are up to 1.5 times as fast as one. When another process takes one of the
    cores, threads wait for each other and the same step takes several times as long, so both are tried again
    every 16 steps. Sums then differ in their last bits from run to run: `adaptive=False` always takes `most`.
    """

    def __init__(self, most: int, *, adaptive: bool) -> None:
        self._choices = (most, 1) if adaptive and most > 1 else (most,)
        self._seconds = dict.fromkeys(self._choices, 0.0)
        self._steps = 0

    @contextlib.contextmanager
    def step(self) -> Iterator[None]:
        """Run one gradient step."""
        trial = self._steps % _TRIAL_EVERY
        choice = self._choices[trial] if trial < len(self._choices) else min(self._seconds, key=self._of)
        self._steps += 1
        torch.set_num_threads(choice)
        started_s = time.perf_counter()
        yield
        took_s = time.perf_counter() - started_s
        before_s = self._seconds[choice]
        self._seconds[choice] = took_s if before_s == 0 else _MEMORY * before_s + (1 - _MEMORY) * took_s

    def _of(self, choice: int) -> float:
        return self._seconds[choice]
