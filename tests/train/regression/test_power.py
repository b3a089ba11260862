import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_train.regression.power import Forecast, forecast
from cellwright_train.regression.rule import Rule, first_calls

RULE = Rule(weights=(0.7, 0.3), alpha=1e-3, miss=0.01, margin=0.1)


def pairs(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """(columns, *shape): worse by a small shift, and success that fails as often as the baseline's."""
    success = rng.choice([1.0, 0.0, -1.0], shape, p=[0.02, 0.96, 0.02])
    return np.stack([rng.normal(0.03, 0.05, shape), success])


def truly_needed(most: int) -> tuple[float, float, float]:
    calls = first_calls(pairs(np.random.default_rng(1), (1000, most)), RULE)
    verdict = np.minimum(calls.regression, calls.no_regression)
    return tuple(float(np.quantile(each, 0.8)) for each in (verdict, calls.worsening[0], calls.exclusion[1]))


def test_as_many_pairs_as_forecast_decide_four_in_five() -> None:
    verdict, worsening, exclusion = truly_needed(400)
    told = forecast(pairs(np.random.default_rng(2), (400,)), RULE, most=400)
    assert told.pairs == pytest.approx(verdict, rel=0.2)
    assert told.worsening[0] == pytest.approx(worsening, rel=0.2)
    assert told.exclusion[1] == pytest.approx(exclusion, rel=0.2)
    assert told.worsening[1] is None


def test_what_takes_longer_than_allowed_has_no_number() -> None:
    known = pairs(np.random.default_rng(2), (400,))
    needed = forecast(known, RULE, most=400).pairs
    assert needed is not None
    assert forecast(known, RULE, most=needed // 2) == Forecast(
        pairs=None, worsening=(None, None), exclusion=(None, None)
    )


def test_four_in_five_are_enough_and_fewer_are_not() -> None:
    # A ruined part in every ten: whether the first pairs meet one is a matter of chance.
    ruined = np.zeros((1, 10))
    ruined[0, 0] = 1.0
    rule = Rule(weights=(1.0,), alpha=0.05, miss=0.05, margin=0.3)
    draws = np.random.default_rng(0).integers(0, 10, (200, 300))
    calls = first_calls(ruined[:, draws], rule)
    told = forecast(ruined, rule, most=300).exclusion[0]
    assert told is not None
    assert (calls.exclusion[0] <= told).mean() >= 0.8 > (calls.exclusion[0] < told).mean()


@pytest.mark.parametrize(("known", "told"), [(7, None), (8, 13)])
def test_too_few_pairs_forecast_nothing(known: int, told: int | None) -> None:
    every_pair_worse = np.stack([np.full(known, 0.02), np.zeros(known)])
    needed = forecast(every_pair_worse, RULE, most=100)
    assert needed.pairs == told
    assert len(needed.worsening) == len(needed.exclusion) == 2


def test_the_forecast_is_the_same_every_time() -> None:
    known = pairs(np.random.default_rng(3), (40,))
    assert forecast(known, RULE, most=200) == forecast(known, RULE, most=200)


def test_measures_are_drawn_together_as_they_were_seen() -> None:
    # Two measures that are ruined together are clear together: drawn apart, the later one would count.
    ruined = np.full((1, 40), -0.02)
    ruined[0, :2] = 1.0
    rule = Rule(weights=(0.5, 0.5), alpha=1e-9, miss=0.01, margin=0.2)
    told = forecast(np.concatenate([ruined, ruined]), rule, most=300)
    assert told.pairs == told.exclusion[0] == told.exclusion[1]
    assert told.pairs is not None
