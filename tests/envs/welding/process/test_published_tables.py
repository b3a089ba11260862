"""The process model against published welding tables; of beads only form and slopes are compared."""

import numpy as np
import pytest

from cellwright_envs.welding.inspection.quality import Feature, WeldJoint
from cellwright_envs.welding.process import arc, bead, heat
from cellwright_envs.welding.process.weld_process import (
    Input,
    Prediction,
    ProcessConstants,
    State,
    WeldConditions,
    WeldProcess,
)
from tests.envs.welding.process.published_tables import (
    BEADS,
    BUTTS,
    FILLETS,
    conditions,
    extension_m,
    middles,
)


def features_of(weld: WeldConditions) -> tuple[np.ndarray, np.ndarray]:
    """Noise-free steady state and imperfections of one undisturbed weld."""
    process = WeldProcess(1)
    process.reset(0, ProcessConstants(), weld, np.random.default_rng(0))
    inputs = weld.inputs()[None]
    return process.steady(inputs)[0].copy(), process.steady_features(inputs)[0].copy()


def test_deposited_area_at_six_metres_a_minute() -> None:
    area_m2 = bead.deposited_area_m2(0.1, 8e-3, deposition_efficiency=1.0)
    assert area_m2 == pytest.approx(14.14e-6, rel=0.01)


def test_current_falls_with_stick_out_as_fronius_publishes() -> None:
    ratio = arc.steady_current_a(7 / 60, 25e-3) / arc.steady_current_a(7 / 60, 10e-3)
    assert ratio == pytest.approx(0.765, abs=0.03)


@pytest.mark.parametrize(
    ("feed_m_min", "extension_mm", "per_mm"), [(4.0, 12.0, -0.017), (7.0, 15.0, -0.018), (9.0, 15.0, -0.019)]
)
def test_current_falls_per_millimetre_of_extension(
    feed_m_min: float, extension_mm: float, per_mm: float
) -> None:
    lengths_m = 1e-3 * (extension_mm + np.array([-0.5, 0.5]))
    shorter, longer = arc.steady_current_a(feed_m_min / 60, lengths_m)
    assert longer / shorter - 1.0 == pytest.approx(per_mm, abs=0.001)


def test_one_inch_a_minute_per_ampere_as_miller_publishes() -> None:
    wire_feed_m_s = arc.melting_rate_m_s(125.0, np.array([10e-3, 15e-3]))
    assert wire_feed_m_s == pytest.approx(125 * 25.4e-3 / 60, rel=0.15)


def test_fillet_legs_lie_in_the_published_bands() -> None:
    hits = 0
    for row in FILLETS:
        current_a, _, speed = middles(row, 3)
        feed_m_s = arc.melting_rate_m_s(current_a, extension_m(current_a))
        leg_mm = 1e3 * float(bead.fillet_leg_m(bead.deposited_area_m2(feed_m_s, speed / 6000.0)))
        hits += row[1] - 0.3 <= leg_mm <= row[2] + 0.3
    assert hits >= 8


@pytest.mark.parametrize("row", FILLETS, ids=lambda row: f"{row[0]} mm")
def test_published_fillets_do_not_burn_through_even_at_the_hot_end(row: tuple[float, ...]) -> None:
    hottest = np.array([row[4], row[6], row[7]])
    prediction, features = features_of(conditions(WeldJoint.T_FILLET, row[0], 0.0, hottest))
    assert prediction[Prediction.ROOT_INDEX] < 0.9
    assert features[Feature.BURN_THROUGH] == 0.0


@pytest.mark.parametrize("row", BUTTS, ids=lambda row: f"{row[0]} mm {row[3]} A {row[5]} V")
def test_published_butts_are_sound(row: tuple[float, ...]) -> None:
    """Partly circular: the gap factor and both limits of the root index were chosen on these rows."""
    gap_mm, current_a, voltage_v, speed = middles(row, 1)
    energy_j_m2 = float(heat.heat_input_j_m(current_a, voltage_v, speed / 6000.0, 1.0)) / (row[0] * 1e-3)
    assert 0.10e9 <= energy_j_m2 <= 0.17e9
    weld = conditions(WeldJoint.BUTT, row[0], gap_mm, np.array([current_a, voltage_v, speed]))
    prediction, features = features_of(weld)
    assert 0.5 <= prediction[Prediction.ROOT_INDEX] <= 1.0
    assert features[Feature.ROOT_DEFICIT] == 0.0
    assert features[Feature.BURN_THROUGH] == 0.0


