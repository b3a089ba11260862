"""Named sets of disturbances: dataclasses with one field per disturbance, each off unless given."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import fields
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from cellwright_envs.disturbances.sampling import named_stream

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Disturbances = TypeVar("Disturbances", bound="DataclassInstance")


def draw_each(disturbances: DataclassInstance, rng: np.random.Generator) -> dict[str, Any]:
    """Draw one episode of each disturbance by its name, each from a stream of its own.

    Takes one integer from `rng`, whatever is on or off.
    """
    root = int(rng.integers(0, 2**63))
    return {
        each.name: getattr(disturbances, each.name).draw(named_stream(root, each.name))
        for each in fields(disturbances)
    }


def each_alone(disturbances: Disturbances) -> dict[str, Disturbances]:
    """One set per disturbance, by its name: that one as strong as in `disturbances`, all others off."""
    kind = type(disturbances)
    return {each.name: kind(**{each.name: getattr(disturbances, each.name)}) for each in fields(disturbances)}


def combine(first: Disturbances, second: Disturbances) -> Disturbances:
    """Return `first` with every disturbance that is on in `second` replaced by it."""
    off = type(first)()
    chosen: dict[str, Any] = {
        each.name: getattr(
            first if getattr(second, each.name) == getattr(off, each.name) else second, each.name
        )
        for each in fields(first)
    }
    return type(first)(**chosen)


def resolve_named(choice: str | Disturbances, named: Mapping[str, Disturbances]) -> Disturbances:
    """Return the set of a name among `named`, or of several joined by `+`; a set is returned as it is.

    Raises:
        ValueError: if a name is unknown, with the nearest one and all others, or a set is of another kind.
    """
    kind = type(next(iter(named.values())))
    if isinstance(choice, kind):
        return choice
    if not isinstance(choice, str):
        raise ValueError(f"disturbances must be a name or {kind.__name__}, got {choice!r}")
    return reduce(combine, (_lookup(name.strip(), named) for name in choice.split("+")))


def _lookup(name: str, named: Mapping[str, Disturbances]) -> Disturbances:
    if name in named:
        return named[name]
    nearest = difflib.get_close_matches(name, named, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    raise ValueError(f"unknown disturbance {name!r}.{hint} Known: {', '.join(named)}; join several with '+'.")
