import math

import numpy as np
import pytest

from cellwright_train.regression.rule import NEVER, Budget, Rule, first_calls
from cellwright_train.regression.sequential import margin_excluded, worsening
from tests.train.regression.null_shapes import NULL_SHAPES, most_alarms

RULE = Rule(weights=(0.4, 0.4, 0.2), alpha=0.05, miss=0.02, margin=0.1)


def test_the_parts_of_the_budget_are_the_whole() -> None:
    budget = Budget(scenarios=51)
    assert 51 * budget.scenario_alpha + budget.pooled_alpha == pytest.approx(0.01)
    assert budget.pooled_alpha == pytest.approx(0.001)
    assert budget.weights(2) == pytest.approx((0.35 / 0.9, 0.35 / 0.9, 0.2 / 0.9))
    assert budget.weights(0) == (1.0,)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scenarios": 0},
        {"scenarios": 1, "alpha": 0.0},
        {"scenarios": 1, "alpha": 1.0},
        {"scenarios": 1, "pooled": 0.2},
        {"scenarios": 1, "pooled": 0.0, "success": 0.3},
    ],
)
def test_a_budget_that_does_not_add_up_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="need"):
        Budget(**wrong)  # type: ignore[arg-type]


def test_a_scenario_raises_no_more_false_alarms_than_allowed_over_all_its_columns() -> None:
    rng = np.random.default_rng(1)
    shape = (2000, 80)
    common = rng.normal(0.0, 0.1, shape)
    another = common + rng.normal(0.0, 0.05, shape)
    columns = np.stack([common, another, NULL_SHAPES["three values"](rng, shape)])
    rate = float((first_calls(columns, RULE).regression < NEVER).mean())
    assert 0.25 * RULE.alpha < rate <= most_alarms(RULE.alpha, 2000)


@pytest.mark.parametrize("column", [0, 2])
def test_no_regression_is_seldom_said_where_one_column_is_at_the_margin(column: int) -> None:
    rng = np.random.default_rng(2)
    columns = rng.normal(0.0, 0.02, (3, 2000, 120))
    columns[2] = 0.0
    columns[column] = rng.random((2000, 120)) < RULE.margin
    calls = first_calls(columns, RULE)
    assert float((calls.no_regression < NEVER).mean()) <= most_alarms(RULE.miss, 2000)


def test_the_mean_of_all_calls_no_later_than_any_column_alone() -> None:
    columns = np.random.default_rng(3).normal(0.05, 0.05, (3, 500, 60))
    calls = first_calls(columns, RULE)
    assert (calls.regression <= calls.worsening.min(axis=0)).all()
    assert (calls.regression < calls.worsening.min(axis=0)).mean() > 0.3


def test_a_column_alone_has_its_part_of_alpha() -> None:
    columns = np.zeros((3, 60))
    columns[2] = 0.02
    needed = worsening(columns[2]) >= math.log(1 / (RULE.alpha * RULE.weights[2]))
    calls = first_calls(columns, RULE)
    assert calls.worsening.tolist() == [NEVER, NEVER, needed.argmax() + 1]


def test_every_margin_has_to_be_excluded_though_not_at_the_same_time() -> None:
    columns = np.zeros((3, 200))
    # The first is excluded, and some ruined parts later it would not be; by then the last is.
    columns[0, 60:72], columns[0, 72:] = 1.0, -0.02
    columns[2, 1:100] = math.nan
    calls = first_calls(columns, RULE)
    within = [margin_excluded(column, RULE.margin) >= -math.log(RULE.miss) for column in columns]
    assert calls.exclusion.tolist() == [each.argmax() + 1 for each in within]
    assert calls.no_regression == calls.exclusion.max() == calls.exclusion[2]
    assert not within[0][calls.no_regression - 1]


def test_nothing_to_see_is_no_regression() -> None:
    calls = first_calls(np.zeros((3, 100)), RULE)
    assert calls.no_regression == calls.exclusion.max() < 60
    assert calls.regression == NEVER


def test_one_ruined_part_among_many_equal_ones_is_no_regression() -> None:
    columns = np.zeros((3, 200))
    columns[0, 5] = 1.0
    calls = first_calls(columns, RULE)
    assert calls.exclusion.max() == calls.no_regression < NEVER


def test_a_small_worsening_in_every_pair_is_waited_for() -> None:
    columns = np.zeros((3, 100))
    columns[0] = 0.05
    strict = Rule(weights=RULE.weights, alpha=1e-6, miss=0.05, margin=0.5)
    calls = first_calls(columns, strict)
    assert calls.exclusion.max() < calls.regression < NEVER
    assert calls.no_regression == NEVER


def test_no_pairs_call_nothing() -> None:
    calls = first_calls(np.zeros((3, 0)), RULE)
    assert calls.regression == calls.no_regression == NEVER
    assert calls.worsening.tolist() == calls.exclusion.tolist() == [NEVER] * 3
