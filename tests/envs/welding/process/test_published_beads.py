"""The process model against published beads, recipes and fillets.

Beads: the regression that IIT Kharagpur's virtual laboratory codes (attributed to Kim, Kwon and Siores 1996),
at its own levels. Its 1.2 mm rows set the model's constants; its 1.6 mm row and the 31 beads of another
process are held out.
"""

import numpy as np
import pytest

from cellwright_envs.welding.inspection.bead_record import BeadRecord
from cellwright_envs.welding.inspection.editions import CODES
from cellwright_envs.welding.inspection.quality import LEVELS, WeldJoint
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.process import arc
from cellwright_envs.welding.process.constants import ProcessConstants, WeldConditions, draw_constants
from cellwright_envs.welding.process.consumables import constants_with
from cellwright_envs.welding.process.margin import risk, toe_limit_rad
from cellwright_envs.welding.process.weld_process import Input, State, WeldProcess
from tests.envs.welding.process.published_tables import BEADS, BUTTS, FILLETS, conditions, middles

SPEEDS_CM_MIN = (25, 33, 41)
# current A, voltage V, then width, height and penetration [mm] at each speed
MAG_BEADS = (
    (180, 20, (10.39, 3.13, 2.05), (9.15, 2.93, 1.85), (8.28, 2.78, 1.71)),
    (180, 25, (12.17, 2.66, 2.06), (10.72, 2.49, 1.86), (9.70, 2.37, 1.72)),
    (180, 30, (13.85, 2.34, 2.06), (12.19, 2.19, 1.86), (11.04, 2.08, 1.72)),
    (270, 20, (11.99, 4.05, 3.62), (10.55, 3.79, 3.27), (9.55, 3.60, 3.02)),
    (270, 25, (14.04, 3.45, 3.63), (12.36, 3.23, 3.28), (11.19, 3.07, 3.03)),
    (270, 30, (15.98, 3.03, 3.64), (14.06, 2.83, 3.29), (12.73, 2.69, 3.04)),
    (360, 20, (13.26, 4.87, 5.41), (11.68, 4.55, 4.89), (10.57, 4.32, 4.52)),
    (360, 25, (15.54, 4.15, 5.43), (13.68, 3.88, 4.91), (12.38, 3.68, 4.53)),
    (360, 30, (17.68, 3.64, 5.44), (15.56, 3.40, 4.92), (14.09, 3.23, 4.54)),
)
ROWS = [
    (current, voltage, speed, *bead)
    for current, voltage, *beads in MAG_BEADS
    for speed, bead in zip(SPEEDS_CM_MIN, beads, strict=True)
]
THICK_M = 40e-3
"""So thick that no bead reaches the root; the published plate is 12 mm."""


def laid(weld: WeldConditions, constants: ProcessConstants | None = None) -> WeldProcess:
    """The process of one undisturbed weld, its steady state computed."""
    process = WeldProcess(1)
    process.reset(0, constants or ProcessConstants(), weld, np.random.default_rng(0))
    process.steady_features(weld.inputs()[None])
    return process


def bead_on_plate(current_a: float, voltage_v: float, speed_m_s: float, wire_mm: float) -> WeldProcess:
    """The process of a bead on thick plate at this current.

    Neither wire feed nor tip distance is published, but width times height does not depend on the voltage, so
    the feed cannot have: the extension is taken for 12 mm throughout, and the tip is an arc's length higher.
    """
    wire = constants_with(ProcessConstants(), "co2", wire_mm / 1e3)
    feed_m_s = arc.melting_rate_m_s(
        current_a, 12e-3, wire.melting_per_current_m_s_a, wire.melting_per_extension_s_a2
    )
    drop_v = current_a * (0.004 + 0.022 + 12e-3 * wire.wire_resistance_ohm_m)
    arc_m = max((voltage_v - 15.7 - drop_v) / 700.0, 0.2e-3)
    process = laid(
        WeldConditions(
            joint=WeldJoint.BUTT,
            thickness_m=THICK_M,
            wire_feed_m_s=float(feed_m_s),
            voltage_v=voltage_v,
            travel_speed_m_s=speed_m_s,
            contact_tip_distance_m=12e-3 + arc_m,
            wire_diameter_m=wire_mm / 1e3,
        )
    )
    assert process.steady_state[0, State.CURRENT_A] == pytest.approx(min(current_a, 450.0), rel=1e-3)
    return process


