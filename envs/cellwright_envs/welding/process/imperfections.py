# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Compiled shape and imperfections of the bead that one cell lays now.

Rows: `s` state, `f` features, `u` inputs and `c` constants of the cell.
"""

import math

from cellwright_envs.welding.inspection.quality import Feature
from cellwright_envs.welding.process import arc, bead, heat
from cellwright_envs.welding.process.columns import Constant, Input, State
from cellwright_envs.welding.process.toe import butt_toe_rise_rad, fillet_toe_rise_rad
from cellwright_perception.compiled import compilable


@compilable
def _shape_fillet(s, f, u, c, height):
    """Legs, throat, convexity and root of a lap or T-fillet weld."""
    area, gap = s[State.AREA_M2], u[Input.GAP_M]
    wetting = s[State.BEAD_WIDTH_M] / (c[Constant.WIDTH_FACTOR] * math.sqrt(area))
    triangle = bead.fillet_leg_m(area, c[Constant.FILLET_FULLNESS])
    full = triangle * math.sqrt(wetting)
    leg = max(full - gap, 0.1e-3)
    shift = c[Constant.LEG_SHIFT] * u[Input.LATERAL_OFFSET_M]
    tilt = 0.5 * c[Constant.WORK_ANGLE_SLOPE_PER_RAD] * u[Input.WORK_ANGLE_RAD]
    left = max(leg + shift, 0.1e-3) * (1.0 + tilt)
    right = max(leg - shift, 0.1e-3) * (1.0 - tilt)
    at_edge = False
    if c[Constant.JOINT] == 0.0 and left > u[Input.THICKNESS_M]:
        # Half of the metal that finds no plate edge runs onto the lower plate, half stays as convexity.
        right += 0.5 * right * (left - u[Input.THICKNESS_M]) / u[Input.THICKNESS_M]
        left, at_edge = u[Input.THICKNESS_M], True
    face = math.hypot(left, right)
    visible = area * (leg / full) ** 2
    cap = c[Constant.CAP_FULLNESS] * (visible - 0.5 * left * right) / face * height
    throat = left * right / face + min(cap, 0.0)
    gain = 1.0 + c[Constant.GAP_FACTOR_PER_M] * gap
    root = s[State.BEAD_PENETRATION_M] * gain - c[Constant.FILLET_ROOT_FRACTION] * triangle * 0.7071
    f[Feature.ROOT_DEFICIT] = max(c[Constant.FILLET_ROOT_M] - root, 0.0)
    f[Feature.LEG_DIFFERENCE] = abs(left - right - c[Constant.PRESCRIBED_LEG_DIFFERENCE_M])
    f[Feature.THROAT_DEFICIT] = max(c[Constant.REQUIRED_THROAT_M] - throat, 0.0)
    f[Feature.THROAT_EXCESS] = max(throat - c[Constant.REQUIRED_THROAT_M], 0.0)
    f[Feature.FACE_WIDTH] = face
    f[Feature.SIZE] = c[Constant.REQUIRED_THROAT_M]
    f[Feature.ACTUAL_SIZE] = max(throat, 0.0)
    f[Feature.TOE_RISE_RAD] = fillet_toe_rise_rad(left, right, cap, at_edge)
    s[State.LEFT_LEG_M], s[State.RIGHT_LEG_M], s[State.THROAT_M] = left, right, throat
    s[State.ROOT_PENETRATION_M] = root
    return cap


@compilable
def _shape_butt(s, f, u, c, height):
    """Cap and root of a butt weld."""
    index, width, thickness = s[State.ROOT_INDEX], s[State.BEAD_WIDTH_M], u[Input.THICKNESS_M]
    shortfall = 1.0 - index / c[Constant.LACK_OF_PENETRATION_INDEX]
    f[Feature.ROOT_DEFICIT] = max(shortfall, 0.0) * thickness
    root_area = 0.0
    if shortfall <= 0.0:
        # Beyond fall-through the root bead is no bead any more; its height is held there.
        f[Feature.ROOT_HEIGHT] = c[Constant.ROOT_BEAD_FACTOR] * bead.root_bead_height_m(min(index, 1.2))
        f[Feature.ROOT_WIDTH] = c[Constant.ROOT_BEAD_FACTOR] * bead.root_bead_width_m(index, width)
        root_area = f[Feature.ROOT_HEIGHT] * f[Feature.ROOT_WIDTH] / 1.5
    cap_area = s[State.AREA_M2] - u[Input.GAP_M] * thickness - root_area
    cap = (
        bead.reinforcement_m(cap_area, width, c[Constant.CAP_FULLNESS]) * height
        + 0.5 * u[Input.TACK_HEIGHT_M]
    )
    f[Feature.UNDERFILL] = max(-cap, 0.0)
    f[Feature.MISALIGNMENT] = abs(u[Input.MISALIGNMENT_M])
    f[Feature.FACE_WIDTH] = width
    f[Feature.SIZE] = f[Feature.ACTUAL_SIZE] = c[Constant.NOMINAL_THICKNESS_M]
    f[Feature.TOE_RISE_RAD] = butt_toe_rise_rad(cap, width)
    return cap


@compilable
def measure_bead(s, f, u, c):
    """Derive the bead's shape and imperfections from the lagged pool and the process noise."""
    f[:] = 0.0
    current, voltage = s[State.CURRENT_A], s[State.VOLTAGE_V]
    speed, thickness, gap = (
        max(u[Input.TRAVEL_SPEED_M_S], bead.MINIMUM_SPEED_M_S),
        u[Input.THICKNESS_M],
        u[Input.GAP_M],
    )
    butt = c[Constant.JOINT] == 2.0
    width = s[State.WIDTH_M] * (1.0 + c[Constant.WIDTH_NOISE] * s[State.WIDTH_NOISE])
    depth = s[State.PENETRATION_M] * (1.0 + c[Constant.PENETRATION_NOISE] * s[State.PENETRATION_NOISE])
    depth = max(depth - c[Constant.TACK_FRACTION] * u[Input.TACK_HEIGHT_M], 0.0)
    s[State.BEAD_WIDTH_M], s[State.BEAD_PENETRATION_M] = width, depth
    sink = 1.0
    if not butt:
        sink = 1.0 / (1.0 + c[Constant.FILLET_HEAT_SINK] * math.exp(-gap / c[Constant.CONTACT_GAP_M]))
    index = sink * bead.root_index(depth, gap, thickness, c[Constant.GAP_FACTOR_PER_M])
    s[State.ROOT_INDEX] = c[Constant.ROOT_SCALE] * index
    s[State.HEAT_PER_THICKNESS_J_M2] = sink * heat.heat_input_j_m(current, voltage, speed, 1.0) / thickness
    f[Feature.THICKNESS] = c[Constant.NOMINAL_THICKNESS_M]
    f[Feature.GAP] = gap
    height = 1.0 + c[Constant.HEIGHT_NOISE] * s[State.HEIGHT_NOISE]
    cap = _shape_butt(s, f, u, c, height) if butt else _shape_fillet(s, f, u, c, height)
    s[State.CAP_HEIGHT_M] = cap
    f[Feature.CAP_HEIGHT] = max(cap, 0.0)
    # A cap steeper than a half circle hangs over its toes.
    f[Feature.OVERLAP] = max(cap - 0.5 * f[Feature.FACE_WIDTH], 0.0)
    _measure_faults(s, f, u, c, speed)


