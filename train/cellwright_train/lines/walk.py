"""A contender on its way through a line: what it may work on now, when the line stops, and what is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cellwright_envs.disturbances.line_change import LineChange
from cellwright_train.lines.contenders import Contender, is_taught
from cellwright_train.lines.fates import Fate, fate_of
from cellwright_train.lines.line import Line, Part
from cellwright_train.lines.teaching import teaching
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import Episode

RETEACHING, REPLACING = "re-teaching", "replacing"
"""Reasons for which a line stops."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """A part as a contender meets it."""

    part: Part
    episode: Episode
    """What it meets, what people taught included."""
    stops_s: Mapping[str, float]
    """Time for which the line stands still right before it, by reason."""
    taught: bool
    """Whether people taught right before it because of a change that they know."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A part that a contender has done."""

    work: Work
    result: EpisodeResult
    begin_s: float
    """Time on the line's clock at which the part is loaded."""

    @property
    def part(self) -> Part:
        """The part."""
        return self.work.part

    @property
    def fate(self) -> Fate:
        """What became of it."""
        return fate_of(self.result)

    @property
    def cycle_s(self) -> float:
        """Time that the robot worked on it."""
        cycle_s: float = self.result.cycle_time_s  # type: ignore[attr-defined]
        return cycle_s

    @property
    def working_s(self) -> float:
        """Handling and cycle."""
        return self.part.handling_s + self.cycle_s

    @property
    def stopped_s(self) -> float:
        """Stops right before it."""
        return sum(self.work.stops_s.values(), 0.0)

    @property
    def end_s(self) -> float:
        """Time on the line's clock at which it is done."""
        return self.begin_s + self.working_s


@dataclass
class _Watch:
    """Inspection of a cell whose controller people teach."""

    every: int
    bad_in_a_row: int
    made: int = 0
    bad: int = 0
    """Inspected parts in a row that were not good."""
    armed: bool = True
    """Whether the line will be stopped again: not before something was good after it was stopped."""

    def begin_anew(self) -> None:
        """Forget what was inspected, because the controller was taught."""
        self.bad, self.armed = 0, True

    def parts_before_a_stop(self) -> int:
        """How many parts can be made for certain before people can stop the line."""
        inspections = self.bad_in_a_row - (self.bad if self.armed else 0)
        return inspections * self.every - self.made % self.every

    def notices(self, good: bool) -> bool:
        """Count a part; whether people now stop the line."""
        self.made += 1
        if self.made % self.every:
            return False
        self.armed = self.armed or good
        self.bad = 0 if good else self.bad + self.armed
        if self.bad < self.bad_in_a_row:
            return False
        self.bad, self.armed = 0, False
        return True


@dataclass
class Walk:
    """How far a contender has come on a line.

    `ahead` gives parts that do not depend on each other, `settle` takes their results. What is met depends
    on the line and on results in its order alone.
    """

    line: Line
    contender: Contender
    rows: list[Row] = field(default_factory=list)
    _teachings: dict[str, LineChange | None] = field(default_factory=dict)
    """What the controller of each cell was taught last."""
    _owed_s: dict[str, float] = field(default_factory=dict)
    """Time for which people teach before the next part of a cell."""
    _pending: list[Work] = field(default_factory=list)

    def __post_init__(self) -> None:
        rule = self.line.file
        self._watches = {
            cell: _Watch(rule.inspected_every, rule.bad_in_a_row)
            for cell, policy in self.contender.policies.items()
            if is_taught(policy)
        }
        self._events = {(event.index, event.cell): event for event in self.line.events}

    def ahead(self) -> list[Work]:
        """The next parts, up to the first after which people may stop the line; none at the end."""
        left = {cell: watch.parts_before_a_stop() for cell, watch in self._watches.items()}
        self._pending = []
        for part in self.line.parts[len(self.rows) :]:
            self._pending.append(self._met(part))
            if part.cell in left:
                left[part.cell] -= 1
                if not left[part.cell]:
                    break
        return self._pending

    def settle(self, results: Sequence[EpisodeResult]) -> None:
        """Take the results of the parts `ahead`, or of the first of them."""
        for work, result in zip(self._pending, results, strict=False):
            clock_s = self.rows[-1].end_s if self.rows else 0.0
            row = Row(work=work, result=result, begin_s=clock_s + sum(work.stops_s.values()))
            self.rows.append(row)
            self._inspect(row)

    def _met(self, part: Part) -> Work:
        """A part after what people know to have changed before it; they teach then."""
        event = self._events.get((part.index, part.cell))
        stops_s: dict[str, float] = {}
        if event is not None and event.replacing_s:
            stops_s[REPLACING] = event.replacing_s
        taught = event is not None and event.is_taught and part.cell in self._watches
        if taught:
            self._teachings[part.cell] = teaching(self.line.cells[part.cell], part.episode)
        if owed_s := self._owed_s.pop(part.cell, self.line.file.reteaching_s if taught else 0.0):
            stops_s[RETEACHING] = owed_s
        learnt = self._teachings.get(part.cell)
        episode = part.episode
        if learnt is not None:
            episode = episode._replace(changes=(*episode.changes, learnt))
        return Work(part=part, episode=episode, stops_s=stops_s, taught=taught)

    def _inspect(self, row: Row) -> None:
        watch = self._watches.get(row.part.cell)
        if watch is None:
            return
        if row.work.taught:
            watch.begin_anew()
        if watch.notices(row.result.good):
            cell = row.part.cell
            self._teachings[cell] = teaching(self.line.cells[cell], row.part.episode)
            self._owed_s[cell] = self.line.file.reteaching_s
