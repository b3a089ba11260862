"""A teacher that knows everything but does only what somebody who sees a little less could do as well."""

from __future__ import annotations

import numpy as np

from cellwright_policies.experts.assembly.base import Array
from cellwright_policies.experts.assembly.oracle import Oracle

NEAR_M = 2.5e-3
"""Distance from the axis within which it lets the part down."""
NEAR_RAD = 0.12


class Guide(Oracle):
    """Lets the part down beside the hole and slides it there under a light push.

    The oracle waits over the mouth until it is lined up to a fraction of the clearance. Whoever cannot see
    so well learns from it to wait for ever; what the guide does leads into the hole with an estimate that is
    only right on average.
    """

    @staticmethod
    def _lined_up(lateral: Array, yaw: Array, clearance: Array, chamfer: Array) -> Array:
        return np.asarray((lateral < NEAR_M) & (yaw < NEAR_RAD))
