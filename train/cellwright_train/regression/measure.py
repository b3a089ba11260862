"""What is compared of two parts, and how much worse one of them is."""

import math
from dataclasses import dataclass
from typing import Literal

SUCCESS = "success"
"""Name of what is compared beside the measures: whether the part is good."""
_EQUAL = 1e-3
"""Fraction of the margin up to which a difference counts as none: a change in the last digits is none."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A measure of a part, and what counts as worse."""

    name: str
    unit: str
    margin: float
    """How much worse "no regression" has to exclude [unit]."""
    worse: Literal["more", "less"]
    """Which of two values is the worse one."""

    def __post_init__(self) -> None:
        if not 0 < self.margin < math.inf:
            raise ValueError(f"{self.name}: need a finite margin above 0, got {self.margin}")
        if self.worse not in ("more", "less"):
            raise ValueError(f"{self.name}: worse is 'more' or 'less', got {self.worse!r}")

    def worsening(self, baseline: float | None, candidate: float | None) -> float:
        """How much worse the candidate is [unit], 0 where the two are all but equal.

        None is a part that did not come so far as to have a value: infinitely worse where only the baseline
        has one, infinitely better where only the candidate has one, NaN where neither has. Raises ValueError
        for a value that is not finite.
        """
        for value in (baseline, candidate):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{self.name}: need a finite value or None, got {value}")
        if baseline is None:
            return math.nan if candidate is None else -math.inf
        if candidate is None:
            return math.inf
        difference = candidate - baseline if self.worse == "more" else baseline - candidate
        return difference if abs(difference) > _EQUAL * self.margin else 0.0
