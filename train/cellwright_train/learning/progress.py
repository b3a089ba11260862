"""Progress of a run and the time that is left."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType

from tqdm import tqdm


@dataclass(frozen=True, kw_only=True)
class Progress:
    """One report of a running training."""

    stage: str
    """"demonstrations", "imitation" (learning from them), "critic" (warm-up) or "ppo"."""
    steps: int
    """Control steps done in the present part; of imitation, samples learnt from."""
    total: int
    """Those of the present part."""
    steps_per_s: float
    """Over the last minutes, updates included."""
    seconds_left: float
    """Of the whole run, or until the time limit if that comes first; infinite while it is not known."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    """What is worth showing."""


Reporter = Callable[[Progress], None]


class RecentRate:
    """Steps a second over the last updates: what counts for the time to finish, whatever came before."""

    def __init__(self, window: int = 20) -> None:
        self._marks: deque[tuple[float, int]] = deque(maxlen=window)
        self.last = 0.0
        """The rate when it was last known, 0 before; it outlives `pause`."""

    def pause(self) -> None:
        """Leave out the time until the next mark: something else is done meanwhile."""
        self._marks.clear()

    def mark(self, steps: int, now_s: float | None = None) -> float:
        """Note that `steps` are done, and return the rate; 0 until there are two marks."""
        self._marks.append((time.monotonic() if now_s is None else now_s, steps))
        (first_s, first), (last_s, last) = self._marks[0], self._marks[-1]
        self.last = (last - first) / (last_s - first_s) if last_s > first_s else self.last
        return self.last


class Rates:
    """How fast each kind of work went when it was last done."""

    def __init__(self) -> None:
        self.collecting = RecentRate()
        self.imitation = RecentRate()
        self.ppo = RecentRate()

    def left_s(self, collecting: int, imitation: int, ppo: int, ppo_epochs: int) -> float:
        """Seconds for so many steps to collect, samples to learn and steps of PPO; infinite where unknown.

        Until PPO's own rate is known, a step of it is taken for a step of a demonstration and as many samples
        of imitation as it has epochs.
        """
        step_s, sample_s, ppo_s = (
            1 / rate.last if rate.last > 0 else math.inf
            for rate in (self.collecting, self.imitation, self.ppo)
        )
        if not math.isfinite(ppo_s):
            ppo_s = step_s + ppo_epochs * sample_s
        work = ((collecting, step_s), (imitation, sample_s), (ppo, ppo_s))
        return sum(count * each_s for count, each_s in work if count > 0)


class ProgressBar:
    """Shows reports on one line of the terminal."""

    def __init__(self) -> None:
        self._bar: tqdm[None] | None = None
        self._stage = ""

    def __call__(self, progress: Progress) -> None:
        """Show `progress`; a new part gets a new line."""
        part = "demonstrations" if progress.stage in ("demonstrations", "imitation") else "ppo"
        if self._bar is None or part != self._stage:
            self.close()
            self._bar = tqdm(bar_format="{percentage:3.0f}%|{bar:24}| {desc}")
            self._stage = part
        shown = "  ".join(f"{name} {value:.3g}" for name, value in progress.metrics.items())
        done = f"{progress.steps:,}/{progress.total:,}"
        unit = "samples" if progress.stage == "imitation" else "steps"
        left = f"{progress.steps_per_s:,.0f} {unit}/s  {_clock(progress.seconds_left)} left"
        self._bar.set_description_str(f"{progress.stage}  {done}  {left}  {shown}", refresh=False)
        self._bar.total = progress.total
        self._bar.n = min(progress.steps, progress.total)
        self._bar.refresh()

    def close(self) -> None:
        """Leave the line as it is."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _clock(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "--:--"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


class Clock:
    """Wall-clock time of a run, over all the times it was resumed, and its limit for this time."""

    def __init__(self, minutes: float | None) -> None:
        self._started_s = time.monotonic()
        self._limit_s = math.inf if minutes is None else 60.0 * minutes
        self.spent_before_s = 0.0

    def spent_s(self) -> float:
        """Return how long the run has taken altogether."""
        return self.spent_before_s + time.monotonic() - self._started_s

    def left_s(self) -> float:
        """Return how long it may still take this time."""
        return max(0.0, self._limit_s - (time.monotonic() - self._started_s))

    def is_over(self) -> bool:
        """Say whether it should stop."""
        return self.left_s() == 0.0
