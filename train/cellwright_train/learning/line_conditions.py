"""What parts of a line meet, as plain values that a run's configuration holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from cellwright_envs.disturbances.line_change import LineChange, Operation
from cellwright_envs.disturbances.named_sets import resolve_named

_HOW = ("times", "plus", "to")


@dataclass(frozen=True, kw_only=True)
class FieldChange:
    """One operation on a field of a set of disturbances."""

    field: str
    """Such as `exposure.mean_gain`."""
    how: str
    """`times`, `plus` or `to`."""
    value: tuple[float, ...]
    """One number for a field that holds one, or that multiplies all of several."""

    def __post_init__(self) -> None:
        if self.how not in _HOW or not self.value:
            raise ValueError(f"need one of {', '.join(_HOW)} and a value, got {self.how!r} {self.value}")

    @property
    def operation(self) -> Operation:
        """As a line change holds it."""
        value = self.value[0] if len(self.value) == 1 else self.value
        return Operation(how=self.how, value=value)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class PartConditions:
    """Everything about a part but its seed."""

    product: str
    disturbances: str
    """Name of the set that the changes act on."""
    changes: tuple[FieldChange, ...] = ()
    """In their order."""

    @classmethod
    def of(cls, product: str | None, disturbances: str | None, changes: tuple[LineChange, ...]) -> Self:
        """Those of an episode; a change of the product counts as that product."""
        for change in changes:
            product = change.product or product
        if product is None or disturbances is None:
            raise ValueError(f"need a product and a set of disturbances, got {product} and {disturbances}")
        each = (pair for change in changes for pair in change.changes.items())
        return cls(
            product=product, disturbances=disturbances, changes=tuple(_field_change(*pair) for pair in each)
        )

    def disturbance_set(self, known: Mapping[str, Any]) -> Any:
        """The set after the changes; `known` are the cell's named ones. Raises ValueError."""
        found = resolve_named(self.disturbances, known)
        for change in self.line_changes:
            found = change.apply(found)
        return found

    @property
    def line_changes(self) -> tuple[LineChange, ...]:
        """The changes, as an episode takes them."""
        return tuple(
            LineChange(description="", changes={change.field: change.operation}) for change in self.changes
        )


def _field_change(field: str, operation: Operation) -> FieldChange:
    value = operation.value if isinstance(operation.value, tuple) else (operation.value,)
    return FieldChange(field=field, how=operation.how, value=tuple(map(float, value)))


@dataclass(frozen=True, kw_only=True)
class StretchConfig:
    """A change of a line as a training meets it: parts before it and parts after it."""

    before: tuple[PartConditions, ...]
    after: tuple[PartConditions, ...]
    kept: float = 0.25
    """Fraction of the cells that go on with what was before, so that it is not forgotten."""

    def __post_init__(self) -> None:
        if not self.before or not self.after:
            raise ValueError(f"need parts before and after, got {len(self.before)} and {len(self.after)}")
        if not 0.0 <= self.kept < 1.0:
            raise ValueError(f"need 0 <= {self.kept=} < 1")
