"""The figures of a contender over a whole line, or as far as it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from cellwright_train.lines.changeover import Changeover, changeovers
from cellwright_train.lines.fates import Fate, has_crashed
from cellwright_train.lines.line import Line
from cellwright_train.lines.walk import Row
from cellwright_train.results import intervals
from cellwright_train.results.intervals import Estimate

_HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Account:
    """What a contender did on a line: at least one part."""

    name: str
    line: Line
    rows: Sequence[Row]

    @cached_property
    def first_pass_yield(self) -> Estimate:
        """Fraction of parts that are good without rework."""
        return _yield([row.result.good for row in self.rows])

    @cached_property
    def good_per_hour(self) -> Estimate:
        """Parts that are good without rework, in an hour on the line's clock; the interval is the yield's."""
        parts_per_hour = len(self.rows) / (self.elapsed_s / _HOUR_S)
        good = self.first_pass_yield
        return Estimate(
            value=parts_per_hour * good.value, low=parts_per_hour * good.low, high=parts_per_hour * good.high
        )

    @cached_property
    def cycle_s(self) -> Estimate:
        """Mean time that the robot works on a part."""
        return intervals.mean([row.cycle_s for row in self.rows])

    def count(self, fate: Fate) -> int:
        """Parts of this fate."""
        return sum(row.fate is fate for row in self.rows)

    @property
    def crashes(self) -> int:
        """Parts at which the robot collided or pressed too hard."""
        return sum(has_crashed(row.result) for row in self.rows)

    @property
    def elapsed_s(self) -> float:
        """Time on the line's clock."""
        return self.rows[-1].end_s

    @property
    def stopped_s(self) -> float:
        """Time for which the line stood still."""
        return sum(row.stopped_s for row in self.rows)

    @property
    def rework_s(self) -> float:
        """Time that people rework parts, beside the line."""
        return sum(row.part.rework_s for row in self.rows if row.fate is Fate.REWORK)

    @property
    def availability(self) -> float:
        """Fraction of the time for which the line did not stand still."""
        return 1.0 - self.stopped_s / self.elapsed_s

    @property
    def performance(self) -> float | None:
        """Time that the parts should take over the time that they took; None where a part has no ideal."""
        ideal_s = [
            row.part.handling_s + row.part.ideal_cycle_s
            for row in self.rows
            if row.part.ideal_cycle_s is not None
        ]
        if len(ideal_s) < len(self.rows):
            return None
        return sum(ideal_s) / sum(row.working_s for row in self.rows)

    @property
    def quality(self) -> float:
        """Fraction of parts that are good without rework."""
        return self.first_pass_yield.value

    @property
    def oee(self) -> float | None:
        """Overall equipment effectiveness: availability times performance times quality."""
        performance = self.performance
        return None if performance is None else self.availability * performance * self.quality

    @cached_property
    def changeovers(self) -> list[Changeover]:
        """What each change cost."""
        return changeovers(self.line, self.rows)

    @property
    def lost_parts(self) -> float | None:
        """Good parts lost to all changes of which it is known; None where there is none."""
        return _sum([each.lost_parts for each in self.changeovers])

    @property
    def lost_s(self) -> float | None:
        """Time lost to all changes of which it is known; None where there is none."""
        return _sum([each.lost_s for each in self.changeovers])

    def as_json(self) -> dict[str, Any]:
        """Every figure by name."""
        return {
            "parts": len(self.rows),
            "first_pass_yield": asdict(self.first_pass_yield),
            "good_per_hour": asdict(self.good_per_hour),
            "cycle_time_s": asdict(self.cycle_s),
            "rework": self.count(Fate.REWORK),
            "rework_s": self.rework_s,
            "scrap": self.count(Fate.SCRAP),
            "crashes": self.crashes,
            "elapsed_s": self.elapsed_s,
            "stopped_s": self.stopped_s,
            "availability": self.availability,
            "performance": self.performance,
            "quality": self.quality,
            "oee": self.oee,
            "batches": self._batches(),
            "changeover": {
                "lost_parts": self.lost_parts,
                "lost_s": self.lost_s,
                "per_change": [_changeover_json(each) for each in self.changeovers],
            },
            "per_part": [_row_json(row) for row in self.rows],
        }

    def _batches(self) -> list[dict[str, Any]]:
        """Yield of each batch that was begun."""
        found: dict[int, list[bool]] = {}
        for row in self.rows:
            found.setdefault(row.part.batch, []).append(row.result.good)
        return [
            {"batch": number + 1, "parts": len(good), "first_pass_yield": asdict(_yield(good))}
            for number, good in found.items()
        ]


def _yield(good: Sequence[bool]) -> Estimate:
    return intervals.proportion(sum(good), len(good))


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _changeover_json(changeover: Changeover) -> dict[str, Any]:
    entry = asdict(changeover)
    event = changeover.event
    del entry["event"]
    return {"part": event.index + 1, "cell": event.cell, "change": event.name, **entry}


def _row_json(row: Row) -> dict[str, Any]:
    return {
        "id": row.part.id,
        "fate": row.fate,
        "begin_s": row.begin_s,
        "end_s": row.end_s,
        "stops_s": dict(row.work.stops_s),
        "changes": [change.description for change in row.work.episode.changes],
        "result": row.result.as_json(),
    }
