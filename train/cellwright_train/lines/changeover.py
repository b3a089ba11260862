"""What a change costs: good parts and time until the line runs again as it did before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cellwright_train.lines.line import Event, Line
from cellwright_train.lines.walk import Row
from cellwright_train.results import intervals
from cellwright_train.results.intervals import Estimate

BACK_AT = 0.95
"""Fraction of the steady yield at which the line is back."""
_ROUNDING = 1e-9
"""The lower limit of no good part at all is 0 to rounding only."""
LEAST_STEADY = 5
"""Parts from which a steady yield is told (assumption)."""


@dataclass(frozen=True, kw_only=True)
class Changeover:
    """What one change cost a contender; None where too few parts came before the first change to tell."""

    event: Event
    parts: int
    """Of the cell, from the change to the next one or to the end."""
    stopped_s: float
    """Time for which the line stood still because of it."""
    steady: Estimate | None = None
    """Yield of the cell before its first change."""
    parts_until_back: int | None = None
    """Parts before the first from which on the line is back; None too where it did not come back."""
    until_back_s: float | None = None
    """Time on the line's clock until then, with stops, and with other cells' parts in between."""
    lost_parts: float | None = None
    """Good parts that are missing until then, or until the next change."""
    lost_s: float | None = None
    """Stops, and the time in which the missing parts would be made at the steady pace."""

    @property
    def is_back(self) -> bool:
        """Whether the line came back to its steady yield."""
        return self.parts_until_back is not None


def parts_until_back(good: Sequence[bool], steady: Estimate) -> int:
    """Parts before the first from which on no running yield is below `BACK_AT` of the steady one.

    A running yield is the fraction of good parts from there up to any later part. Because few parts prove
    little, the lower limit of the steady yield is what counts. It is the moment at which the sum of
    `BACK_AT * steady.low` less the good parts is largest (a CUSUM, Page 1954): as long as it grows, parts are
    missing. Where the line does not come back, it is the number of all parts.
    """
    most, lost, back = 0.0, 0.0, 0
    for number, each in enumerate(good, start=1):
        lost += BACK_AT * steady.low - each
        if lost > most + _ROUNDING:
            most, back = lost, number
    return back


def changeovers(line: Line, rows: Sequence[Row]) -> list[Changeover]:
    """What each change cost, in the order of the line."""
    found: list[Changeover] = []
    for cell in line.cells:
        events = [event for event in line.events if event.cell == cell and event.index < len(rows)]
        made = [row for row in rows if row.part.cell == cell]
        begins = [*(event.index for event in events), len(rows)]
        before = [row for row in made if row.part.index < begins[0]]
        for event, end in zip(events, begins[1:], strict=True):
            after = [row for row in made if event.index <= row.part.index < end]
            found.append(_changeover(event, before, after))
    return sorted(found, key=lambda each: each.event.index)


def _changeover(event: Event, before: Sequence[Row], after: Sequence[Row]) -> Changeover:
    if len(before) < LEAST_STEADY:
        return Changeover(event=event, parts=len(after), stopped_s=after[0].stopped_s)
    good = sum(row.result.good for row in before)
    steady = intervals.proportion(good, len(before))
    until = parts_until_back([row.result.good for row in after], steady)
    is_back = until < len(after)
    missing = steady.value * until - sum(row.result.good for row in after[:until])
    stopped_s = sum(row.stopped_s for row in after[: until + 1])
    pace_s = sum(row.working_s for row in before) / good if good else 0.0
    return Changeover(
        event=event,
        parts=len(after),
        stopped_s=stopped_s,
        steady=steady,
        parts_until_back=until if is_back else None,
        until_back_s=after[until].begin_s - (after[0].begin_s - after[0].stopped_s) if is_back else None,
        lost_parts=missing,
        lost_s=stopped_s + missing * pace_s,
    )
