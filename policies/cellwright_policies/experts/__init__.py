"""Scripted weld experts: scores to beat, and teachers for warm starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from cellwright_policies.experts.adaptive_tracker import AdaptiveTracker
from cellwright_policies.experts.base import WeldExpert
from cellwright_policies.experts.oracle import Oracle
from cellwright_policies.experts.seam_tracker import SeamTracker
from cellwright_policies.experts.taught_program import TaughtProgram

EXPERTS: dict[str, Callable[[Sequence[str]], WeldExpert]] = {
    "taught-program": lambda _: TaughtProgram(),
    "seam-tracker": lambda _: SeamTracker(),
    "adaptive-tracker": lambda _: AdaptiveTracker(),
    "oracle": Oracle,
}
PRIVILEGED_EXPERTS = ("oracle",)
"""Experts that need the `privileged` observation group."""


def make_expert(name: str, privileged_names: Sequence[str] = ()) -> WeldExpert:
    """The expert called `name`; ValueError with the nearest name when there is none.

    `privileged_names` are the environment's, for experts that read the `privileged` group.
    """
    if name not in EXPERTS:
        near = difflib.get_close_matches(name, EXPERTS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown expert {name!r}; {hint}known: {', '.join(EXPERTS)}")
    return EXPERTS[name](privileged_names)


__all__ = ["EXPERTS", "PRIVILEGED_EXPERTS", "WeldExpert", "make_expert"]
