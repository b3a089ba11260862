"""Behaviour of the weld process in time."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright_envs.welding.inspection.bead_record import BeadRecord
from cellwright_envs.welding.inspection.editions import CODES
from cellwright_envs.welding.inspection.quality import Feature, WeldJoint
from cellwright_envs.welding.process import arc
from cellwright_envs.welding.process.kernels import advance
from cellwright_envs.welding.process.weld_process import (
    Input,
    Prediction,
    ProcessConstants,
    Signal,
    State,
    WeldConditions,
    WeldProcess,
    draw_constants,
)

QUIET = ProcessConstants(penetration_noise=0.0, width_noise=0.0, height_noise=0.0)


def procedure(
    joint: WeldJoint, plate_mm: tuple[float, float], current_a: float, voltage_v: float, speed: float
) -> WeldConditions:
    """Weld plate of a thickness and gap [mm] at a current [A] and a speed [cm/min]."""
    thickness_mm, gap_mm = plate_mm
    return WeldConditions(
        joint=joint,
        thickness_m=thickness_mm * 1e-3,
        gap_m=gap_mm * 1e-3,
        wire_feed_m_s=float(arc.melting_rate_m_s(current_a, 12e-3)),
        voltage_v=voltage_v,
        travel_speed_m_s=speed / 6000.0,
    )


BUTT = procedure(WeldJoint.BUTT, (3.2, 1.1), 150.0, 22.0, 45.0)
TEE = procedure(WeldJoint.T_FILLET, (3.2, 0.0), 150.0, 20.0, 50.0)
LAP = procedure(WeldJoint.LAP, (2.3, 0.0), 130.0, 20.0, 55.0)
PROCEDURES = (
    LAP,
    procedure(WeldJoint.LAP, (1.6, 0.0), 105.0, 19.0, 55.0),
    procedure(WeldJoint.LAP, (3.2, 0.0), 150.0, 20.0, 50.0),
    procedure(WeldJoint.T_FILLET, (2.3, 0.0), 130.0, 20.0, 55.0),
    TEE,
    procedure(WeldJoint.T_FILLET, (4.5, 0.0), 210.0, 23.0, 50.0),
    procedure(WeldJoint.T_FILLET, (6.0, 0.0), 265.0, 27.5, 45.0),
    procedure(WeldJoint.BUTT, (1.6, 0.2), 115.0, 20.0, 65.0),
    procedure(WeldJoint.BUTT, (2.0, 0.5), 122.0, 20.5, 57.0),
    BUTT,
    procedure(WeldJoint.BUTT, (4.5, 1.25), 185.0, 23.5, 42.0),
)


def started(weld: WeldConditions, constants: ProcessConstants = QUIET, seed: int = 0, cells: int = 1):
    """A process with its arc burning for 20 ms, and the inputs of its programme (cells, Input)."""
    process = WeldProcess(cells)
    rng = np.random.default_rng(seed)
    for cell in range(cells):
        process.reset(cell, constants, weld, rng)
    inputs = np.repeat(weld.inputs()[None], cells, axis=0)
    process.advance(inputs, inputs, 2)
    return process, inputs


def changed(inputs: np.ndarray, **columns: float) -> np.ndarray:
    """Copy of `inputs` with columns replaced."""
    copy = inputs.copy()
    for name, value in columns.items():
        copy[:, Input[name]] = value
    return copy


def welded(weld: WeldConditions, constants: ProcessConstants, seed: int = 0, **columns: float):
    """Scorecard of 200 mm with constant disturbances, toe angles aside: thin butts miss those of B."""
    process, inputs = started(weld, constants, seed)
    inputs = changed(inputs, **columns)
    record = BeadRecord(1, 0.2, "2023-en1090")
    record.reset(0, weld.joint, 0.2)
    position_m = np.zeros(1)
    while position_m[0] < 0.2:
        process.advance(inputs, inputs, 4)
        end_m = position_m + 0.04 * inputs[:, Input.TRAVEL_SPEED_M_S]
        record.add(position_m, end_m, process.state[:, State.ARC_ON], process.features)
        position_m = end_m
    return record.scorecard(0, tracking_errors_m=np.zeros(1), cycle_time_s=1.0, crashed=False)


@pytest.mark.parametrize("weld", PROCEDURES, ids=lambda w: f"{w.joint.name} {w.thickness_m * 1e3:.1f} mm")
def test_recommended_procedures_grade_b_without_process_noise(weld: WeldConditions) -> None:
    assert welded(weld, QUIET).passed["B"]


@pytest.mark.parametrize("weld", PROCEDURES, ids=lambda w: f"{w.joint.name} {w.thickness_m * 1e3:.1f} mm")
def test_recommended_procedures_nearly_always_grade_c_with_process_noise(weld: WeldConditions) -> None:
    assert sum(welded(weld, ProcessConstants(), seed).passed["C"] for seed in range(20)) >= 18


def test_one_seed_is_one_weld() -> None:
    runs = [started(BUTT, ProcessConstants(), seed) for seed in (3, 3, 4)]
    for process, inputs in runs:
        process.advance(inputs, inputs, 100)
    np.testing.assert_array_equal(runs[0][0].state, runs[1][0].state)
    np.testing.assert_array_equal(runs[0][0].signals, runs[1][0].signals)
    assert not np.array_equal(runs[0][0].signals, runs[2][0].signals)


def test_cells_do_not_influence_each_other() -> None:
    welds = (BUTT, TEE, LAP)
    together = WeldProcess(3)
    inputs = np.stack([weld.inputs() for weld in welds])
    for cell, weld in enumerate(welds):
        together.reset(cell, ProcessConstants(), weld, np.random.default_rng(cell))
    together.advance(inputs, inputs, 60)
    for cell, weld in enumerate(welds):
        alone = WeldProcess(1)
        alone.reset(0, ProcessConstants(), weld, np.random.default_rng(cell))
        alone.advance(weld.inputs()[None], weld.inputs()[None], 60)
        np.testing.assert_array_equal(alone.state[0], together.state[cell])
        np.testing.assert_array_equal(alone.features[0], together.features[cell])
        np.testing.assert_array_equal(alone.signals[0], together.signals[cell])


def test_advance_is_steps_with_interpolated_inputs() -> None:
    slow, inputs = started(BUTT)
    fast, _ = started(BUTT)
    end = changed(inputs, TRAVEL_SPEED_M_S=9e-3, WIRE_FEED_M_S=0.07, CONTACT_TIP_DISTANCE_M=17e-3)
    fast.advance(inputs, end, 1)
    slow.step(end)
    np.testing.assert_array_equal(fast.state, slow.state)
    fast, _ = started(BUTT)
    slow, _ = started(BUTT)
    fast.advance(inputs, end, 4)
    # Without process noise the state does not depend on how many signal summaries were drawn in between.
    for fraction in (0.25, 0.5, 0.75, 1.0):
        slow.step(inputs + fraction * (end - inputs))
    physical = [*range(State.PENETRATION_NOISE), *range(State.ARC_ON, len(State))]
    np.testing.assert_allclose(fast.state[:, physical], slow.state[:, physical], rtol=1e-12)


def test_the_arc_starts_steady_and_a_good_programme_stays_there() -> None:
    process, inputs = started(BUTT)
    prediction = process.steady(inputs)[0].copy()
    for column, predicted in (
        (State.CURRENT_A, Prediction.CURRENT_A),
        (State.WIDTH_M, Prediction.WIDTH_M),
        (State.PENETRATION_M, Prediction.PENETRATION_M),
    ):
        assert process.state[0, column] == pytest.approx(prediction[predicted], rel=0.01)
    process.advance(inputs, inputs, 300)
    assert process.state[0, State.CURRENT_A] == pytest.approx(prediction[Prediction.CURRENT_A], rel=0.01)


@settings(deadline=None, max_examples=30)
@given(
    st.sampled_from(PROCEDURES),
    st.floats(0.8, 1.2),
    st.floats(-2.0, 2.0),
    st.floats(0.75, 1.25),
    st.floats(-2e-3, 2e-3),
)
def test_the_process_settles_at_its_prediction(
    weld: WeldConditions, feed: float, volts: float, speed: float, tip_m: float
) -> None:
    process, inputs = started(weld)
    moved = changed(
        inputs,
        WIRE_FEED_M_S=weld.wire_feed_m_s * feed,
        VOLTAGE_V=weld.voltage_v + volts,
        TRAVEL_SPEED_M_S=weld.travel_speed_m_s * speed,
        CONTACT_TIP_DISTANCE_M=weld.contact_tip_distance_m + tip_m,
    )
    process.advance(moved, moved, 400)
    if process.state[0, State.HOLE] > 0.0:
        return
    prediction = process.steady(moved)[0]
    assert process.state[0, State.CURRENT_A] == pytest.approx(prediction[Prediction.CURRENT_A], rel=0.01)
    assert process.state[0, State.WIDTH_M] == pytest.approx(prediction[Prediction.WIDTH_M], rel=0.01)
    assert process.state[0, State.ROOT_INDEX] == pytest.approx(prediction[Prediction.ROOT_INDEX], rel=0.01)


@given(st.floats(0.03, 0.15), st.floats(5e-3, 20e-3), st.floats(1.01, 1.5))
def test_current_rises_with_feed_and_falls_with_extension(
    feed: float, extension_m: float, more: float
) -> None:
    current_a = arc.steady_current_a(feed, extension_m)
    assert arc.steady_current_a(feed * more, extension_m) > current_a
    assert arc.steady_current_a(feed, extension_m * more) < current_a
    assert arc.melting_rate_m_s(current_a, extension_m) == pytest.approx(feed)


@pytest.mark.parametrize("feed_m_min", [4.0, 7.0, 9.0])
def test_current_is_a_height_sensor(feed_m_min: float) -> None:
    weld = WeldConditions(
        joint=WeldJoint.T_FILLET,
        thickness_m=6e-3,
        wire_feed_m_s=feed_m_min / 60,
        voltage_v=float(arc.synergic_voltage_v(arc.steady_current_a(feed_m_min / 60, 12e-3))),
        travel_speed_m_s=8e-3,
    )
    process, inputs = started(weld)
    current_a = [
        process.steady(changed(inputs, CONTACT_TIP_DISTANCE_M=tip_m))[0, Prediction.CURRENT_A]
        for tip_m in (14.5e-3, 15.5e-3)
    ]
    assert -0.027 < current_a[1] / current_a[0] - 1.0 < -0.012


@pytest.mark.parametrize(
    ("name", "low", "high", "column", "sign"),
    [
        ("WIRE_FEED_M_S", 0.05, 0.07, Prediction.ROOT_INDEX, 1),
        ("TRAVEL_SPEED_M_S", 6e-3, 9e-3, Prediction.ROOT_INDEX, -1),
        ("GAP_M", 0.5e-3, 1.2e-3, Prediction.ROOT_INDEX, 1),
        ("THICKNESS_M", 3.0e-3, 3.5e-3, Prediction.ROOT_INDEX, -1),
        ("CONTACT_TIP_DISTANCE_M", 12e-3, 18e-3, Prediction.ROOT_INDEX, -1),
        ("WIRE_SLIP", 0.9, 1.0, Prediction.ROOT_INDEX, 1),
        ("LATERAL_OFFSET_M", 0.0, 1e-3, Prediction.ROOT_INDEX, -1),
        ("PUSH_ANGLE_RAD", -0.2, 0.2, Prediction.ROOT_INDEX, -1),
        ("TACK_HEIGHT_M", 0.0, 1e-3, Prediction.ROOT_INDEX, -1),
        ("VOLTAGE_V", 19.0, 22.0, Prediction.WIDTH_M, 1),
        ("GAP_M", 0.5e-3, 1.2e-3, Prediction.CAP_HEIGHT_M, -1),
        ("TRAVEL_SPEED_M_S", 6e-3, 9e-3, Prediction.COOLING_TIME_S, -1),
    ],
)
def test_each_input_acts_in_its_direction(name: str, low: float, high: float, column: int, sign: int) -> None:
    process, inputs = started(BUTT)
    values = [process.steady(changed(inputs, **{name: value}))[0, column] for value in (low, high)]
    assert sign * (values[1] - values[0]) > 0


@given(st.floats(0.0, 3e-3))
@settings(deadline=None)
def test_an_offset_to_either_side_swaps_the_legs_of_a_t_fillet(offset_m: float) -> None:
    process, inputs = started(TEE)
    left = process.steady(changed(inputs, LATERAL_OFFSET_M=offset_m))[0].copy()
    right = process.steady(changed(inputs, LATERAL_OFFSET_M=-offset_m))[0].copy()
    assert left[Prediction.LEFT_LEG_M] == pytest.approx(right[Prediction.RIGHT_LEG_M])
    assert left[Prediction.LEFT_LEG_M] >= left[Prediction.RIGHT_LEG_M]


def test_the_upper_leg_of_a_lap_weld_ends_with_its_plate() -> None:
    process, inputs = started(LAP)
    prediction = process.steady(inputs)[0]
    assert prediction[Prediction.LEFT_LEG_M] == pytest.approx(2.3e-3)
    assert prediction[Prediction.RIGHT_LEG_M] > prediction[Prediction.LEFT_LEG_M]


def failures(weld: WeldConditions, **columns: float) -> set[int]:
    return set(welded(weld, QUIET, **columns).defect_length_by_code_m)


@pytest.mark.parametrize(
    ("weld", "columns", "code"),
    [
        (BUTT, {"WIRE_FEED_M_S": 0.036}, 4021),
        (BUTT, {"GAP_M": 2.2e-3}, 510),
        (BUTT, {"TRAVEL_SPEED_M_S": 3e-3}, 510),
        (BUTT, {"MISALIGNMENT_M": -0.8e-3}, 507),
        (BUTT, {"GAS_FLOW_L_MIN": 5.0}, 2017),
        (BUTT, {"DRAUGHT_M_S": 4.0}, 2017),
        (BUTT, {"WIRE_FEED_M_S": 0.14, "VOLTAGE_V": 26.0}, 510),
        (BUTT, {"VOLTAGE_V": 16.0}, 401),
        (BUTT, {"LATERAL_OFFSET_M": 3e-3}, 401),
        (TEE, {"LATERAL_OFFSET_M": 2.6e-3}, 402),
        (TEE, {"LATERAL_OFFSET_M": 2.2e-3}, 512),
        (TEE, {"WORK_ANGLE_RAD": 0.6}, 5011),
        (TEE, {"GAP_M": 2.5e-3}, 5213),
        (TEE, {"VOLTAGE_V": 30.0}, 5011),
        (LAP, {"TRAVEL_SPEED_M_S": 18e-3}, 5011),
    ],
)
def test_each_fault_shows_its_code(weld: WeldConditions, columns: dict[str, float], code: int) -> None:
    assert code in failures(weld, **columns)


def test_wire_that_slips_lowers_the_current_but_not_the_motor_speed() -> None:
    process, inputs = started(TEE)
    process.advance(inputs, inputs, 400)
    before = process.signals[0].copy()
    slipping = changed(inputs, WIRE_SLIP=0.85)
    process.advance(slipping, slipping, 400)
    assert process.signals[0, Signal.WIRE_FEED_M_S] == pytest.approx(before[Signal.WIRE_FEED_M_S], rel=0.03)
    assert process.signals[0, Signal.CURRENT_MEAN_A] < 0.93 * before[Signal.CURRENT_MEAN_A]


def test_lost_gas_unsettles_the_voltage() -> None:
    process, inputs = started(TEE)
    process.advance(inputs, inputs, 400)
    before = process.signals[0].copy()
    lost = changed(inputs, GAS_FLOW_L_MIN=3.0)
    process.advance(lost, lost, 400)
    ratio = process.signals[0, Signal.VOLTAGE_STD_V] / before[Signal.VOLTAGE_STD_V]
    assert 1.3 < ratio < 2.4
    assert process.signals[0, Signal.CURRENT_MEAN_A] == pytest.approx(before[Signal.CURRENT_MEAN_A], rel=0.05)


def test_burn_through_lengthens_the_arc() -> None:
    process, inputs = started(BUTT)
    process.advance(inputs, inputs, 100)
    before = process.state[0].copy()
    gaping = changed(inputs, GAP_M=2.2e-3)
    process.advance(gaping, gaping, 20)
    assert process.state[0, State.CURRENT_A] < 0.95 * before[State.CURRENT_A]
    assert process.state[0, State.VOLTAGE_V] > before[State.VOLTAGE_V] + 0.5


@pytest.mark.parametrize(
    ("weld", "current_std_a", "voltage_std_v"), [(TEE, (40, 90), (5, 8)), (PROCEDURES[6], (20, 50), (2, 5))]
)
def test_signals_scatter_as_their_transfer_mode_does(
    weld: WeldConditions, current_std_a: tuple[float, float], voltage_std_v: tuple[float, float]
) -> None:
    process, inputs = started(weld)
    process.advance(inputs, inputs, 1000)
    assert current_std_a[0] < process.signals[0, Signal.CURRENT_STD_A] < current_std_a[1] * 1.3
    assert voltage_std_v[0] < process.signals[0, Signal.VOLTAGE_STD_V] < voltage_std_v[1] * 1.3


def test_without_arc_nothing_is_deposited_and_the_plate_cools() -> None:
    process, inputs = started(BUTT)
    process.advance(inputs, inputs, 1000)
    warm_k = process.state[0, State.PLATE_TEMPERATURE_K]
    off = changed(inputs, ARC_ON=0.0)
    process.advance(off, off, 1000)
    assert 293.15 < process.state[0, State.PLATE_TEMPERATURE_K] < warm_k
    assert process.signals[0, Signal.CURRENT_MEAN_A] == 0.0
    assert not process.features[0].any()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from(PROCEDURES))
def test_nothing_drives_the_process_to_nonsense(seed: int, weld: WeldConditions) -> None:
    rng = np.random.default_rng(seed)
    process = WeldProcess(1)
    process.reset(0, draw_constants(rng), weld, rng)
    low = np.array([0.0, 8, 0.0, 0, 2e-3, -8e-3, -1, -0.6, 0.0, -3e-3, 0.5e-3, 0.0, 0.3, -5, 0.0, 0.0])
    high = np.array([0.3, 45, 0.05, 1, 40e-3, 8e-3, 1, 0.6, 6e-3, 3e-3, 10e-3, 4e-3, 1.0, 5, 40, 10])
    begin = rng.uniform(low, high)[None]
    for _ in range(20):
        end = rng.uniform(low, high)[None]
        end[:, Input.ARC_ON] = rng.random() < 0.9
        process.advance(begin, end, 4)
        for values in (process.state, process.features, process.signals, process.steady(end)):
            assert np.isfinite(values).all()
        assert (process.features >= 0.0).all()
        begin = end


@pytest.mark.parametrize(
    ("name", "weld", "inputs", "row", "column"),
    [
        ("fillet_fullness", TEE, {}, "state", State.LEFT_LEG_M),
        ("undercut_factor", TEE, {"TRAVEL_SPEED_M_S": 18e-3}, "features", Feature.UNDERCUT),
        ("root_bead_factor", BUTT, {}, "features", Feature.ROOT_HEIGHT),
        ("root_bead_factor", BUTT, {}, "features", Feature.ROOT_WIDTH),
        ("pore_diameter_m", TEE, {"GAS_FLOW_L_MIN": 0.0}, "features", Feature.PORE_DIAMETER),
        ("shielding_width", TEE, {"GAS_FLOW_L_MIN": 9.5}, "state", State.SHIELDING),
        ("plate_heat_fraction", TEE, {}, "state", State.PLATE_TEMPERATURE_K),
        ("hottest_rise_k", TEE, {}, "state", State.PYROMETER_K),
        ("dip_change_width", TEE, {"VOLTAGE_V": 23.0}, "signals", Signal.SHORT_CIRCUIT_RATE_HZ),
        ("contact_factor", TEE, {}, "signals", Signal.SHORT_CIRCUIT_RATE_HZ),
    ],
)
def test_each_drawn_assumption_acts(
    name: str, weld: WeldConditions, inputs: dict[str, float], row: str, column: int
) -> None:
    central, values = ProcessConstants(), []
    for factor in (1.0, 1.2):
        constants = dataclasses.replace(central, **{name: factor * getattr(central, name)})
        process = WeldProcess(1)
        process.reset(0, constants, weld, np.random.default_rng(0))
        now = weld.inputs()[None].copy()
        for input_name, value in inputs.items():
            now[0, Input[input_name]] = value
        for _ in range(200):
            process.step(now)
        values.append(getattr(process, row)[0, column])
    assert values[0] > 0.0
    assert abs(values[1] / values[0] - 1.0) > 1e-3


def test_what_digs_deeper_heats_the_plate_behind_the_arc_more() -> None:
    seen_k = []
    for exponent in (0.0, 1.0):
        deeper = 1.2 * ProcessConstants().penetration_factor
        deep = ProcessConstants(penetration_heat=exponent, penetration_factor=deeper)
        process = WeldProcess(1)
        process.reset(0, deep, TEE, np.random.default_rng(0))
        for _ in range(200):
            process.step(TEE.inputs()[None])
        seen_k.append(process.state[0, State.PYROMETER_K])
    assert seen_k[1] > seen_k[0] + 5.0


def test_a_gap_wider_than_the_plate_is_refused() -> None:
    with pytest.raises(ValueError, match="gap_m"):
        procedure(WeldJoint.BUTT, (1.0, 1.5), 100.0, 18.0, 50.0)


def test_the_kernel_is_compiled_once_for_all_callers() -> None:
    process, inputs = started(BUTT)
    process.advance(inputs, inputs, 4)
    process.step(inputs)
    assert len(advance.signatures) == 1
    assert len(CODES) == len(set(CODES)) <= 63
    assert process.features.shape[1] == len(Feature)


def test_current_follows_the_voltage_with_the_lag_of_its_circuit() -> None:
    """First order: of 8 ms, 1 - exp(-10 / 8) = 71 % of the way after 10 ms; the wire melts on meanwhile."""
    constants = ProcessConstants()
    weld = WeldConditions(
        joint=WeldJoint.T_FILLET,
        thickness_m=6e-3,
        wire_feed_m_s=0.12,
        voltage_v=28.0,
        travel_speed_m_s=8e-3,
    )
    process = WeldProcess(1, period_s=0.01)
    process.reset(0, constants, weld, np.random.default_rng(0))
    inputs = weld.inputs()[None]
    process.advance(inputs, inputs, 200)
    before_a, extension_m = process.state[0, [State.CURRENT_A, State.EXTENSION_M]]
    raised = inputs.copy()
    raised[0, Input.VOLTAGE_V] += 1.0
    process.advance(raised, raised, 1)
    resistance_ohm = (
        constants.source_resistance_ohm
        + constants.arc_resistance_ohm
        + constants.wire_resistance_ohm_m * extension_m
    )
    moved = (process.state[0, State.CURRENT_A] - before_a) / (1.0 / resistance_ohm)
    assert moved == pytest.approx(0.71, abs=0.08)
