"""How widely a disturbance is drawn, between off and its full strength, for a curriculum to widen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar

Disturbances = TypeVar("Disturbances")
"""A frozen dataclass whose fields are disturbances that are off as they come."""


def active(disturbances: object) -> tuple[str, ...]:
    """Names of the disturbances that are on."""
    off = type(disturbances)()
    names = (each.name for each in fields(disturbances))  # type: ignore[arg-type]
    return tuple(name for name in names if getattr(disturbances, name) != getattr(off, name))


def narrowed(disturbances: Disturbances, widths: Mapping[str, float]) -> Disturbances:
    """Return `disturbances` with those named in `widths` drawn less widely: 0 is off, 1 as they are.

    Every number of a disturbance goes in a straight line from where it is off to where it is; whole numbers
    are rounded. Raises ValueError for a name that is none of them or a width outside [0, 1].
    """
    known = [each.name for each in fields(disturbances)]  # type: ignore[arg-type]
    off = type(disturbances)()
    changed: dict[str, Any] = {}
    for name, width in widths.items():
        if name not in known:
            raise ValueError(f"unknown disturbance {name!r}; known: {', '.join(known)}")
        if not 0.0 <= width <= 1.0:
            raise ValueError(f"the width of {name} must be within 0..1, got {width}")
        none, full = getattr(off, name), getattr(disturbances, name)
        changed[name] = replace(
            full,
            **{
                each.name: _between(getattr(none, each.name), getattr(full, each.name), width)
                for each in fields(full)
            },
        )
    return replace(disturbances, **changed)  # type: ignore[type-var]


def _between(off: Any, full: Any, width: float) -> Any:
    if isinstance(full, tuple):
        return tuple(_between(a, b, width) for a, b in zip(off, full, strict=True))
    if isinstance(full, float):
        return (1.0 - width) * off + width * full
    return round((1.0 - width) * off + width * full) if isinstance(full, int) else full
