# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Compiled steps of the weld process: arc, pool, bead shape, imperfections and signals of one cell.

Rows are named as in the whole file: `s` state, `f` features, `u` inputs and `c` constants of one cell.
"""

import math
import zlib
from pathlib import Path

import numpy as np
from numba import njit
from numba.extending import register_jitable

from cellwright_envs.welding import arc, bead, heat
from cellwright_envs.welding.columns import Constant, Input, Prediction, Signal, State
from cellwright_envs.welding.quality import Feature

SHORTEST_ARC_M = 0.2e-3
MINIMUM_SPEED_M_S = 1e-3
"""Slower travel is treated as this speed, so that a standing torch burns through instead of dividing by 0."""


@register_jitable
def _uniform(generator):
    """Uniform number in (0, 1) from one xorshift64* state (1,)."""
    x = generator[0]
    x ^= x >> np.uint64(12)
    x ^= x << np.uint64(25)
    x ^= x >> np.uint64(27)
    generator[0] = x
    return (float((x * np.uint64(2685821657736338717)) >> np.uint64(11)) + 0.5) / 9007199254740992.0


@register_jitable
def _normals(generator):
    """Two independent standard normal numbers (Box and Muller)."""
    radius = math.sqrt(-2.0 * math.log(_uniform(generator)))
    angle = 2.0 * math.pi * _uniform(generator)
    return radius * math.cos(angle), radius * math.sin(angle)


@register_jitable
def _clip(value, low, high):
    return min(max(value, low), high)


@register_jitable
def _tip_distance_m(u, hole, c):
    return max(
        u[Input.CONTACT_TIP_DISTANCE_M] - u[Input.TACK_HEIGHT_M] + hole * c[Constant.HOLE_DEPTH_M], 4e-3
    )


@register_jitable
def _steady_arc(u, c):
    """Extension and current at which melting meets the feed and the arc meets the voltage."""
    tip = _tip_distance_m(u, 0.0, c)
    feed = u[Input.WIRE_FEED_M_S] * u[Input.WIRE_SLIP]
    supply = u[Input.VOLTAGE_V] + u[Input.SUPPLY_OFFSET_V] - c[Constant.ARC_VOLTAGE_V]
    resistance = c[Constant.SOURCE_RESISTANCE_OHM] + c[Constant.ARC_RESISTANCE_OHM]
    extension, current = tip - SHORTEST_ARC_M, 0.0
    for _ in range(8):
        current = arc.steady_current_a(
            feed, extension, c[Constant.MELTING_PER_CURRENT_M_S_A], c[Constant.MELTING_PER_EXTENSION_S_A2]
        )
        drop = current * (resistance + c[Constant.WIRE_RESISTANCE_OHM_M] * extension)
        length = (supply - drop) / c[Constant.ARC_FIELD_V_M]
        extension = _clip(tip - length, 1e-3, tip - SHORTEST_ARC_M)
    return extension, _clip(current, 10.0, 450.0)


@register_jitable
def _step_arc(s, u, c, period_s):
    """Integrate extension and current by two Euler steps; both stay stable to 100 ms steps."""
    tip = _tip_distance_m(u, s[State.HOLE], c)
    feed = u[Input.WIRE_FEED_M_S] * u[Input.WIRE_SLIP]
    supply = u[Input.VOLTAGE_V] + u[Input.SUPPLY_OFFSET_V] - c[Constant.ARC_VOLTAGE_V]
    a, b = c[Constant.MELTING_PER_CURRENT_M_S_A], c[Constant.MELTING_PER_EXTENSION_S_A2]
    longest = tip - SHORTEST_ARC_M
    extension, current = min(s[State.EXTENSION_M], longest), s[State.CURRENT_A]
    for _ in range(2):
        resistance = (
            c[Constant.SOURCE_RESISTANCE_OHM]
            + c[Constant.ARC_RESISTANCE_OHM]
            + c[Constant.WIRE_RESISTANCE_OHM_M] * extension
        )
        target = (supply - c[Constant.ARC_FIELD_V_M] * (tip - extension)) / resistance
        # Wire that touches the pool draws current until it has melted free: the mean is set by the feed.
        if extension >= longest - 1e-9:
            target = max(target, arc.steady_current_a(feed, extension, a, b))
        current += (_clip(target, 10.0, 450.0) - current) * (
            1.0 - math.exp(-0.5 * period_s / c[Constant.CURRENT_LAG_S])
        )
        extension += 0.5 * period_s * (feed - arc.melting_rate_m_s(current, extension, a, b))
        extension = _clip(extension, 1e-3, longest)
    s[State.EXTENSION_M] = extension
    s[State.CURRENT_A] = current


@register_jitable
def _voltage(current, u, hole, c):
    """Voltage at the meter: the setpoint holds at the nominal current, the source droops around it."""
    droop = c[Constant.SOURCE_RESISTANCE_OHM] * (current - c[Constant.REFERENCE_CURRENT_A])
    return max(u[Input.VOLTAGE_V] + u[Input.SUPPLY_OFFSET_V] - droop + hole * c[Constant.HOLE_VOLTAGE_V], 5.0)


@register_jitable
def _pool(current, voltage, plate_k, u, c):
    """Area, width and penetration that these values lead to, without lag and noise."""
    speed = max(u[Input.TRAVEL_SPEED_M_S], MINIMUM_SPEED_M_S)
    area = bead.deposited_area_m2(
        u[Input.WIRE_FEED_M_S] * u[Input.WIRE_SLIP], speed, c[Constant.DEPOSITION_EFFICIENCY]
    )
    synergic = arc.synergic_voltage_v(
        current, c[Constant.SYNERGIC_INTERCEPT_V], c[Constant.SYNERGIC_SLOPE_V_A]
    )
    width = bead.width_m(area, voltage, synergic, c[Constant.WIDTH_FACTOR])
    depth = bead.penetration_m(current, voltage, speed, c[Constant.JACKSON_K])
    depth *= 1.0 + c[Constant.TEMPERATURE_SLOPE_PER_K] * (plate_k - 293.15)
    depth *= 1.0 - c[Constant.PUSH_SLOPE_PER_RAD] * u[Input.PUSH_ANGLE_RAD]
    depth *= bead.offset_factor(u[Input.LATERAL_OFFSET_M], width, c[Constant.OFFSET_SCALE])
    return area, width, depth


@register_jitable
def _shielding(u, c):
    """Gas shielding 0 to 1: falls through one half at each limit."""
    flow, width = u[Input.GAS_FLOW_L_MIN], c[Constant.SHIELDING_WIDTH]
    low = 1.0 / (1.0 + math.exp((c[Constant.LOW_GAS_FLOW_L_MIN] - flow) / (0.5 * width)))
    high = 1.0 / (1.0 + math.exp((flow - c[Constant.HIGH_GAS_FLOW_L_MIN]) / (0.7 * width)))
    # A stronger gas column stands more draught.
    limit = c[Constant.DRAUGHT_LIMIT_M_S] * math.sqrt(max(flow, 1.0) / 15.0)
    draught = 1.0 / (1.0 + math.exp((u[Input.DRAUGHT_M_S] - limit) / (0.12 * width)))
    tip = u[Input.CONTACT_TIP_DISTANCE_M] - c[Constant.SHIELDED_TIP_DISTANCE_M]
    return low * high * draught / (1.0 + math.exp(tip / (0.6e-3 * width)))


@register_jitable
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
    if c[Constant.JOINT] == 0.0 and left > u[Input.THICKNESS_M]:
        # Half of the metal that finds no plate edge runs onto the lower plate, half stays as convexity.
        right += 0.5 * right * (left - u[Input.THICKNESS_M]) / u[Input.THICKNESS_M]
        left = u[Input.THICKNESS_M]
    face = math.hypot(left, right)
    visible = area * (leg / full) ** 2
    cap = 1.5 * (visible - 0.5 * left * right) / face * height
    throat = left * right / face + min(cap, 0.0)
    gain = 1.0 + c[Constant.GAP_FACTOR_PER_M] * gap
    root = s[State.BEAD_PENETRATION_M] * gain - c[Constant.FILLET_ROOT_SHARE] * triangle * 0.7071
    f[Feature.ROOT_DEFICIT] = max(c[Constant.FILLET_ROOT_M] - root, 0.0)
    f[Feature.LEG_DIFFERENCE] = abs(left - right - c[Constant.PRESCRIBED_LEG_DIFFERENCE_M])
    f[Feature.THROAT_DEFICIT] = max(c[Constant.REQUIRED_THROAT_M] - throat, 0.0)
    f[Feature.THROAT_EXCESS] = max(throat - c[Constant.REQUIRED_THROAT_M], 0.0)
    f[Feature.FACE_WIDTH] = face
    f[Feature.SIZE] = c[Constant.REQUIRED_THROAT_M]
    s[State.LEFT_LEG_M], s[State.RIGHT_LEG_M], s[State.THROAT_M] = left, right, throat
    s[State.ROOT_PENETRATION_M] = root
    return cap


@register_jitable
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
    cap = bead.reinforcement_m(cap_area, width) * height + 0.5 * u[Input.TACK_HEIGHT_M]
    f[Feature.UNDERFILL] = max(-cap, 0.0)
    f[Feature.MISALIGNMENT] = abs(u[Input.MISALIGNMENT_M])
    f[Feature.FACE_WIDTH] = width
    f[Feature.SIZE] = c[Constant.NOMINAL_THICKNESS_M]
    return cap


@register_jitable
def _measure(s, f, u, c):
    """Derive the bead's shape and imperfections from the lagged pool and the process noise."""
    f[:] = 0.0
    current, voltage = s[State.CURRENT_A], s[State.VOLTAGE_V]
    speed, thickness, gap = (
        max(u[Input.TRAVEL_SPEED_M_S], MINIMUM_SPEED_M_S),
        u[Input.THICKNESS_M],
        u[Input.GAP_M],
    )
    butt = c[Constant.JOINT] == 2.0
    width = s[State.WIDTH_M] * (1.0 + c[Constant.WIDTH_NOISE] * s[State.WIDTH_NOISE])
    depth = s[State.PENETRATION_M] * (1.0 + c[Constant.PENETRATION_NOISE] * s[State.PENETRATION_NOISE])
    depth = max(depth - c[Constant.TACK_SHARE] * u[Input.TACK_HEIGHT_M], 0.0)
    s[State.BEAD_WIDTH_M], s[State.BEAD_PENETRATION_M] = width, depth
    sink = 1.0
    if not butt:
        sink = 1.0 / (1.0 + c[Constant.FILLET_HEAT_SINK] * math.exp(-gap / c[Constant.CONTACT_GAP_M]))
    s[State.ROOT_INDEX] = sink * bead.root_index(depth, gap, thickness, c[Constant.GAP_FACTOR_PER_M])
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


