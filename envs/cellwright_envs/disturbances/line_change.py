"""Lasting changes of the line, as data: which fields of a set of disturbances change, and how.

A family's catalogue holds its changes by name: `welding/disturbances/line_changes.py`,
`assembly/disturbances/line_changes.py`.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Disturbances = TypeVar("Disturbances", bound="DataclassInstance")
Value = float | tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Operation on one field that holds a number or a tuple of numbers."""

    how: Literal["times", "plus", "to"]
    value: Value
    """A tuple acts number by number; one number multiplies every number of a tuple."""

    def on(self, present: Value) -> Value:
        """Return the field's value after the change; raises ValueError where it does not fit `present`."""
        if isinstance(present, tuple):
            return tuple(self._number(*pair) for pair in zip(present, self._for_each(present), strict=True))
        if isinstance(self.value, tuple):
            raise ValueError(f"it is one number, {present}, and not {self.value}")
        return self._number(present, self.value)

    def _for_each(self, present: tuple[float, ...]) -> tuple[float, ...]:
        if not isinstance(self.value, tuple) and self.how == "times":
            return (self.value,) * len(present)
        if not isinstance(self.value, tuple) or len(self.value) != len(present):
            raise ValueError(f"it is {len(present)} numbers, {present}, and not {self.value}")
        return self.value

    def _number(self, present: float, value: float) -> float:
        changed = {"times": present * value, "plus": present + value, "to": value}[self.how]
        if not math.isfinite(changed):
            raise ValueError(f"{self.how} {value} makes {changed} of {present}")
        if not isinstance(present, int):
            return float(changed)
        if changed != int(changed):
            raise ValueError(f"it is a whole number, {present}, and {self.how} {value} makes {changed} of it")
        return int(changed)


def times(factor: Value) -> Operation:
    """Multiply the field by `factor`."""
    return Operation(how="times", value=factor)


def plus(amount: Value) -> Operation:
    """Add `amount` to the field, in the field's unit."""
    return Operation(how="plus", value=amount)


def to(value: Value) -> Operation:
    """Set the field to `value`."""
    return Operation(how="to", value=value)


@dataclass(frozen=True, kw_only=True)
class LineChange:
    """A lasting change of the line: of the product and of fields of disturbances; other fields stay."""

    description: str
    """One sentence for reports."""
    product: str | None = None
    """Name of the product made from now on; None keeps the present ones."""
    changes: Mapping[str, Operation] = field(default_factory=dict)
    """Operation on each changed field, by its name `disturbance.field`, such as `exposure.mean_gain`."""

    def apply(self, disturbances: Disturbances) -> Disturbances:
        """Return `disturbances`, a set of any family, as they are after the change.

        Raises ValueError for a name that the set does not have, with the nearest one, and for a value that
        the field cannot take.
        """
        changed: dict[str, dict[str, Value]] = {}
        for name, operation in self.changes.items():
            kind, field_name = _looked_up(disturbances, name)
            try:
                value = operation.on(getattr(getattr(disturbances, kind), field_name))
            except ValueError as error:
                raise ValueError(f"line change of {name}: {error}") from error
            changed.setdefault(kind, {})[field_name] = value
        made: dict[str, Any] = {kind: _replaced(disturbances, kind, of) for kind, of in changed.items()}
        return replace(disturbances, **made)


def _looked_up(disturbances: DataclassInstance, name: str) -> tuple[str, str]:
    """Disturbance and field of `disturbance.field`; ValueError where there is none."""
    kind, _, field_name = name.partition(".")
    _require_known(kind, disturbances, f"line change of {name!r}: unknown disturbance")
    _require_known(field_name, getattr(disturbances, kind), f"line change of {name!r}: unknown field")
    return kind, field_name


def _replaced(disturbances: DataclassInstance, kind: str, values: Mapping[str, Value]) -> Any:
    try:
        return replace(getattr(disturbances, kind), **values)
    except ValueError as error:
        raise ValueError(f"line change of {kind}: {error}") from error


def _require_known(name: str, owner: DataclassInstance, what: str) -> None:
    known = tuple(each.name for each in fields(owner))
    if name not in known:
        nearest = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
        raise ValueError(f"{what} {name!r}.{hint} Known: {', '.join(known)}")
