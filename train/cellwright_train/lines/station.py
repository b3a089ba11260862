"""A cell of a line while its parts go by: what has changed in it, and how much its equipment is worn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellwright_envs.disturbances.line_change import LineChange, Operation
from cellwright_envs.disturbances.named_sets import resolve_named
from cellwright_runtime.files.places import Place
from cellwright_runtime.files.strict_toml import WrongValueError
from cellwright_train.errors import UsageError, one_line, unknown
from cellwright_train.lines.cells import belongs_elsewhere, products
from cellwright_train.lines.file import Batch, Change, Wear
from cellwright_train.lines.operations import applied, operations, worn_by
from cellwright_train.lines.teaching import is_teachable
from cellwright_train.rollout.cell import Episode
from cellwright_train.rollout.families import cell_class


@dataclass(frozen=True, kw_only=True)
class Happening:
    """One thing that changed."""

    name: str
    description: str
    """One sentence."""
    announced: bool
    """Whether people at the line know of it."""
    teachable: bool = False
    """Whether it changed something that teaching undoes."""
    replacing_s: float = 0.0
    """Time for which the line stands still for it."""


@dataclass
class _Worn:
    """Equipment that wears."""

    wear: Wear
    law: Mapping[str, Operation]
    place: Place
    parts: int
    """That it has done."""

    @property
    def change(self) -> LineChange:
        """What it has become."""
        return LineChange(
            description=f"{self.wear.name} after {self.parts} parts", changes=worn_by(self.parts, self.law)
        )


class Station:
    """A cell of a line, at the part that comes next."""

    def __init__(self, env_id: str, equipment: Sequence[tuple[Wear, Place]]) -> None:
        self.env_id = env_id
        self._cell = cell_class(env_id)
        self._worn = [_Worn(wear, _law(wear, place), place, wear.used_parts) for wear, place in equipment]
        self._active: dict[str, tuple[LineChange, Place]] = {}
        self._happened: list[Happening] = []
        self._products: tuple[str, ...] = ()
        self._choice = self._set = ""
        self._made = 0

    def begin(self, batch: Batch, disturbances: str, place: Place, set_place: Place) -> None:
        """Go over to `batch`, which stands at `place`, under the set `disturbances`, named at `set_place`."""
        for index, name in enumerate(batch.replace):
            self._replace(name, (*place, "replace", index))
        try:
            self._products = products(batch.product, self.env_id)
        except UsageError as error:
            raise WrongValueError((*place, "product"), str(error)) from error
        try:
            resolve_named(disturbances, self._cell.disturbance_sets)
        except ValueError as error:
            raise WrongValueError(set_place, one_line(error)) from error
        if self._made and batch.product != self._choice:
            name = batch.product if len(self._products) == 1 else "other products"
            self._happen(name, f"The line goes on with {batch.product}.", announced=True)
        if self._made and disturbances != self._set:
            self._happen(f"disturbances {disturbances}", f"The disturbances are now those of {disturbances}.")
        self._choice, self._set = batch.product, disturbances

    def change(self, change: Change, place: Place) -> None:
        """Have `change`, which stands at `place`, happen before the next part."""
        chosen = [key for key in ("line_change", "set", "undo") if getattr(change, key)]
        if len(chosen) != 1:
            raise WrongValueError(place, "needs one of the keys line_change, set and undo")
        if change.undo:
            self._undo(change, place)
            return
        made, at = self._made_of(change, place)
        name = change.name or change.line_change or ""
        if name in self._active:
            raise WrongValueError(at, f"{name!r} is in force already; undo it first, or give this one a name")
        self._active[name] = made, at
        self._happen(name, made.description, made.changes, announced=change.announced)

    def next_part(self, seed: int, number: int) -> Episode:
        """The part that comes next, which is part `number` of its batch; what it meets is checked."""
        worn = [(each.change, (*each.place, "set")) for each in self._worn if each.parts]
        changes = [*self._active.values(), *worn]
        disturbances: Any = resolve_named(self._set, self._cell.disturbance_sets)
        for change, place in changes:
            disturbances = applied(self._cell, disturbances, change, place)
        for each in self._worn:
            each.parts += 1
        self._made += 1
        return Episode(
            seed=seed,
            product=self._products[number % len(self._products)],
            changes=tuple(change for change, _ in changes),
            disturbances=self._set,
        )

    def happened(self) -> tuple[Happening, ...]:
        """What has changed since this was asked last."""
        happened, self._happened = tuple(self._happened), []
        return happened

    def _happen(
        self,
        name: str,
        description: str,
        fields: Mapping[str, Operation] | None = None,
        *,
        announced: bool = False,
        replacing_s: float = 0.0,
    ) -> None:
        self._happened.append(
            Happening(
                name=name,
                description=description,
                announced=announced,
                teachable=any(map(is_teachable, fields or ())),
                replacing_s=replacing_s,
            )
        )

    def _made_of(self, change: Change, place: Place) -> tuple[LineChange, Place]:
        """The change itself, and where it stands."""
        if change.line_change:
            if change.description:
                raise WrongValueError((*place, "description"), "belongs to set; a line_change has its own")
            at = (*place, "line_change")
            return _of_catalogue(self._cell, change.line_change, at), at
        if not change.name or not change.description:
            raise WrongValueError(place, "needs a name and a description beside set")
        at = (*place, "set")
        return LineChange(description=change.description, changes=operations(change.set, at)), at

    def _undo(self, change: Change, place: Place) -> None:
        name = change.undo or ""
        if change.name or change.description:
            raise WrongValueError(place, "undo takes neither name nor description")
        if name not in self._active:
            active = self._active or ("nothing",)
            raise WrongValueError((*place, "undo"), str(unknown("change in force", name, active)))
        undone, _ = self._active.pop(name)
        self._happen(
            f"{name} undone", f"Undone: {undone.description}", undone.changes, announced=change.announced
        )

    def _replace(self, name: str, place: Place) -> None:
        known = {each.wear.name: each for each in self._worn}
        if name not in known:
            raise WrongValueError(place, str(unknown("equipment that wears here", name, known or ("none",))))
        each = known[name]
        each.parts = 0
        told = f"Replaced: {name}."
        self._happen(f"new {name}", told, each.law, announced=True, replacing_s=each.wear.replacing_s)


def _law(wear: Wear, place: Place) -> Mapping[str, Operation]:
    law = operations(wear.set, (*place, "set"))
    for name, operation in law.items():
        if operation.how == "to":
            raise WrongValueError(
                (*place, "set", name), "is a law of wear, which takes times or plus, not to"
            )
    return law


def _of_catalogue(cell: Any, name: str, place: Place) -> LineChange:
    changes: Mapping[str, LineChange] = cell.line_changes
    if name in changes:
        return changes[name]
    elsewhere = belongs_elsewhere(cell, lambda other: name in other.line_changes, repr(name))
    raise WrongValueError(place, elsewhere or str(unknown("line change", name, changes)))
