"""The margin to level C against the grading that it is a smooth stand-in for."""

import numpy as np
import pytest

from cellwright_envs.welding.inspection.bead_record import BeadRecord, codes_of
from cellwright_envs.welding.inspection.editions import EDITIONS
from cellwright_envs.welding.inspection.quality import Feature, WeldJoint
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.process.margin import risk, toe_limit_rad
from cellwright_envs.welding.process.weld_process import (
    Input,
    ProcessConstants,
    State,
    WeldProcess,
)

PRODUCT_NAMES = ("lap-straight-2.3", "tee-straight-3.2", "butt-straight-2.3", "butt-straight-4.5")
SWEEPS = {
    Input.WIRE_FEED_M_S: (0.5, 1.6),
    Input.TRAVEL_SPEED_M_S: (0.5, 2.2),
    Input.VOLTAGE_V: (0.8, 1.25),
}


def sweep(name: str, column: Input, edition: str, count: int = 41) -> tuple[np.ndarray, np.ndarray]:
    """Risk and whether level C is missed (count,), for one input from low to high around its programme."""
    product = PRODUCTS[name]
    conditions = product.procedure.conditions(product.joint, product.thickness_m, gap_m=product.gap_m)
    process, record = WeldProcess(count), BeadRecord(count, 0.2, edition)
    rng = np.random.default_rng(0)
    for cell in range(count):
        process.reset(cell, ProcessConstants(), conditions, rng)
        record.reset(cell, conditions.joint, 0.1)
    inputs = np.tile(conditions.inputs(), (count, 1))
    inputs[:, column] *= np.linspace(*SWEEPS[column], count)
    features = process.steady_features(inputs)
    missed = record.violations_now(features)[:, 1] != 0
    state, constants = process.steady_state, process.constants
    toe_rad = toe_limit_rad(edition, conditions.joint, product.thickness_m)
    risks = np.array([risk(inputs[i], state[i], features[i], constants[i], toe_rad) for i in range(count)])
    return risks, missed


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("name", PRODUCT_NAMES)
def test_the_programme_is_far_from_every_limit(name: str, edition: str) -> None:
    risks, missed = sweep(name, Input.TRAVEL_SPEED_M_S, edition)
    programme = int(np.argmin(np.abs(np.linspace(*SWEEPS[Input.TRAVEL_SPEED_M_S], 41) - 1.0)))
    assert not missed[programme]
    assert risks[programme] < 1.0


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("column", list(SWEEPS))
@pytest.mark.parametrize("name", PRODUCT_NAMES)
def test_a_missed_limit_adds_about_one_or_more(name: str, column: Input, edition: str) -> None:
    risks, missed = sweep(name, column, edition)
    assert missed.any(), "the sweep never leaves level C, so it proves nothing"
    assert risks[missed].min() > 0.85
    assert risks[~missed].min() < 0.5


def test_depth_counts_in_units_of_the_scatter_of_equal_beads() -> None:
    """8 %: one of these below the index of burn-through adds exp(-1), three add exp(-3)."""
    product = PRODUCTS["butt-straight-2.3"]
    conditions = product.procedure.conditions(product.joint, product.thickness_m, gap_m=product.gap_m)
    process = WeldProcess(1)
    process.reset(0, ProcessConstants(), conditions, np.random.default_rng(0))
    row = conditions.inputs()
    features = process.steady_features(row[None])[0]
    risks = []
    for sigmas in (1.0, 3.0):
        state = process.steady_state[0].copy()
        state[State.ROOT_INDEX] = 1.08 * np.exp(-0.08 * sigmas)
        risks.append(risk(row, state, features, process.constants[0], np.inf))
    assert risks[0] - risks[1] == pytest.approx(np.exp(-1.0) - np.exp(-3.0), abs=2e-3)


@pytest.mark.parametrize(
    ("edition", "joint", "least_deg"),
    [
        ("2023", WeldJoint.T_FILLET, 100.0),
        ("2014", WeldJoint.LAP, 100.0),
        ("2023", WeldJoint.BUTT, 110.0),
        ("2023-en1090", WeldJoint.T_FILLET, -np.inf),
    ],
)
@pytest.mark.parametrize("thickness_m", [2e-3, 3e-3, 5e-3])
def test_the_toe_angle_counts_where_the_edition_has_it(
    edition: str, joint: WeldJoint, least_deg: float, thickness_m: float
) -> None:
    limit_rad = toe_limit_rad(edition, joint, thickness_m)
    assert 180.0 - np.rad2deg(limit_rad) == pytest.approx(least_deg)


def test_a_toe_angle_counts_in_units_of_its_scatter() -> None:
    """0.05 rad: at its limit it adds 1, one of these inside exp(-1), one of these outside e."""
    product = PRODUCTS["tee-straight-3.2"]
    conditions = product.procedure.conditions(product.joint, product.thickness_m, gap_m=product.gap_m)
    process = WeldProcess(1)
    process.reset(0, ProcessConstants(), conditions, np.random.default_rng(0))
    row = conditions.inputs()
    features, state = process.steady_features(row[None])[0], process.steady_state[0]
    without = risk(row, state, features, process.constants[0], np.inf)
    for inside_rad, added in ((0.0, 1.0), (0.05, np.exp(-1.0)), (-0.05, np.exp(1.0))):
        limit_rad = features[Feature.TOE_RISE_RAD] + inside_rad
        total = risk(row, state, features, process.constants[0], limit_rad)
        assert total - without == pytest.approx(added, rel=1e-9)


def test_level_c_is_missed_by_the_toe_angle_alone() -> None:
    """A T-fillet that the wire is about a millimetre beside of passes every other row of level C."""
    product = PRODUCTS["tee-straight-3.2"]
    conditions = product.procedure.conditions(product.joint, product.thickness_m, gap_m=product.gap_m)
    process = WeldProcess(1)
    process.reset(0, ProcessConstants(), conditions, np.random.default_rng(0))
    row = conditions.inputs()
    found = set()
    for offset_m in np.linspace(0.5e-3, 1.5e-3, 21):
        row[Input.LATERAL_OFFSET_M] = offset_m
        features = process.steady_features(row[None])
        codes = []
        for edition in ("2023", "2023-en1090"):
            record = BeadRecord(1, 0.2, edition)
            record.reset(0, conditions.joint, 0.1)
            codes.append(codes_of(int(record.violations_now(features)[0, 1])))
        found.add(tuple(codes))
    assert ((505,), ()) in found
