"""One change of a line: the parts before it and the parts after it."""

from __future__ import annotations

from dataclasses import dataclass

from cellwright_train.errors import UsageError
from cellwright_train.learning.line_conditions import PartConditions
from cellwright_train.lines.line import Event, Line


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """A cell of a line from the change before one up to the change after it."""

    event: Event
    before: tuple[PartConditions, ...]
    """What the parts from the last change, or the beginning, up to this one meet, each once."""
    after: tuple[PartConditions, ...]
    """The same from this change up to the next, or the end."""


def stretch(line: Line, env_id: str, number: int | None) -> Stretch:
    """Change `number` of the cell `env_id`, from 1; None is the last.

    Raises `UsageError` where the line does not have the cell, or the cell not so many changes.
    """
    cell = next((task for task, each in line.cells.items() if each == env_id), None)
    if cell is None:
        raise UsageError(f"the line {line.file.name} has {', '.join(line.cells.values())}, and no {env_id}")
    events = [event for event in line.events if event.cell == cell]
    if not events:
        raise UsageError(
            f"nothing changes in the cell {cell} of {line.file.name}, so there is nothing to adapt to"
        )
    if number is not None and not 1 <= number <= len(events):
        raise UsageError(
            f"--change must be 1 to {len(events)}, the changes of {cell} in {line.file.name}, got {number}"
        )
    place = len(events) - 1 if number is None else number - 1
    edges = [0, *(event.index for event in events), len(line.parts)]
    first, here, last = edges[place : place + 3]

    def conditions(begin: int, end: int) -> tuple[PartConditions, ...]:
        met = (part.episode for part in line.parts[begin:end] if part.cell == cell)
        each = (PartConditions.of(episode.product, episode.disturbances, episode.changes) for episode in met)
        return tuple(dict.fromkeys(each))

    if not (before := conditions(first, here)):
        raise UsageError(f"no part is made in {cell} before change {place + 1} of {line.file.name}")
    return Stretch(event=events[place], before=before, after=conditions(here, last))
