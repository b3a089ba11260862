"""How a policy recovers from a change of the line while it goes on learning."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from cellwright_runtime.files.reading import read_file

RECOVERED = 0.9
"""Fraction of the yield before the change at which the policy is back."""
_MOST_BYTES = 1 << 28


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A test of the policy on the way."""

    steps: int
    """Control steps of learning before it."""
    parts: int
    """Parts that ended in them."""
    seconds: float
    """Since learning began, tests included."""
    after: float
    """Fraction of good parts under what the line is now."""
    before: float
    """The same under what it was before the change."""


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """The tests of a policy, of which the first comes before it has learned anything."""

    moments: tuple[Moment, ...]

    def __post_init__(self) -> None:
        if not self.moments or self.moments[0].steps != 0:
            raise ValueError("a recovery begins with a test before the first step")

    @classmethod
    def read(cls, metrics: Path) -> Self:
        """From the metrics of a run that adapted."""
        rows = csv.DictReader(io.StringIO(read_file(metrics, most_bytes=_MOST_BYTES).decode(), newline=""))
        tests = [row for row in rows if row.get("test/success_rate_after")]
        began_s = 60.0 * float(tests[0]["time/minutes"] or 0.0) if tests else 0.0
        return cls(
            moments=tuple(
                Moment(
                    steps=int(row["step"]),
                    parts=int(float(row["time/parts"] or 0)),
                    seconds=60.0 * float(row["time/minutes"] or 0.0) - began_s,
                    after=float(row["test/success_rate_after"]),
                    before=float(row["test/success_rate_before"]),
                )
                for row in tests
            )
        )

    @property
    def back(self) -> Moment | None:
        """The first test with `RECOVERED` of the yield before the change; None for never.

        Where no part was good before, there is nothing to come back to.
        """
        if self.moments[0].before == 0.0:
            return None
        wanted = RECOVERED * self.moments[0].before
        return next((moment for moment in self.moments if moment.after >= wanted - 1e-9), None)

    @property
    def area(self) -> float | None:
        """Mean over the steps of the yield after the change, as a fraction of that before, 1 at most.

        By the trapezoidal rule between tests; None where no part was good before the change.
        """
        whole, last = self.moments[0].before, self.moments[-1]
        if whole == 0.0:
            return None
        heights = [min(1.0, moment.after / whole) for moment in self.moments]
        if last.steps == 0:
            return heights[0]
        pairs = zip(self.moments, self.moments[1:], heights, heights[1:], strict=False)
        return sum((b.steps - a.steps) * (low + high) / 2 for a, b, low, high in pairs) / last.steps

    def as_json(self) -> dict[str, Any]:
        """The tests, when the policy was back, and the area under the curve."""
        return {
            "moments": [asdict(moment) for moment in self.moments],
            "back": None if self.back is None else asdict(self.back),
            "area": self.area,
        }


def kept(old: Sequence[bool], new: Sequence[bool]) -> float | None:
    """Good parts of the new policy over those of the old one, on the same parts; None without any."""
    return sum(new) / sum(old) if any(old) else None


def told(recovery: Recovery, yields: Mapping[str, tuple[int, int]]) -> list[tuple[str, str]]:
    """Names and values of what an adaptation came to, for a table."""
    rows = [(name, f"{good} of {parts}") for name, (good, parts) in yields.items()]
    back = recovery.back
    when = (
        "not within these parts"
        if back is None
        else (
            "never lost"
            if back.steps == 0
            else f"after {back.parts} parts, {back.steps} steps, {back.seconds:.0f} s"
        )
    )
    rows.append((f"back at {RECOVERED:g} of the yield before", when))
    if recovery.area is not None:
        rows.append(("mean of yield after over before, while learning", f"{recovery.area:.2f}"))
    return rows
