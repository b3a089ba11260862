"""Size and shape of the deposited bead: area, width, penetration, fillet legs, root and undercut.

Lengths are in metres. The fitted forms were published in millimetres; the conversion stands in each
function. Width and penetration follow a published fit for plate of 12 mm; thinner plate is extrapolation.
"""

import math

import numpy as np

from cellwright_envs.welding.process.arc import Quantity
from cellwright_perception.compiled import compilable

DEPOSITION_EFFICIENCY = 0.95
"""Fraction of the wire that ends in the joint: 0.93 to 0.98 for solid wire (Lincoln GMAW guide)."""
FILLET_FULLNESS = 1.15
"""Fillet section over that of its inscribed triangle: 15 % convexity, the middle of those drawn."""
PENETRATION_FACTOR = 0.0306
"""Scale of penetration of a weld that penetrates as deep as the fit has it: only ratios to it count.

The number is from a fit of Jackson's form, in millimetres, volts and amperes, to 31 published beads, with
which the model began; welds stay the same to the last bit with it.
"""
WIDTH_FACTOR = 2.70
"""Width over square root of deposited area at synergic voltage: least mean error of width and height over the
27 settings of the published fit; single other beads have 2.0 to 2.6."""
CAP_FULLNESS = 1.6
"""Height of a cap over its section divided by its width, least squares as above; a parabola has 1.5."""
FITTED_PENETRATION = math.pow(10.0, -2.3098) * math.pow(1.2, -0.5668) * math.pow(25.0, 0.013)
"""Penetration [mm] at 1 A and 1 cm/min of the published regression, for 1.2 mm wire at 25 V."""
GAP_FACTOR_PER_M = 200.0
"""Gain of root penetration per metre of gap; with `ROOT_SCALE`, least scatter over 18 published one-sided
butt recipes in CO2 and argon."""
ROOT_SCALE = 1.54
"""Puts the published butt recipes at the mean root index 0.69, at which the limits were chosen."""
MINIMUM_SPEED_M_S = 1e-3
"""Slower travel is treated as this speed, so that a standing torch burns through instead of dividing by 0."""


@compilable
def deposited_area_m2(
    wire_feed_m_s: Quantity,
    travel_speed_m_s: Quantity,
    deposition_efficiency: Quantity = DEPOSITION_EFFICIENCY,
    wire_diameter_m: Quantity = 1.2e-3,
) -> Quantity:
    """Return the cross-section [m2] of deposited metal, by conservation of mass."""
    wire_area_m2 = np.pi / 4.0 * (wire_diameter_m * wire_diameter_m)
    return deposition_efficiency * wire_feed_m_s * wire_area_m2 / travel_speed_m_s


@compilable
def fillet_leg_m(deposited_area_m2: Quantity, fullness: Quantity = FILLET_FULLNESS) -> Quantity:
    """Return the leg [m] of an equal-legged fillet of this section [m2] without gap."""
    return np.sqrt(2.0 * deposited_area_m2 / fullness)


@compilable
def penetration_m(current_a: Quantity, travel_speed_m_s: Quantity) -> Quantity:
    """Return penetration [m] of a bead on plate of 1.2 mm wire at the synergic voltage.

    Regression over 27 settings of 180 to 360 A, 20 to 30 V and 25 to 41 cm/min (attributed to Kim, Kwon and
    Siores 1996, see docs/references.md) at 25 V; its exponent of the voltage is 0.013.
    """
    return 1e-3 * FITTED_PENETRATION * current_a**1.4005 * (6e3 * travel_speed_m_s) ** -0.3641


@compilable
def width_m(
    deposited_area_m2: Quantity,
    voltage_v: Quantity,
    synergic_v: Quantity,
    width_factor: Quantity = WIDTH_FACTOR,
) -> Quantity:
    """Return bead width [m]; exponent 0.6 on voltage follows a free fit to 31 published beads (0.62)."""
    return width_factor * np.sqrt(deposited_area_m2) * (voltage_v / synergic_v) ** 0.6


@compilable
def reinforcement_m(
    reinforcement_area_m2: Quantity, bead_width_m: Quantity, fullness: Quantity = CAP_FULLNESS
) -> Quantity:
    """Return the height [m] of a cap of this section; negative for a section that lacks metal."""
    return fullness * reinforcement_area_m2 / bead_width_m


@compilable
def root_index(
    penetration_m: Quantity,
    gap_m: Quantity,
    thickness_m: Quantity,
    gap_factor_per_m: Quantity = GAP_FACTOR_PER_M,
) -> Quantity:
    """Return the root index: penetration, helped by the gap, over thickness.

    Published one-sided butt recipes lie at 0.69 +- 0.09. Below about 0.5 the root stays open, above
    about 1.08 the pool falls through; these two limits are drawn per weld.
    """
    return penetration_m * (1.0 + gap_factor_per_m * gap_m) / thickness_m


@compilable
def offset_factor(
    lateral_offset_m: Quantity, bead_width_m: Quantity, offset_scale: Quantity = 0.35
) -> Quantity:
    """Return the fraction of root penetration that a wire beside the seam has; the scale is drawn per
    weld."""
    relative = lateral_offset_m / (offset_scale * bead_width_m)
    return np.exp(-relative * relative)


@compilable
def undercut_m(
    travel_speed_m_s: Quantity,
    voltage_excess_v: Quantity,
    work_angle_rad: Quantity,
    onset_speed_m_s: Quantity = 14e-3,
    onset_voltage_v: Quantity = 3.0,
    onset_angle_rad: Quantity = 0.1745,
) -> Quantity:
    """Return undercut depth [m] from fast travel, voltage above synergic, or a tilted torch.

    Onset by speed near 1 m/min is published (Zong 2016). Depths are 0.03 mm per mm/s, 0.1 mm/V and 0.03 mm
    per degree; `undercut_factor` is drawn per weld.
    """
    fast = 0.03 * np.maximum(travel_speed_m_s - onset_speed_m_s, 0.0)
    hot = 0.1e-3 * np.maximum(voltage_excess_v - onset_voltage_v, 0.0)
    tilted = 1.72e-3 * np.maximum(np.abs(work_angle_rad) - onset_angle_rad, 0.0)
    return fast + hot + tilted


@compilable
def root_bead_height_m(index: Quantity) -> Quantity:
    """Return how far [m] the root stands proud of the back side, growing fast near fall-through.

    0.4 mm at the published mean root index, 1.6 mm at index 1; `root_bead_factor` is drawn per weld.
    """
    return 0.4e-3 * np.exp((index - 0.7) / 0.22)


@compilable
def root_bead_width_m(index: Quantity, bead_width_m: Quantity) -> Quantity:
    """Return the width [m] of the root bead on the back side; `root_bead_factor` is drawn per weld."""
    return bead_width_m * np.minimum(np.maximum(0.2 + 0.6 * (index - 0.5), 0.1), 0.6)
