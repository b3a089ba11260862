"""Scripted assembly experts, task by task."""

from __future__ import annotations

from collections.abc import Callable

from cellwright_policies.experts.assembly.base import FULL_SCALE, LOOP_FULL_SCALE
from cellwright_policies.experts.assembly.blind_insertion import BlindInsertion
from cellwright_policies.experts.assembly.drawn_servo import gear_servo, nut_servo, peg_servo, plug_servo
from cellwright_policies.experts.assembly.guide import Guide
from cellwright_policies.experts.assembly.latch import LATCH_M, LATCH_SEARCH, LatchGuide, LatchOracle
from cellwright_policies.experts.assembly.mesh import MeshGuide, MeshOracle
from cellwright_policies.experts.assembly.nut_fastening import (
    NutBlindInsertion,
    NutGuide,
    NutOracle,
    NutSpiralSearch,
)
from cellwright_policies.experts.assembly.oracle import Oracle
from cellwright_policies.experts.assembly.spiral_search import SpiralSearch
from cellwright_policies.experts.expert import Expert

Factory = Callable[..., Expert]
"""Makes an expert from the names of the components of `privileged`, and the motion (6,) of a full action."""

PEG_INSERTION: dict[str, Factory] = {
    "blind-insertion": lambda _, scale=FULL_SCALE: BlindInsertion(full_scale=scale),
    "spiral-search": lambda _, scale=FULL_SCALE: SpiralSearch(full_scale=scale),
    "visual-servo": lambda _, scale=FULL_SCALE: peg_servo(scale),
    "oracle": Oracle,
    "guide": Guide,
}

CONNECTOR_INSERTION: dict[str, Factory] = {
    "blind-insertion": lambda _, scale=FULL_SCALE: BlindInsertion(LATCH_M, LATCH_SEARCH.inside_m, scale),
    "spiral-search": lambda _, scale=FULL_SCALE: SpiralSearch(LATCH_SEARCH, scale),
    "visual-servo": lambda _, scale=FULL_SCALE: plug_servo(scale),
    "oracle": LatchOracle,
    "guide": LatchGuide,
}

NUT_FASTENING: dict[str, Factory] = {
    "blind-insertion": lambda _, scale=FULL_SCALE: NutBlindInsertion(scale),
    "spiral-search": lambda _, scale=FULL_SCALE: NutSpiralSearch(full_scale=scale),
    "visual-servo": lambda _, scale=FULL_SCALE: nut_servo(scale),
    "oracle": NutOracle,
    "guide": NutGuide,
}

GEAR_MESH: dict[str, Factory] = {
    "blind-insertion": lambda _, scale=FULL_SCALE: BlindInsertion(full_scale=scale),
    "spiral-search": lambda _, scale=FULL_SCALE: SpiralSearch(full_scale=scale),
    "visual-servo": lambda _, scale=FULL_SCALE: gear_servo(scale),
    "oracle": MeshOracle,
    "guide": MeshGuide,
}


def under_force_loop(experts: dict[str, Factory]) -> dict[str, Factory]:
    """The experts for a full action as the cells of version 1 have it."""
    return {name: _at_loop_scale(factory) for name, factory in experts.items()}


def _at_loop_scale(factory: Factory) -> Factory:
    return lambda names, scale=LOOP_FULL_SCALE: factory(names, scale)


__all__ = ["CONNECTOR_INSERTION", "GEAR_MESH", "NUT_FASTENING", "PEG_INSERTION", "under_force_loop"]