def test_penetration_fits_the_published_beads() -> None:
    _, current_a, speed = BEADS[:, :3].T
    model_mm = 1e3 * bead.penetration_m(current_a, speed * 1e-3)
    published_mm = BEADS[:, 5]
    assert np.mean(np.abs(model_mm / published_mm - 1.0)) <= 0.15
    assert np.corrcoef(model_mm, published_mm)[0, 1] >= 0.75


def test_published_beads_have_the_slopes_of_the_model() -> None:
    design = np.column_stack([np.ones(len(BEADS)), np.log(BEADS[:, :3])])
    depth, *_ = np.linalg.lstsq(design, np.log(BEADS[:, 5]), rcond=None)
    width, *_ = np.linalg.lstsq(design, np.log(BEADS[:, 4]), rcond=None)
    assert depth[2] == pytest.approx(1.31, abs=0.05)
    assert depth[3] == pytest.approx(-0.44, abs=0.05)
    assert width[1] == pytest.approx(0.62, abs=0.05)
    step = 1.01
    base = float(bead.penetration_m(400.0, 12e-3))
    deeper, shallower = bead.penetration_m(400.0 * step, 12e-3), bead.penetration_m(400.0, 12e-3 * step)
    assert np.log(deeper / base) / np.log(step) == pytest.approx(depth[2], abs=0.2)
    assert np.log(shallower / base) / np.log(step) == pytest.approx(depth[3], abs=0.2)
    wider = bead.width_m(20e-6, 29.0 * step, 29.0) / bead.width_m(20e-6, 29.0, 29.0)
    assert np.log(wider) / np.log(step) == pytest.approx(width[1], abs=0.2)


def test_cooling_time_examples_of_en_1011() -> None:
    thickness_m = np.array([6e-3, 20e-3])
    times_s = heat.cooling_time_s(0.675e6, thickness_m, 293.15)
    assert times_s == pytest.approx(np.array([14.4, 3.6]), rel=0.01)
    assert heat.cooling_time_s(0.675e6, 6e-3, 423.15) == pytest.approx(26.8, rel=0.01)
    # At the transition thickness thin and thick plate agree.
    below, above = heat.cooling_time_s(0.675e6, np.array([11.8e-3, 12.2e-3]), 293.15)
    assert below > above == pytest.approx(3.6, rel=0.01)


def test_spray_starts_where_esab_publishes() -> None:
    assert arc.spray_transition_current_a(1.1e-3, 0.0) == pytest.approx(220.0, abs=20.0)
    assert arc.spray_transition_current_a(1.3e-3, 0.0) == pytest.approx(240.0, abs=20.0)
    assert arc.spray_transition_current_a(1.2e-3, 0.2) == float("inf")
    assert arc.spray_fraction(300.0, 32.0, float("inf")) < 0.01
    assert arc.spray_fraction(300.0, 30.0, 230.0) > 0.99


@pytest.mark.parametrize("feed_m_min", [3.0, 4.0, 5.0])
def test_dip_transfer_touches_twenty_to_two_hundred_times_a_second(feed_m_min: float) -> None:
    current_a = arc.steady_current_a(feed_m_min / 60, 12e-3)
    voltage_v = arc.synergic_voltage_v(current_a, *arc.ARGON_SYNERGIC_LINE)
    rate_hz = arc.short_circuit_rate_hz(feed_m_min / 60, current_a, voltage_v, voltage_v)
    assert 20.0 <= rate_hz <= 200.0


def test_spray_transfer_hardly_touches() -> None:
    assert arc.short_circuit_rate_hz(9 / 60, 300.0, 30.0, 28.0, 230.0) < 2.0


def test_undercut_appears_near_one_metre_a_minute() -> None:
    speeds_m_s = np.arange(8e-3, 25e-3, 0.1e-3)
    depth_m = bead.undercut_m(speeds_m_s, 0.0, 0.0)
    visible_m = 0.05e-3
    assert speeds_m_s[np.argmax(depth_m > visible_m)] == pytest.approx(16.7e-3, abs=3e-3)


