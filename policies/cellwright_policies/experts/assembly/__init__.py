"""Scripted assembly experts: scores to beat, and teachers for warm starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from cellwright_policies.experts.assembly.base import AssemblyExpert
from cellwright_policies.experts.assembly.blind_insertion import BlindInsertion
from cellwright_policies.experts.assembly.oracle import Oracle
from cellwright_policies.experts.assembly.spiral_search import SpiralSearch
from cellwright_policies.experts.assembly.visual_servo import VisualServo

EXPERTS: dict[str, Callable[[Sequence[str]], AssemblyExpert]] = {
    "blind-insertion": lambda _: BlindInsertion(),
    "spiral-search": lambda _: SpiralSearch(),
    "visual-servo": lambda _: VisualServo(),
    "oracle": Oracle,
}
PRIVILEGED_EXPERTS = ("oracle",)
"""Experts that need the `privileged` observation group."""


def make_expert(name: str, privileged_names: Sequence[str] = ()) -> AssemblyExpert:
    """The expert called `name`; ValueError with the nearest name when there is none.

    `privileged_names` are the environment's, for experts that read the `privileged` group.
    """
    if name not in EXPERTS:
        near = difflib.get_close_matches(name, EXPERTS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown expert {name!r}; {hint}known: {', '.join(EXPERTS)}")
    return EXPERTS[name](privileged_names)


__all__ = ["EXPERTS", "PRIVILEGED_EXPERTS", "AssemblyExpert", "make_expert"]
