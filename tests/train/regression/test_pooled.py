import itertools
import math

import numpy as np
import pytest

from cellwright_train.regression.pooled import pooled
from cellwright_train.regression.rule import NEVER, Budget, Rule, first_calls
from cellwright_train.regression.sequential import coin

BUDGET = Budget(scenarios=51)


def counts(columns: np.ndarray) -> dict[str, tuple[int, int]]:
    """Of (columns, pairs)."""
    return {
        name: (int((column > 0).sum()), int((column < 0).sum()))
        for name, column in zip(("time", "success"), columns, strict=True)
    }


def test_five_points_less_everywhere_are_seen_by_all_scenarios_together_only() -> None:
    rng = np.random.default_rng(1)
    called, alone = 0, 0
    rule = Rule(weights=BUDGET.weights(1), alpha=BUDGET.scenario_alpha, miss=0.01, margin=0.1)
    for _ in range(20):
        success = rng.choice([1.0, 0.0, -1.0], (51, 40), p=[0.1, 0.85, 0.05])
        scenarios = np.stack([rng.normal(0.0, 0.1, (51, 40)), success], axis=1)
        found = pooled([counts(scenario) for scenario in scenarios], alpha=BUDGET.pooled_alpha)
        called += found.regression
        assert found.column == "success"
        alone += int((first_calls(scenarios.swapaxes(0, 1), rule).regression < NEVER).sum())
    assert called >= 18
    assert alone <= 20


def test_chance_gains_nothing_and_loses_nothing_however_columns_and_scenarios_are_cut() -> None:
    # Every way in which fair coins can fall over five pairs of one scenario and three of another. A part that
    # took longer fails, unless it is the first.
    es = []
    for signs in itertools.product([-1, 1], repeat=8):
        time = np.array(signs)
        rows = np.stack([time, time * ([0] + [1] * 7)])
        es.append(math.exp(pooled([counts(rows[:, :5]), counts(rows[:, 5:])], alpha=0.05).log_e))
    assert np.mean(es) == pytest.approx(1.0)


def test_counts_are_summed_by_column_and_columns_averaged() -> None:
    found = pooled([{"time": (3, 1), "success": (9, 2)}, {"success": (4, 0), "force": (0, 7)}], alpha=0.5)
    parts = [math.exp(coin(*pair)) for pair in ((3, 1), (13, 2), (0, 7))]
    assert found.log_e == pytest.approx(math.log(sum(parts) / 3))
    assert (found.column, found.worse, found.better) == ("success", 13, 2)


def test_it_is_called_from_one_in_alpha_on() -> None:
    scenario = {"success": (12, 1)}
    e = math.exp(pooled([scenario], alpha=0.5).log_e)
    assert pooled([scenario], alpha=1.0001 / e).regression
    assert not pooled([scenario], alpha=0.9999 / e).regression


@pytest.mark.parametrize("scenarios", [[], [{}]])
def test_nothing_cannot_be_pooled(scenarios: list[dict[str, tuple[int, int]]]) -> None:
    with pytest.raises(ValueError, match="at least one column"):
        pooled(scenarios, alpha=0.01)
