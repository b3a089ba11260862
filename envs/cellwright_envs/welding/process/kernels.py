# mypy: disable-error-code="no-untyped-def, no-untyped-call"
"""Compiled steps of the weld process of one cell: arc, pool and heat, and the order of all in time.

Rows: `s` state, `f` features, `u` inputs and `c` constants of the cell.
"""

import math
import zlib
from pathlib import Path

from cellwright_envs.welding.inspection import quality
from cellwright_envs.welding.inspection.quality import Feature
from cellwright_envs.welding.process import arc, bead, columns, heat, imperfections, noise, signals, toe
from cellwright_envs.welding.process.columns import Constant, Input, Prediction, State
from cellwright_envs.welding.process.imperfections import measure_bead
from cellwright_envs.welding.process.noise import step_noise
from cellwright_envs.welding.process.signals import sum_signals, summarise
from cellwright_perception.compiled import compilable, compiled

SHORTEST_ARC_M = 0.2e-3


@compilable
def _clip(value, low, high):
    return min(max(value, low), high)


@compilable
def _tip_distance_m(u, hole, c):
    return max(
        u[Input.CONTACT_TIP_DISTANCE_M] - u[Input.TACK_HEIGHT_M] + hole * c[Constant.HOLE_DEPTH_M], 4e-3
    )


@compilable
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


@compilable
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


@compilable
def _voltage(current, u, hole, c):
    """Voltage at the meter: the setpoint holds at the nominal current, the source droops around it."""
    droop = c[Constant.SOURCE_RESISTANCE_OHM] * (current - c[Constant.REFERENCE_CURRENT_A])
    return max(u[Input.VOLTAGE_V] + u[Input.SUPPLY_OFFSET_V] - droop + hole * c[Constant.HOLE_VOLTAGE_V], 5.0)


@compilable
def _penetration(current, voltage, synergic, speed, c):
    """Penetration of the published fit at the programme, moved from there by the drawn exponents."""
    usual_a, usual_m_s = c[Constant.REFERENCE_CURRENT_A], c[Constant.NOMINAL_SPEED_M_S]
    if usual_a <= 0.0:  # asked for the programme's own current
        usual_a = current
    depth = bead.penetration_m(usual_a, usual_m_s) * c[Constant.PENETRATION_FACTOR] / bead.PENETRATION_FACTOR
    depth *= (current / usual_a) ** c[Constant.PENETRATION_CURRENT_EXPONENT]
    depth *= (speed / usual_m_s) ** c[Constant.PENETRATION_SPEED_EXPONENT]
    return depth * (voltage / synergic) ** c[Constant.PENETRATION_VOLTAGE_EXPONENT]


@compilable
def _pool(current, voltage, plate_k, u, c):
    """Area, width and penetration that these values lead to, without lag and noise."""
    speed = max(u[Input.TRAVEL_SPEED_M_S], bead.MINIMUM_SPEED_M_S)
    area = bead.deposited_area_m2(
        u[Input.WIRE_FEED_M_S] * u[Input.WIRE_SLIP],
        speed,
        c[Constant.DEPOSITION_EFFICIENCY],
        c[Constant.WIRE_DIAMETER_M],
    )
    synergic = arc.synergic_voltage_v(
        current, c[Constant.SYNERGIC_INTERCEPT_V], c[Constant.SYNERGIC_SLOPE_V_A]
    )
    width = bead.width_m(area, voltage, synergic, c[Constant.WIDTH_FACTOR])
    depth = _penetration(current, voltage, synergic, speed, c)
    depth *= 1.0 + c[Constant.TEMPERATURE_SLOPE_PER_K] * (plate_k - 293.15)
    depth *= 1.0 - c[Constant.PUSH_SLOPE_PER_RAD] * u[Input.PUSH_ANGLE_RAD]
    depth *= bead.offset_factor(u[Input.LATERAL_OFFSET_M], width, c[Constant.OFFSET_SCALE])
    return area, width, depth