@compilable
def _measure_faults(s, f, u, c, speed):
    """Burn-through, lack of fusion, undercut and pores."""
    current, voltage = s[State.CURRENT_A], s[State.VOLTAGE_V]
    gap, thickness = u[Input.GAP_M], u[Input.THICKNESS_M]
    open_gap = c[Constant.JOINT] == 2.0 and gap > min(
        c[Constant.BRIDGING_FRACTION] * thickness, c[Constant.BRIDGING_LIMIT_M]
    )
    if (
        open_gap
        or s[State.ROOT_INDEX] > c[Constant.BURN_THROUGH_INDEX]
        or s[State.HEAT_PER_THICKNESS_J_M2] > c[Constant.BURN_THROUGH_HEAT_J_M2]
    ):
        f[Feature.BURN_THROUGH] = thickness
    synergic = arc.synergic_voltage_v(
        current, c[Constant.SYNERGIC_INTERCEPT_V], c[Constant.SYNERGIC_SLOPE_V_A]
    )
    reach = 0.5 * s[State.BEAD_WIDTH_M] - abs(u[Input.LATERAL_OFFSET_M])
    f[Feature.FUSION_DEFICIT] = max(0.5 * gap + c[Constant.TOE_MARGIN_M] - reach, 0.0)
    if (
        voltage < synergic - c[Constant.COLD_VOLTAGE_V]
        or speed < c[Constant.SLOW_FRACTION] * c[Constant.NOMINAL_SPEED_M_S]
    ):
        f[Feature.FUSION_DEFICIT] = max(f[Feature.FUSION_DEFICIT], 0.5e-3)
    undercut = c[Constant.UNDERCUT_FACTOR] * bead.undercut_m(
        speed,
        voltage - synergic,
        u[Input.WORK_ANGLE_RAD],
        c[Constant.UNDERCUT_SPEED_M_S],
        c[Constant.UNDERCUT_VOLTAGE_V],
        c[Constant.UNDERCUT_ANGLE_RAD],
    )
    s[State.UNDERCUT_M] = undercut
    f[Feature.UNDERCUT] = undercut
    f[Feature.PORE_DIAMETER] = 2.0 * c[Constant.PORE_DIAMETER_M] * max(0.5 - s[State.SHIELDING], 0.0)
