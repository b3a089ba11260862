import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_train.experts.tuning import Range, SearchConfig, cross_entropy, part_cost
from cellwright_train.results.welds import WeldResult

GOOD = WeldResult(
    seed=0,
    product="tee-straight-3.2",
    passed={"B": True, "C": True, "D": True},
    defect_mm=0.0,
    defect_mm_by_code={},
    seam_mm=100.0,
    tracking_mean_mm=0.1,
    tracking_p95_mm=0.2,
    cycle_time_s=12.0,
    crashed=False,
    iso_edition="2023",
)


def test_a_good_part_costs_its_time() -> None:
    assert part_cost(GOOD, nominal_s=10.0) == pytest.approx(1.2)


def test_a_defect_costs_handling_and_welding_it_again() -> None:
    bad = dataclasses.replace(GOOD, passed={"B": False, "C": False, "D": True}, defect_mm=25.0)
    assert part_cost(bad, nominal_s=10.0) == pytest.approx(1.2 * 2.25)


def test_a_crash_is_no_way_to_save_time() -> None:
    crashed = dataclasses.replace(GOOD, crashed=True, cycle_time_s=0.5)
    assert part_cost(crashed, nominal_s=10.0) > part_cost(GOOD, nominal_s=10.0)


def bowl(candidates: Sequence[NDArray[np.float64]]) -> list[float]:
    return [float((x[0] - 0.7) ** 2 + (x[1] + 0.4) ** 2) for x in candidates]


RANGES = (Range(name="first", low=-1.0, high=1.0), Range(name="second", low=-1.0, high=1.0))


def test_the_search_finds_the_lowest_cost() -> None:
    best, lowest = cross_entropy(
        bowl, np.zeros(2), RANGES, SearchConfig(rounds=12, population=24, episodes=1)
    )
    np.testing.assert_allclose(best, [0.7, -0.4], atol=0.05)
    assert lowest == pytest.approx(bowl([best])[0])


def test_the_search_never_ends_worse_than_it_began() -> None:
    start = np.array([0.7, -0.4])
    _, lowest = cross_entropy(bowl, start, RANGES, SearchConfig(rounds=1, population=4, episodes=1))
    assert lowest == 0.0


def test_gains_stay_inside_their_ranges() -> None:
    tried: list[NDArray[np.float64]] = []

    def away(candidates: Sequence[NDArray[np.float64]]) -> list[float]:
        tried.extend(candidates)
        return [float(-x[0]) for x in candidates]

    best, _ = cross_entropy(away, np.zeros(2), RANGES, SearchConfig(rounds=6, population=8, episodes=1))
    assert np.abs(np.array(tried)).max() <= 1.0
    assert best[0] == 1.0


def test_the_same_seed_searches_the_same_way() -> None:
    config = SearchConfig(rounds=3, population=6, episodes=1, seed=5)
    first, _ = cross_entropy(bowl, np.zeros(2), RANGES, config)
    second, _ = cross_entropy(bowl, np.zeros(2), RANGES, config)
    np.testing.assert_array_equal(first, second)
