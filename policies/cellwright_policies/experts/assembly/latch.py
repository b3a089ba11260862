"""Oracle, guide and search for plugs: as for pegs until the plug is in, then with force for its latch."""

from __future__ import annotations

import numpy as np

from cellwright_policies.experts.assembly.base import Array
from cellwright_policies.experts.assembly.guide import Guide
from cellwright_policies.experts.assembly.oracle import Oracle
from cellwright_policies.experts.assembly.spiral_search import SpiralSettings

LATCH_M = 4.7e-3
"""Lead with which it pushes a plug over its latch: the largest beside a sideways correction."""
LATCH_SEARCH = SpiralSettings(insert_m=LATCH_M, inside_m=4.2e-3)
"""Sockets are as shallow as 6 mm, and the force of a latch there must not be taken for the surface."""


class LatchOracle(Oracle):
    """Lines the plug up and lowers it like a peg, then pushes it into its seat."""

    @staticmethod
    def _descent(z: Array, lined_up: Array, entered: Array, late: Array) -> Array:
        return np.where(entered, -LATCH_M, Oracle._descent(z, lined_up, entered, late))


class LatchGuide(LatchOracle, Guide):
    """Lets the plug down beside the socket, slides it there and searches, as the guide does with pegs."""
