"""The teacher's trims: safer than the programme where it fails, and leaving alone what is already best."""

from __future__ import annotations

import numpy as np
import pytest

from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.process.ideal import IdealTrims
from cellwright_envs.welding.process.margin import risk, toe_limit_rad
from cellwright_envs.welding.process.weld_process import Input, ProcessConstants, WeldConditions, WeldProcess

SCALES = np.array([0.3, 0.25, 3.0])


def search(
    name: str, gap_m: float, rounds: int = 60, edition: str = "2023"
) -> tuple[IdealTrims, float, float]:
    """The searcher after `rounds`, the cost of the programme and of the trims that it found."""
    product = PRODUCTS[name]
    procedure = product.procedure
    conditions = procedure.conditions(product.joint, product.thickness_m, gap_m=gap_m)
    process = WeldProcess(1)
    process.reset(0, ProcessConstants(), conditions, np.random.default_rng(0))
    ideal = IdealTrims(edition)
    ideal.reset(process)
    nominal = (procedure.wire_feed_m_s, procedure.voltage_v, procedure.travel_speed_m_s)
    for _ in range(rounds):
        ideal.update(conditions.inputs(), nominal, SCALES, process)
    before, after = (cost(conditions, nominal, trims, edition) for trims in (np.zeros(3), ideal.trims))
    return ideal, before, after


def cost(
    conditions: WeldConditions, nominal: tuple[float, float, float], trims: np.ndarray, edition: str
) -> float:
    """Steady risk less the value of pace, computed apart from the searcher."""
    probe = WeldProcess(1)
    probe.reset(0, ProcessConstants(), conditions, np.random.default_rng(0))
    row = np.array(conditions.inputs(), dtype=float)
    row[Input.ARC_ON] = 1.0
    row[Input.WIRE_FEED_M_S] = nominal[0] * (1.0 + SCALES[1] * trims[1])
    row[Input.VOLTAGE_V] = nominal[1] + SCALES[2] * trims[2]
    row[Input.TRAVEL_SPEED_M_S] = nominal[2] * (1.0 + SCALES[0] * trims[0])
    features = probe.steady_features(row[None])
    pace = np.log(1.0 + SCALES[0] * trims[0])
    toe_rad = toe_limit_rad(edition, conditions.joint, conditions.thickness_m)
    found = risk(row, probe.steady_state[0], features[0], probe.constants[0], toe_rad)
    return float(found - 0.15 * pace)


@pytest.mark.parametrize(
    ("name", "gap_m"),
    [("butt-straight-2.3", 1.5e-3), ("butt-straight-4.5", 0.3e-3), ("tee-straight-3.2", 1.2e-3)],
)
def test_the_trims_found_are_safer_than_the_programme_where_the_gap_is_wrong(name: str, gap_m: float) -> None:
    _, programme, found = search(name, gap_m)
    assert found < 0.7 * programme


@pytest.mark.parametrize("edition", ["2023", "2023-en1090"])
@pytest.mark.parametrize("name", PRODUCTS)
def test_the_search_never_ends_worse_than_it_began(name: str, edition: str) -> None:
    ideal, programme, found = search(name, PRODUCTS[name].gap_m, edition=edition)
    assert found <= programme + 1e-9
    assert np.all(np.abs(ideal.trims) <= 1.0)


@pytest.mark.parametrize("name", ["butt-straight-2.3", "lap-straight-1.6"])
def test_a_weld_far_from_its_limits_is_hurried_until_the_risk_outweighs_the_pace(name: str) -> None:
    ideal, _, _ = search(name, PRODUCTS[name].gap_m)
    assert 0.6 < ideal.trims[0] < 0.95


def test_trims_change_by_one_search_step_at_a_time() -> None:
    product = PRODUCTS["butt-straight-2.3"]
    seen = np.array([search(product.name, 1.5e-3, rounds)[0].trims for rounds in range(12)])
    assert np.abs(np.diff(seen, axis=0)).max() <= 0.2 + 1e-12


def test_a_reset_starts_again_from_the_programme() -> None:
    ideal, _, _ = search("butt-straight-2.3", 1.5e-3)
    assert np.any(ideal.trims)
    ideal.reset(WeldProcess(1))
    assert not np.any(ideal.trims)
