"""How far a weld is from the limits of level C."""

from __future__ import annotations

import math

from cellwright_envs.welding.inspection.editions import edition_of
from cellwright_envs.welding.inspection.quality import THIN_PLATE_M, Feature, WeldJoint
from cellwright_envs.welding.process.columns import Constant, Input, State
from cellwright_perception.compiled import compiled

DEPTH_SCATTER, WIDTH_SCATTER, HEIGHT_SCATTER, THROAT_SCATTER = 0.08, 0.04, 0.12, 0.05
"""One sigma over the value: penetration and width as the process scatters, height and throat assumed."""

TOE_SCATTER_RAD = 0.05
"""One sigma of a toe angle, 3 degrees (assumption)."""


def toe_limit_rad(iso_edition: str, joint: WeldJoint, thickness_m: float) -> float:
    """The largest rise [rad] of a weld face at its toe at level C; infinite where row 505 does not count."""
    thin, thick = edition_of(iso_edition).limit_of(505, "C", joint)
    return thin if thickness_m <= THIN_PLATE_M else thick


@compiled
def risk(u, s, f, c, toe_limit_rad):  # type: ignore[no-untyped-def]
    """Sum of exp(-margin) over the imperfections of level C, with margins in units of their scatter.

    `u`, `s`, `f`, `c` are one row each of Input, State, Feature and Constant, arc on. Below about 1 every
    limit is at least one sigma away; each limit that is missed adds about 1 or more. `toe_limit_rad` is the
    edition's; the other limits in the sum are those of every edition.
    """
    index, cap = max(s[State.ROOT_INDEX], 1e-3), s[State.CAP_HEIGHT_M]
    heat = max(s[State.HEAT_PER_THICKNESS_J_M2], 1.0)
    over_v = s[State.VOLTAGE_V] - c[Constant.SYNERGIC_INTERCEPT_V]
    over_v -= c[Constant.SYNERGIC_SLOPE_V_A] * s[State.CURRENT_A]
    reach = 0.5 * s[State.WIDTH_M] - abs(u[Input.LATERAL_OFFSET_M]) - 0.5 * u[Input.GAP_M]
    total = math.exp(-math.log(c[Constant.BURN_THROUGH_INDEX] / index) / DEPTH_SCATTER)
    total += math.exp(-math.log(c[Constant.BURN_THROUGH_HEAT_J_M2] / heat) / 0.04)
    total += math.exp(-(over_v + c[Constant.COLD_VOLTAGE_V]) / 0.3)
    total += math.exp(-(c[Constant.UNDERCUT_VOLTAGE_V] - over_v) / 0.3)
    total += math.exp(-(c[Constant.UNDERCUT_SPEED_M_S] - u[Input.TRAVEL_SPEED_M_S]) / 0.5e-3)
    total += math.exp(
        -(reach - c[Constant.TOE_MARGIN_M]) / (0.5 * WIDTH_SCATTER * s[State.WIDTH_M] + 0.05e-3)
    )
    limit = 1e-3 + 0.15 * f[Feature.FACE_WIDTH]
    total += math.exp(-(limit - cap) / (HEIGHT_SCATTER * max(cap, 0.4e-3)))
    total += math.exp(-(toe_limit_rad - f[Feature.TOE_RISE_RAD]) / TOE_SCATTER_RAD)
    if c[Constant.JOINT] == 2.0:
        total += math.exp(-math.log(index / c[Constant.LACK_OF_PENETRATION_INDEX]) / DEPTH_SCATTER)
        total += math.exp(-cap / 0.15e-3)
        return total
    throat, wanted = max(s[State.THROAT_M], 0.1e-3), c[Constant.REQUIRED_THROAT_M]
    beyond = s[State.ROOT_PENETRATION_M] - c[Constant.FILLET_ROOT_M]
    root = 1.0 + c[Constant.GAP_FACTOR_PER_M] * u[Input.GAP_M]
    total += math.exp(-beyond / (DEPTH_SCATTER * max(s[State.PENETRATION_M], 0.1e-3) * root))
    total += math.exp(-(throat - wanted) / (THROAT_SCATTER * throat))
    total += math.exp(-(1e-3 + 0.2 * wanted - throat + wanted) / (THROAT_SCATTER * throat))
    total += math.exp(-(2e-3 + 0.15 * wanted - f[Feature.LEG_DIFFERENCE]) / 0.25e-3)
    return total