@compilable
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


@compilable
def _measure_heat(s, u, c):
    """Cooling time and the temperature where the pyrometer looks."""
    speed, thickness = max(u[Input.TRAVEL_SPEED_M_S], bead.MINIMUM_SPEED_M_S), u[Input.THICKNESS_M]
    line = heat.heat_input_j_m(s[State.CURRENT_A], s[State.VOLTAGE_V], speed)
    # Shape factors of EN 1011-2: 0.9 filler run in a butt joint, 0.67 fillet.
    shape = 0.9 if c[Constant.JOINT] == 2.0 else 0.67
    plate_k = s[State.PLATE_TEMPERATURE_K]
    s[State.COOLING_TIME_S] = heat.cooling_time_s(line, thickness, min(plate_k, 700.0), shape, shape)
    delay = c[Constant.PYROMETER_DISTANCE_M] / speed
    # That infrared shows penetration is published.
    line *= (c[Constant.PENETRATION_FACTOR] / bead.PENETRATION_FACTOR) ** c[Constant.PENETRATION_HEAT]
    return heat.temperature_behind_arc_k(line * shape, thickness, plate_k, delay, c[Constant.HOTTEST_RISE_K])


@compilable
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


@compilable
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


@compilable
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
        c[Constant.PLATE_HEAT_FRACTION] * power,
        s[State.PLATE_TEMPERATURE_K],
        c[Constant.AMBIENT_TEMPERATURE_K],
        capacity,
        c[Constant.PLATE_DECAY_S],
    )
    measure_bead(s, f, u, c)
    fallen = 1.0 if f[Feature.BURN_THROUGH] > 0.0 else 0.0
    s[State.HOLE] += (1.0 - math.exp(-period_s / 0.1)) * (fallen - s[State.HOLE])
    seen = _measure_heat(s, u, c)
    s[State.PYROMETER_K] += (1.0 - math.exp(-period_s / 0.4)) * (seen - s[State.PYROMETER_K])


@compilable
def _advance_cell(begin, end, s, f, u, c, out, generator, steps, period_s):
    out[:] = 0.0
    for step in range(steps):
        fraction = (step + 1.0) / steps
        for k in range(u.shape[0]):
            u[k] = begin[k] + fraction * (end[k] - begin[k])
        u[Input.ARC_ON] = end[Input.ARC_ON]
        if u[Input.ARC_ON] < 0.5:
            _rest(s, f, c, period_s)
            continue
        if s[State.ARC_ON] < 0.5:
            _strike(s, u, c)
        spare = step_noise(s, u, c, generator, period_s)
        _weld(s, f, u, c, period_s)
        sum_signals(s, u, c, out, spare)
    summarise(s, c, out, generator, steps)


@compilable
def _predict_cell(u, c, plate_k, s, f, p):
    s[:] = 0.0
    s[State.PLATE_TEMPERATURE_K] = plate_k
    _strike(s, u, c)
    measure_bead(s, f, u, c)
    p[Prediction.ROOT_INDEX] = s[State.ROOT_INDEX]
    nominal = bead.deposited_area_m2(
        c[Constant.NOMINAL_WIRE_FEED_M_S],
        c[Constant.NOMINAL_SPEED_M_S],
        c[Constant.DEPOSITION_EFFICIENCY],
        c[Constant.WIRE_DIAMETER_M],
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

    @compiled
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

    @compiled
    def predict(inputs, constants, state, scratch, features, out):
        if sources < 0:
            return
        for cell in range(inputs.shape[0]):
            plate_k = state[cell, State.PLATE_TEMPERATURE_K]
            _predict_cell(inputs[cell], constants[cell], plate_k, scratch[cell], features[cell], out[cell])

    return advance, predict


def _checksum():
    modules = (arc, heat, bead, columns, quality, imperfections, noise, signals, toe)
    return zlib.crc32(b"".join(Path(str(module.__file__)).read_bytes() for module in modules))


advance, predict = _entry_points(_checksum())
