"""What of an observation the interface keeps by itself, whatever robot, process and part do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cellwright_runtime.vocabulary import Component


@dataclass(frozen=True, kw_only=True)
class Kept:
    """Limits of one element that only the interface moves: no value inside of them is a wrong reading."""

    low: float
    high: float
    setting: str = ""
    """Of the controller, whose limits these are; empty for a command of the policy, whose limits are those of
    its component."""


KeptElements = Mapping[str, Mapping[int, Kept]]
"""By group, and by the element's index in it."""


def commands(components: tuple[Component, ...], indices: Iterable[int]) -> dict[int, Kept]:
    """The elements of a group that are commands of the policy, or means over them."""
    return {index: Kept(low=components[index].low, high=components[index].high) for index in indices}