def sizes_mm(process: WeldProcess) -> np.ndarray:
    """Width, height and penetration (3,)."""
    return 1e3 * process.steady_state[0, [State.BEAD_WIDTH_M, State.CAP_HEIGHT_M, State.BEAD_PENETRATION_M]]


def errors(rows: list[tuple[float, ...]], wire_mm: float = 1.2) -> np.ndarray:
    """Relative errors (rows, 3) of width, height and penetration."""
    model = [sizes_mm(bead_on_plate(row[0], row[1], row[2] / 6000, wire_mm)) for row in rows]
    return np.array(model) / np.array([row[3:] for row in rows]) - 1.0


def test_mag_beads_have_the_published_size() -> None:
    width, height, depth = np.abs(errors(ROWS)).T
    assert width.mean() < 0.03
    assert height.mean() <= 0.10  # the regression's own areas disagree by 8 % over speed
    assert depth.mean() < 0.05
    assert width.max() < 0.05
    assert height.max() < 0.25
    assert depth.max() < 0.10


def test_a_thicker_wire_that_was_held_out_digs_less_and_spreads_more() -> None:
    width, height, depth = errors([(270, 25, 33, 13.99, 3.11, 2.79)], wire_mm=1.6)[0]
    assert abs(width) < 0.10
    assert abs(height) < 0.20
    assert abs(depth) < 0.05


def test_beads_of_another_process_that_were_held_out() -> None:
    """31 beads, probably of submerged arc. Their wire is not stated, so that heights say nothing."""
    beads = BEADS[BEADS[:, 1] < 450.0]
    model = np.array(
        [sizes_mm(bead_on_plate(amps, volts, mm_s / 1e3, 1.2)) for volts, amps, mm_s, *_ in beads]
    )
    off = model[:, [0, 2]] / beads[:, [4, 5]] - 1.0
    assert np.all(np.abs(off).mean(axis=0) <= (0.10, 0.15))


def test_published_butts_lie_at_one_root_index() -> None:
    indices = []
    for row in BUTTS:
        gap_mm, current_a, voltage_v, speed = middles(row, 1)
        process = laid(conditions(WeldJoint.BUTT, row[0], gap_mm, np.array([current_a, voltage_v, speed])))
        indices.append(process.steady_state[0, State.ROOT_INDEX])
        assert missed(process, WeldJoint.BUTT, "C") == []
    assert np.mean(indices) == pytest.approx(0.69, abs=0.02)
    assert np.std(indices) == pytest.approx(0.06, abs=0.02)


@pytest.mark.parametrize("row", FILLETS, ids=lambda row: f"{row[0]} mm")
def test_published_fillets_have_their_legs_and_roots(row: tuple[float, ...]) -> None:
    weld = conditions(WeldJoint.T_FILLET, row[0], 0.0, middles(row, 3))
    process, constants = laid(weld), ProcessConstants()
    state = process.steady_state[0]
    leg_mm = 1e3 * (0.5 * (state[State.LEFT_LEG_M] + state[State.RIGHT_LEG_M]))
    assert leg_mm == pytest.approx(0.5 * (row[1] + row[2]), rel=0.16)
    spare_m = state[State.ROOT_PENETRATION_M] - constants.fillet_root_m
    assert spare_m > 2.0 * constants.penetration_noise * state[State.BEAD_PENETRATION_M]
    assert missed(process, WeldJoint.T_FILLET, "C") == []


def test_published_legs_are_met_in_the_mean() -> None:
    legs = []
    for row in FILLETS:
        state = laid(conditions(WeldJoint.T_FILLET, row[0], 0.0, middles(row, 3))).steady_state[0]
        legs.append(1e3 * state[State.LEFT_LEG_M] / (0.5 * (row[1] + row[2])) - 1.0)
    assert np.mean(np.abs(legs)) <= 0.10