@register_jitable
def _measure_faults(s, f, u, c, speed):
    """Burn-through, lack of fusion, undercut and pores."""
    current, voltage = s[State.CURRENT_A], s[State.VOLTAGE_V]
    gap, thickness = u[Input.GAP_M], u[Input.THICKNESS_M]
    open_gap = c[Constant.JOINT] == 2.0 and gap > min(
        c[Constant.BRIDGING_SHARE] * thickness, c[Constant.BRIDGING_LIMIT_M]
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
        or speed < c[Constant.SLOW_SHARE] * c[Constant.NOMINAL_SPEED_M_S]
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


@register_jitable
def _measure_heat(s, u, c):
    """Cooling time and the temperature where the pyrometer looks."""
    speed, thickness = max(u[Input.TRAVEL_SPEED_M_S], MINIMUM_SPEED_M_S), u[Input.THICKNESS_M]
    line = heat.heat_input_j_m(s[State.CURRENT_A], s[State.VOLTAGE_V], speed)
    # Shape factors of EN 1011-2: 0.9 filler run in a butt joint, 0.67 fillet.
    shape = 0.9 if c[Constant.JOINT] == 2.0 else 0.67
    plate_k = s[State.PLATE_TEMPERATURE_K]
    s[State.COOLING_TIME_S] = heat.cooling_time_s(line, thickness, min(plate_k, 700.0), shape, shape)
    delay = c[Constant.PYROMETER_DISTANCE_M] / speed
    # That infrared shows penetration is published.
    line *= (c[Constant.JACKSON_K] / bead.JACKSON_K) ** c[Constant.PENETRATION_HEAT]
    return heat.temperature_behind_arc_k(line * shape, thickness, plate_k, delay, c[Constant.HOTTEST_RISE_K])


@register_jitable
def _rest(s, f, c, period_s):
    """One step without arc: the plate cools, nothing is deposited."""
    plate_k = s[State.PLATE_TEMPERATURE_K]
    s[State.PLATE_TEMPERATURE_K] += period_s * heat.plate_warming_k_s(
        0.0, plate_k, c[Constant.AMBIENT_TEMPERATURE_K], 1.0, c[Constant.PLATE_DECAY_S]
    )
    s[State.ARC_ON] = 0.0
    s[State.HOLE] = 0.0
    s[State.CURRENT_A] = 0.0
    s[State.VOLTAGE_V] = 0.0
    s[State.TRANSFER_MODE :] = 0.0
    s[State.AREA_M2] = s[State.WIDTH_M] = s[State.PENETRATION_M] = 0.0
    f[:] = 0.0
    s[State.PYROMETER_K] = plate_k


@register_jitable
def _strike(s, u, c):
    """Start the arc in its steady state, so that a good programme has no run-in defect."""
    s[State.EXTENSION_M], s[State.CURRENT_A] = _steady_arc(u, c)
    s[State.VOLTAGE_V] = _voltage(s[State.CURRENT_A], u, 0.0, c)
    s[State.AREA_M2], s[State.WIDTH_M], s[State.PENETRATION_M] = _pool(
        s[State.CURRENT_A], s[State.VOLTAGE_V], s[State.PLATE_TEMPERATURE_K], u, c
    )
    s[State.SHIELDING] = _shielding(u, c)
    s[State.PYROMETER_K] = _measure_heat(s, u, c)
    s[State.ARC_ON] = 1.0


@register_jitable
def _step_noise(s, u, c, generator, period_s):
    """Advance the three noises, Ornstein-Uhlenbeck along the weld with unit variance."""
    keep = math.exp(-max(u[Input.TRAVEL_SPEED_M_S], 0.0) * period_s / c[Constant.NOISE_LENGTH_M])
    fresh = math.sqrt(1.0 - keep * keep)
    first, second = _normals(generator)
    third, spare = _normals(generator)
    s[State.PENETRATION_NOISE] = keep * s[State.PENETRATION_NOISE] + fresh * first
    s[State.WIDTH_NOISE] = keep * s[State.WIDTH_NOISE] + fresh * second
    s[State.HEIGHT_NOISE] = keep * s[State.HEIGHT_NOISE] + fresh * third
    return spare


@register_jitable
def _weld(s, f, u, c, period_s):
    """One step with the arc burning."""
    _step_arc(s, u, c, period_s)
    s[State.VOLTAGE_V] = _voltage(s[State.CURRENT_A], u, s[State.HOLE], c)
    area, width, depth = _pool(s[State.CURRENT_A], s[State.VOLTAGE_V], s[State.PLATE_TEMPERATURE_K], u, c)
    quick = 1.0 - math.exp(-period_s / c[Constant.WIDTH_LAG_S])
    s[State.AREA_M2] += quick * (area - s[State.AREA_M2])
    s[State.WIDTH_M] += quick * (width - s[State.WIDTH_M])
    s[State.PENETRATION_M] += (1.0 - math.exp(-period_s / c[Constant.PENETRATION_LAG_S])) * (
        depth - s[State.PENETRATION_M]
    )
    s[State.SHIELDING] += (1.0 - math.exp(-period_s / c[Constant.GAS_LAG_S])) * (
        _shielding(u, c) - s[State.SHIELDING]
    )
    capacity = heat.VOLUMETRIC_HEAT_J_M3_K * c[Constant.PLATE_HEATED_AREA_M2] * u[Input.THICKNESS_M]
    power = heat.THERMAL_EFFICIENCY * s[State.CURRENT_A] * s[State.VOLTAGE_V]
    s[State.PLATE_TEMPERATURE_K] += period_s * heat.plate_warming_k_s(
        c[Constant.PLATE_HEAT_SHARE] * power,
        s[State.PLATE_TEMPERATURE_K],
        c[Constant.AMBIENT_TEMPERATURE_K],
        capacity,
        c[Constant.PLATE_DECAY_S],
    )
    _measure(s, f, u, c)
    fallen = 1.0 if f[Feature.BURN_THROUGH] > 0.0 else 0.0
    s[State.HOLE] += (1.0 - math.exp(-period_s / 0.1)) * (fallen - s[State.HOLE])
    seen = _measure_heat(s, u, c)
    s[State.PYROMETER_K] += (1.0 - math.exp(-period_s / 0.4)) * (seen - s[State.PYROMETER_K])


@register_jitable
def _signal_spread(s, u, c):
    """Standard deviations of current and voltage within the step, contact rate and transfer mode.

    Dip 65 A and 6.5 V, globular 35 A and 3.5 V, spray 10 A and 1 V are the middles of textbook ranges.
    Lost gas raises the voltage's by up to 80 %.
    """
    current, voltage = s[State.CURRENT_A], s[State.VOLTAGE_V]
    transition = c[Constant.SPRAY_TRANSITION_A]
    synergic = arc.synergic_voltage_v(
        current, c[Constant.SYNERGIC_INTERCEPT_V], c[Constant.SYNERGIC_SLOPE_V_A]
    )
    dip = arc.dip_share(current, voltage, c[Constant.DIP_CHANGE_WIDTH])
    spray = arc.spray_share(current, voltage, transition) * (1.0 - dip)
    globular = 1.0 - dip - spray
    lost = 1.0 - s[State.SHIELDING]
    cold = max(synergic - voltage, 0.0)
    current_std = 65.0 * dip + 35.0 * globular + 10.0 * spray
    voltage_std = (6.5 * dip + 3.5 * globular + 1.0 * spray) * (1.0 + 0.8 * lost + 0.08 * cold)
    rate = arc.short_circuit_rate_hz(
        c[Constant.CONTACT_FACTOR] * u[Input.WIRE_FEED_M_S] * u[Input.WIRE_SLIP],
        current,
        voltage,
        synergic,
        transition,
        c[Constant.DIP_CHANGE_WIDTH],
    )
    mode = 3.0 if spray > 0.5 else (1.0 if arc.is_dip(current, voltage) else 2.0)
    return current_std, voltage_std, rate * (1.0 + 0.3 * lost), mode


@register_jitable
def _sum_signals(s, u, c, out, spare):
    """Add one step to the sums in the signal row; deviations are summed as squares."""
    current_std, voltage_std, rate, s[State.TRANSFER_MODE] = _signal_spread(s, u, c)
    # About sixteen samples' worth of events per step of 10 ms: the step's own mean still scatters.
    current_shift, voltage_shift = 0.25 * current_std * spare, -0.25 * voltage_std * spare
    out[Signal.CURRENT_MEAN_A] += s[State.CURRENT_A] + current_shift
    out[Signal.CURRENT_STD_A] += current_std * current_std + current_shift * current_shift
    out[Signal.VOLTAGE_MEAN_V] += s[State.VOLTAGE_V] + voltage_shift
    out[Signal.VOLTAGE_STD_V] += voltage_std * voltage_std + voltage_shift * voltage_shift
    out[Signal.SHORT_CIRCUIT_RATE_HZ] += rate
    out[Signal.WIRE_FEED_M_S] += u[Input.WIRE_FEED_M_S]


@register_jitable
def _summarise(s, c, out, generator, steps):
    """Turn the sums of one advance into means and deviations, with what a finite window leaves uncertain."""
    first, second = _normals(generator)
    third, fourth = _normals(generator)
    out[:] /= steps
    out[Signal.WIRE_FEED_M_S] *= 1.0 + 0.005 * first
    out[Signal.PYROMETER_K] = s[State.PYROMETER_K] + c[Constant.PYROMETER_NOISE_K] * second
    out[Signal.CURRENT_MEAN_A] = max(out[Signal.CURRENT_MEAN_A], 0.0)
    out[Signal.CURRENT_STD_A] = math.sqrt(out[Signal.CURRENT_STD_A]) * max(1.0 + 0.15 * third, 0.0)
    out[Signal.VOLTAGE_MEAN_V] = max(out[Signal.VOLTAGE_MEAN_V], 0.0)
    out[Signal.VOLTAGE_STD_V] = math.sqrt(out[Signal.VOLTAGE_STD_V]) * max(1.0 + 0.12 * fourth, 0.0)
    out[Signal.SHORT_CIRCUIT_RATE_HZ] *= max(1.0 + 0.15 * first, 0.0)


@register_jitable
def _advance_cell(begin, end, s, f, u, c, out, generator, steps, period_s):
    out[:] = 0.0
    for step in range(steps):
        share = (step + 1.0) / steps
        for k in range(u.shape[0]):
            u[k] = begin[k] + share * (end[k] - begin[k])
        u[Input.ARC_ON] = end[Input.ARC_ON]
        if u[Input.ARC_ON] < 0.5:
            _rest(s, f, c, period_s)
            continue
        if s[State.ARC_ON] < 0.5:
            _strike(s, u, c)
        spare = _step_noise(s, u, c, generator, period_s)
        _weld(s, f, u, c, period_s)
        _sum_signals(s, u, c, out, spare)
    _summarise(s, c, out, generator, steps)


@register_jitable
def _predict_cell(u, c, plate_k, s, f, p):
    s[:] = 0.0
    s[State.PLATE_TEMPERATURE_K] = plate_k
    _strike(s, u, c)
    _measure(s, f, u, c)
    p[Prediction.ROOT_INDEX] = s[State.ROOT_INDEX]
    nominal = bead.deposited_area_m2(
        c[Constant.NOMINAL_WIRE_FEED_M_S], c[Constant.NOMINAL_SPEED_M_S], c[Constant.DEPOSITION_EFFICIENCY]
    )
    p[Prediction.AREA_RATIO] = s[State.AREA_M2] / nominal
    p[Prediction.WIDTH_M] = s[State.WIDTH_M]
    p[Prediction.PENETRATION_M] = s[State.PENETRATION_M]
    p[Prediction.CURRENT_A] = s[State.CURRENT_A]
    p[Prediction.VOLTAGE_V] = s[State.VOLTAGE_V]
    p[Prediction.HEAT_PER_THICKNESS_J_M2] = s[State.HEAT_PER_THICKNESS_J_M2]
    p[Prediction.COOLING_TIME_S] = s[State.COOLING_TIME_S]
    p[Prediction.LEFT_LEG_M] = s[State.LEFT_LEG_M]
    p[Prediction.RIGHT_LEG_M] = s[State.RIGHT_LEG_M]
    p[Prediction.THROAT_M] = s[State.THROAT_M]
    p[Prediction.CAP_HEIGHT_M] = s[State.CAP_HEIGHT_M]


def _entry_points(sources):
    """Compile the two calls that Python makes; `sources` keys their cache on disk.

    Numba recompiles a cached function when its own file changes. These two also contain what
    other modules define, whose checksum as a closure variable becomes part of the key.
    """

    @njit(cache=True)
    def advance(begin, end, now, constants, state, features, signals, generators, steps, period_s):
        if sources < 0:
            return
        for cell in range(begin.shape[0]):
            _advance_cell(
                begin[cell],
                end[cell],
                state[cell],
                features[cell],
                now[cell],
                constants[cell],
                signals[cell],
                generators[cell],
                steps,
                period_s,
            )

    @njit(cache=True)
    def predict(inputs, constants, state, scratch, features, out):
        if sources < 0:
            return
        for cell in range(inputs.shape[0]):
            plate_k = state[cell, State.PLATE_TEMPERATURE_K]
            _predict_cell(inputs[cell], constants[cell], plate_k, scratch[cell], features[cell], out[cell])

    return advance, predict


def _checksum():
    names = ("arc", "heat", "bead", "columns", "quality")
    return zlib.crc32(b"".join(Path(__file__).with_name(f"{name}.py").read_bytes() for name in names))


advance, predict = _entry_points(_checksum())
