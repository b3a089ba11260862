"""The margin to level C against the grading that it is a smooth stand-in for."""

import numpy as np
import pytest

from cellwright_envs.welding.inspection.bead_record import BeadRecord
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.process.margin import risk
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


def sweep(name: str, column: Input, count: int = 41) -> tuple[np.ndarray, np.ndarray]:
    """Risk and whether level C is missed (count,), for one input from low to high around its programme."""
    product = PRODUCTS[name]
    conditions = product.procedure.conditions(product.joint, product.thickness_m, gap_m=product.gap_m)
    process, record = WeldProcess(count), BeadRecord(count, 0.2)
    rng = np.random.default_rng(0)
    for cell in range(count):
        process.reset(cell, ProcessConstants(), conditions, rng)
        record.reset(cell, conditions.joint, 0.1)
    inputs = np.tile(conditions.inputs(), (count, 1))
    inputs[:, column] *= np.linspace(*SWEEPS[column], count)
    features = process.steady_features(inputs)
    missed = record.violations_now(features)[:, 1] != 0
    state, constants = process.steady_state, process.constants
    risks = np.array([risk(inputs[i], state[i], features[i], constants[i]) for i in range(count)])
    return risks, missed


@pytest.mark.parametrize("name", PRODUCT_NAMES)
def test_the_programme_is_far_from_every_limit(name: str) -> None:
    risks, missed = sweep(name, Input.TRAVEL_SPEED_M_S)
    programme = int(np.argmin(np.abs(np.linspace(*SWEEPS[Input.TRAVEL_SPEED_M_S], 41) - 1.0)))
    assert not missed[programme]
    assert risks[programme] < 1.0


@pytest.mark.parametrize("column", list(SWEEPS))
@pytest.mark.parametrize("name", PRODUCT_NAMES)
def test_a_missed_limit_adds_about_one_or_more(name: str, column: Input) -> None:
    risks, missed = sweep(name, column)
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
        risks.append(risk(row, state, features, process.constants[0]))
    assert risks[0] - risks[1] == pytest.approx(np.exp(-1.0) - np.exp(-3.0), abs=2e-3)
