"""Scripted assembly experts, task by task."""

from __future__ import annotations

from collections.abc import Callable

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
"""Makes an expert from the names of the components of `privileged`."""

PEG_INSERTION: dict[str, Factory] = {
    "blind-insertion": lambda _: BlindInsertion(),
    "spiral-search": lambda _: SpiralSearch(),
    "visual-servo": lambda _: peg_servo(),
    "oracle": Oracle,
    "guide": Guide,
}

CONNECTOR_INSERTION: dict[str, Factory] = {
    "blind-insertion": lambda _: BlindInsertion(LATCH_M, LATCH_SEARCH.inside_m),
    "spiral-search": lambda _: SpiralSearch(LATCH_SEARCH),
    "visual-servo": lambda _: plug_servo(),
    "oracle": LatchOracle,
    "guide": LatchGuide,
}

NUT_FASTENING: dict[str, Factory] = {
    "blind-insertion": lambda _: NutBlindInsertion(),
    "spiral-search": lambda _: NutSpiralSearch(),
    "visual-servo": lambda _: nut_servo(),
    "oracle": NutOracle,
    "guide": NutGuide,
}

GEAR_MESH: dict[str, Factory] = {
    "blind-insertion": lambda _: BlindInsertion(),
    "spiral-search": lambda _: SpiralSearch(),
    "visual-servo": lambda _: gear_servo(),
    "oracle": MeshOracle,
    "guide": MeshGuide,
}


__all__ = ["CONNECTOR_INSERTION", "GEAR_MESH", "NUT_FASTENING", "PEG_INSERTION"]