def missed(process: WeldProcess, joint: WeldJoint, level: str) -> list[int]:
    """Codes of the imperfections that the steady bead has at `level`."""
    record = BeadRecord(1, 0.2)
    record.reset(0, joint, 0.1)
    mask = int(record.violations_now(process._steady_features)[0, LEVELS.index(level)])
    return [code for bit, code in enumerate(CODES) if mask >> bit & 1]


@pytest.mark.parametrize("name", PRODUCTS)
def test_every_programme_is_far_from_the_limits(name: str) -> None:
    product = PRODUCTS[name]
    weld = product.procedure.conditions(product.joint, product.thickness_m, gap_m=product.gap_m)
    process = laid(weld)
    state, features = process.steady_state[0], process._steady_features[0]
    assert missed(process, weld.joint, "C") == []
    toe_rad = toe_limit_rad("2023", weld.joint, weld.thickness_m)
    assert risk(weld.inputs(), state, features, process.constants[0], toe_rad) < 1.0


def test_what_tables_disagree_about_is_drawn() -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_constants(rng) for _ in range(400)]
    for name, low, high in (
        ("penetration_voltage_exponent", -0.30, 0.05),
        ("penetration_speed_exponent", -0.44, -0.33),
        ("penetration_current_exponent", 1.31, 1.40),
    ):
        values = np.array([getattr(each, name) for each in drawn])
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high


@pytest.mark.parametrize("exponent", [-0.3, 0.05])
def test_voltage_away_from_the_synergic_one_acts_by_its_exponent(exponent: float) -> None:
    constants = ProcessConstants(penetration_voltage_exponent=exponent)
    weld = conditions(WeldJoint.BUTT, 4.5, 1.2, np.array([180.0, 22.0, 45.0]))
    process = laid(weld, constants)
    state = process.steady_state[0]
    usual = 12.5 + 0.059 * state[State.CURRENT_A]
    level = laid(weld, ProcessConstants(penetration_voltage_exponent=0.0)).steady_state[
        0, State.BEAD_PENETRATION_M
    ]
    assert state[State.BEAD_PENETRATION_M] / level == pytest.approx(
        (state[State.VOLTAGE_V] / usual) ** exponent, rel=1e-9
    )


@pytest.mark.parametrize(("faster", "exponent"), [(1.3, -0.44), (0.8, -0.33)])
def test_speed_away_from_the_programme_acts_by_its_exponent(faster: float, exponent: float) -> None:
    weld = conditions(WeldJoint.BUTT, 4.5, 1.2, np.array([180.0, 22.0, 45.0]))
    process = laid(weld, ProcessConstants(penetration_speed_exponent=exponent))
    usual = process.steady_state[0, State.BEAD_PENETRATION_M]
    inputs = weld.inputs()[None]
    inputs[0, Input.TRAVEL_SPEED_M_S] *= faster
    process.steady(inputs)
    assert process.steady_state[0, State.BEAD_PENETRATION_M] / usual == pytest.approx(faster**exponent)


@pytest.mark.parametrize("exponent", [1.31, 1.40])
def test_current_away_from_the_programme_acts_by_its_exponent(exponent: float) -> None:
    weld = conditions(WeldJoint.BUTT, 4.5, 1.2, np.array([180.0, 22.0, 45.0]))
    process = laid(
        weld, ProcessConstants(penetration_current_exponent=exponent, penetration_voltage_exponent=0.0)
    )
    usual = process.steady_state[0].copy()
    inputs = weld.inputs()[None]
    inputs[0, Input.WIRE_FEED_M_S] *= 1.2
    process.steady(inputs)
    now = process.steady_state[0]
    hotter = now[State.CURRENT_A] / usual[State.CURRENT_A]
    assert hotter > 1.1
    assert now[State.BEAD_PENETRATION_M] / usual[State.BEAD_PENETRATION_M] == pytest.approx(hotter**exponent)
