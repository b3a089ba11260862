import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from cellwright_train.regression.bounds import Bounds, mean_bounds, median_bounds
from cellwright_train.regression.sequential import coin, mean_below

samples = st.lists(st.integers(-9, 9), min_size=1, max_size=60).map(lambda values: np.array(values) / 10)


@given(samples)
def test_bounds_of_the_median_are_where_the_coin_begins_to_tell(values: NDArray[np.float64]) -> None:
    def told(heads: np.intp) -> bool:
        return bool(coin(heads, values.size - heads) >= math.log(40))

    bounds = median_bounds(values)
    possible = [
        value for value in values if not told((values > value).sum()) and not told((values < value).sum())
    ]
    if told(np.intp(values.size)):
        assert (bounds.low, bounds.high) == (min(possible), max(possible))
    else:
        assert (bounds.low, bounds.high) == (None, None)
    assert bounds.value == pytest.approx(np.median(values))


@given(samples)
def test_bounds_of_the_mean_are_where_bets_begin_to_pay(values: NDArray[np.float64]) -> None:
    bounds = mean_bounds(values)
    assert bounds.value == pytest.approx(values.mean())
    assert bounds.low is not None
    assert bounds.high is not None
    assert bounds.low <= values.mean() <= bounds.high
    for side, bound in ((1, bounds.high), (-1, -bounds.low)):
        if bound < 1.0:
            assert mean_below(side * values, bound)[-1] == pytest.approx(math.log(40), abs=1e-6)
        else:
            assert bound == 1.0
            assert mean_below(side * values, 1.0 - 1e-9)[-1] <= math.log(40)


@pytest.mark.parametrize("bounds_of", [median_bounds, mean_bounds])
def test_the_truth_lies_within_the_bounds_at_every_look(bounds_of: object) -> None:
    assert callable(bounds_of)
    rng = np.random.default_rng(1)
    looks, missed, streams = (12, 25, 60), 0, 200
    for _ in range(streams):
        values = np.clip(rng.normal(0.2, 0.3, looks[-1]), -1.0, 1.0)
        every = [bounds_of(values[:look]) for look in looks]
        missed += any(
            (look.low is not None and look.low > 0.2) or (look.high is not None and look.high < 0.2)
            for look in every
        )
    assert missed / streams <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / streams)


def test_bounds_close_in_on_the_median() -> None:
    values = np.random.default_rng(2).normal(0.2, 0.3, 400)
    bounds = median_bounds(values)
    assert bounds.low is not None
    assert bounds.high is not None
    assert 0.2 - 0.09 < bounds.low < bounds.high < 0.2 + 0.09


def test_parts_without_a_value_leave_open_what_depends_on_them() -> None:
    values = np.array([0.1] * 12 + [math.inf] * 4)
    assert median_bounds(values) == Bounds(value=0.1, low=0.1, high=None)
    assert median_bounds(-values) == Bounds(value=-0.1, low=None, high=-0.1)
    assert median_bounds(np.full(16, math.inf)).value is None


@pytest.mark.parametrize("bounds_of", [median_bounds, mean_bounds])
def test_nothing_has_no_bounds(bounds_of: object) -> None:
    assert callable(bounds_of)
    assert bounds_of(np.array([])) == Bounds(value=None, low=None, high=None)
