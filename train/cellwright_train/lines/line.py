"""A line, part by part: what each meets under any policy, and what changed before it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec

from cellwright_envs.conditions import conditions_hash
from cellwright_runtime.files.places import Place
from cellwright_runtime.files.strict_toml import WrongValueError, converted
from cellwright_train.errors import UsageError
from cellwright_train.lines.cells import cell_id
from cellwright_train.lines.file import LineFile, Wear
from cellwright_train.lines.station import Happening, Station
from cellwright_train.lines.strict import TomlText
from cellwright_train.rollout.cell import Episode

_MOST_PARTS = 10**4


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of a line."""

    id: str
    """Line, number, cell, product and seed."""
    index: int
    """Parts of the line before it."""
    batch: int
    """Batches of the line before its own."""
    cell: str
    """Task of its cell."""
    episode: Episode
    """What it meets under a policy that nobody teaches."""
    handling_s: float
    rework_s: float
    ideal_cycle_s: float | None


@dataclass(frozen=True, kw_only=True)
class Event:
    """All that changed in a cell right before one of its parts."""

    index: int
    """Of that part in the line."""
    cell: str
    happenings: tuple[Happening, ...]

    @property
    def name(self) -> str:
        """The names."""
        return ", ".join(each.name for each in self.happenings)

    @property
    def description(self) -> str:
        """The sentences."""
        return " ".join(each.description for each in self.happenings)

    @property
    def announced(self) -> bool:
        """Whether people know of all of it."""
        return all(each.announced for each in self.happenings)

    @property
    def is_taught(self) -> bool:
        """Whether people know of something in it that teaching undoes."""
        return any(each.announced and each.teachable for each in self.happenings)

    @property
    def replacing_s(self) -> float:
        """Time for which the line stands still while equipment is replaced."""
        return sum((each.replacing_s for each in self.happenings), 0.0)


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line that was read, part by part."""

    file: LineFile
    text: str
    """Of the file."""
    cells: Mapping[str, str]
    """Id of each cell by its task, in the order in which they come."""
    parts: tuple[Part, ...]
    events: tuple[Event, ...]

    @classmethod
    def of(cls, toml: TomlText) -> Line:
        """The line of a file; raises `UsageError` with the file's line, the key and what would be right."""
        try:
            return expanded(converted(toml.content, LineFile), toml.text)
        except WrongValueError as error:
            raise toml.refusal(error) from error

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits, the same where files say the same."""
        return conditions_hash(line=msgspec.to_builtins(self.file))


def expanded(file: LineFile, text: str) -> Line:
    """The line that `file` says, where `text` is that of the file; raises `WrongValueError`."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", file.name):
        raise WrongValueError(("name",), f"must be lower-case words joined by '-', got {file.name!r}")
    if (count := sum(batch.parts for batch in file.batch)) > _MOST_PARTS:
        raise WrongValueError(
            ("batch",), f"all together have {count} parts; at most {_MOST_PARTS} are allowed"
        )
    stations = _stations(file)
    parts: list[Part] = []
    events: list[Event] = []
    for number in range(len(file.batch)):
        _work_off(file, number, stations, parts, events)
    cells = {part.cell: stations[part.cell].env_id for part in parts}
    return Line(file=file, text=text, cells=cells, parts=tuple(parts), events=tuple(events))


def _stations(file: LineFile) -> dict[str, Station]:
    """The cells of a line by their task, each with its equipment that wears."""
    named: dict[str, Place] = {}
    for number, batch in enumerate(file.batch):
        named.setdefault(*_cell_of(file, batch.cell, ("batch", number)))
    equipment: dict[str, list[tuple[Wear, Place]]] = {name: [] for name in named}
    for number, wear in enumerate(file.wear):
        name, place = _cell_of(file, wear.cell, ("wear", number))
        if name not in named:
            told = f"no batch is made in {name!r}, only in {', '.join(named)}"
            raise WrongValueError(place, told)
        if any(wear.name == other.name for other, _ in equipment[name]):
            raise WrongValueError(("wear", number, "name"), f"{wear.name!r} is there already in {name}")
        equipment[name].append((wear, ("wear", number)))
    return {name: Station(_env_id(name, place), equipment[name]) for name, place in named.items()}


def _cell_of(file: LineFile, own: str | None, place: Place) -> tuple[str, Place]:
    """The cell of a batch or of equipment, and where it is named."""
    return (file.cell, ("cell",)) if own is None else (own, (*place, "cell"))


def _env_id(name: str, place: Place) -> str:
    try:
        return cell_id(name)
    except UsageError as error:
        raise WrongValueError(place, str(error)) from error


def _work_off(
    file: LineFile, number: int, stations: Mapping[str, Station], parts: list[Part], events: list[Event]
) -> None:
    """Add the parts of batch `number` to `parts`, and what changes before them to `events`."""
    batch, place = file.batch[number], ("batch", number)
    name = batch.cell or file.cell
    station = stations[name]
    for index, change in enumerate(batch.change):
        if change.after >= batch.parts:
            told = f"must be less than the {batch.parts} parts of the batch, got {change.after}"
            raise WrongValueError((*place, "change", index, "after"), told)
    station.begin(
        batch,
        batch.disturbances or file.disturbances,
        place,
        (*place, "disturbances") if batch.disturbances else ("disturbances",),
    )
    for offset in range(batch.parts):
        for index, change in enumerate(batch.change):
            if change.after == offset:
                station.change(change, (*place, "change", index))
        if happenings := station.happened():
            events.append(Event(index=len(parts), cell=name, happenings=happenings))
        episode = station.next_part(file.seed + len(parts), offset)
        parts.append(
            Part(
                id=f"{file.name}/{len(parts) + 1}/{name}/{episode.product}/{episode.seed}",
                index=len(parts),
                batch=number,
                cell=name,
                episode=episode,
                handling_s=file.handling_s if batch.handling_s is None else batch.handling_s,
                rework_s=file.rework_s if batch.rework_s is None else batch.rework_s,
                ideal_cycle_s=batch.ideal_cycle_s or file.ideal_cycle_s,
            )
        )
