"""Shape of the weld pool's top side, from the process state."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.process.columns import Constant, State
from cellwright_envs.welding.process.heat import THERMAL_EFFICIENCY

STILL_CONVEX, FLAT, HANGING = 0.787, 0.926, 1.019
"""Root index over that of burn-through where the surface begins to sink, is flat, and hangs by `sag_m`.

0.85, 1.0 and 1.1 at the usual index of 1.08 (assumption; that pools sag before they fall through is
published)."""
OPENING = 0.10
"""The root opens over this fraction of the index of lack of penetration (assumption)."""


class PoolShape(NamedTuple):
    """The pool's top side."""

    width_m: float
    """Visible width."""
    length_m: float
    """From the arc to the tail."""
    height_m: float
    """Height of the surface's middle above the plate; negative where it hangs through."""


def pool_shape(
    state: NDArray[np.float64],
    constants: NDArray[np.float64],
    *,
    length_m_w: float,
    widening: float,
    lengthening: float,
    sag_m: float,
) -> PoolShape:
    """Shape now, from one row (State,) of the process and one of its constants (Constant,).

    Depth shows only where it reaches the far side: an open root makes the pool of a butt wider and longer,
    and a pool that is about to fall through sinks. The arguments are those of `PoolViewState`.
    """
    index = float(state[State.ROOT_INDEX])
    opened = 0.0
    if constants[Constant.JOINT] == 2.0:
        beyond = index / float(constants[Constant.LACK_OF_PENETRATION_INDEX]) - 1.0
        opened = min(max(beyond / OPENING + 0.5, 0.0), 1.0)
    power_w = THERMAL_EFFICIENCY * float(state[State.CURRENT_A]) * float(state[State.VOLTAGE_V])
    convex_m = 0.5 * max(float(state[State.CAP_HEIGHT_M]), 0.0)
    near = index / float(constants[Constant.BURN_THROUGH_INDEX])
    if near < FLAT:
        height_m = convex_m * min((FLAT - near) / (FLAT - STILL_CONVEX), 1.0)
    else:
        height_m = -sag_m * min((near - FLAT) / (HANGING - FLAT), 2.0)
    return PoolShape(
        width_m=float(state[State.BEAD_WIDTH_M]) * (1.0 + widening * opened),
        length_m=length_m_w * power_w * (1.0 + lengthening * opened),
        height_m=height_m,
    )