def test_scatter_of_equal_beads_is_the_published_one() -> None:
    weld = conditions(WeldJoint.BUTT, 6.0, 0.0, np.array([200.0, 23.0, 48.0]))
    process = WeldProcess(400)
    rng = np.random.default_rng(3)
    for cell in range(400):
        process.reset(cell, ProcessConstants(), weld, rng)
    inputs = np.repeat(weld.inputs()[None], 400, axis=0)
    process.advance(inputs, inputs, 50)
    depth = process.state[:, State.BEAD_PENETRATION_M] / process.state[:, State.PENETRATION_M]
    width = process.state[:, State.BEAD_WIDTH_M] / process.state[:, State.WIDTH_M]
    height = process.state[:, State.CAP_HEIGHT_M] * width
    for values, published in ((depth, 0.08), (width, 0.04), (height, 0.10)):
        assert published / 1.5 <= np.std(values) / np.mean(values) <= published * 1.5


def test_metal_is_conserved_but_for_the_published_loss() -> None:
    weld = conditions(WeldJoint.BUTT, 3.2, 1.0, np.array([140.0, 20.0, 45.0]))
    process = WeldProcess(1)
    process.reset(0, ProcessConstants(), weld, np.random.default_rng(0))
    process.steady_features(weld.inputs()[None])
    wire_m3_s = weld.wire_feed_m_s * np.pi / 4.0 * 1.2e-3**2
    assert process.steady_state[0, State.AREA_M2] == pytest.approx(0.95 * wire_m3_s / 7.5e-3, rel=1e-6)


def test_a_plate_takes_up_four_fifths_of_the_arcs_power() -> None:
    weld = conditions(WeldJoint.BUTT, 3.2, 1.0, np.array([140.0, 20.0, 45.0]))
    assert heat.heat_input_j_m(140.0, 20.0, 7.5e-3) == pytest.approx(0.8 * 140.0 * 20.0 / 7.5e-3)
    constants = ProcessConstants()
    process = WeldProcess(1, period_s=0.01)
    process.reset(0, constants, weld, np.random.default_rng(0))
    inputs = weld.inputs()[None]
    before_k = process.state[0, State.PLATE_TEMPERATURE_K]
    process.advance(inputs, inputs, 1)
    state = process.state[0]
    power_w = 0.8 * state[State.CURRENT_A] * state[State.VOLTAGE_V] * constants.plate_heat_fraction
    capacity_j_k = 4.7e6 * constants.plate_heated_area_m2 * 3.2e-3
    warmed_k = state[State.PLATE_TEMPERATURE_K] - before_k
    assert warmed_k == pytest.approx(0.01 * power_w / capacity_j_k, rel=1e-3)


@pytest.mark.parametrize(("thickness_m", "delay_s"), [(3e-3, 4.0), (40e-3, 4.0)])
def test_the_plate_behind_the_arc_cools_as_rosenthal_has_it(thickness_m: float, delay_s: float) -> None:
    """Line source in a thin plate, point source on a thick one; mild steel of 41 W/(m K), 4.7 MJ/(m3 K)."""
    heat_j_m = 5e5
    thin_k = heat_j_m / thickness_m / np.sqrt(4.0 * np.pi * 41.0 * 4.7e6 * delay_s)
    thick_k = heat_j_m / (2.0 * np.pi * 41.0 * delay_s)
    rise_k = heat.temperature_behind_arc_k(heat_j_m, thickness_m, 293.15, delay_s, 1e9) - 293.15
    assert rise_k == pytest.approx(max(thin_k, thick_k), rel=1e-6)


def test_a_drop_as_thick_as_the_wire_crosses_at_each_contact() -> None:
    """Of 1.2 mm wire at 6 m/min, well inside dip transfer: a sphere of it is 0.8 mm of wire."""
    rate_hz = arc.short_circuit_rate_hz(0.1, 120.0, 17.0, 17.0)
    assert rate_hz == pytest.approx(0.1 / 0.8e-3, rel=0.03)


def test_inputs_name_every_column() -> None:
    assert conditions(WeldJoint.BUTT, 3.2, 1.0, np.array([140.0, 20.0, 45.0])).inputs().shape == (len(Input),)
