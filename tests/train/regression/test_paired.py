"""Ours against enumeration, and against two tools that nobody here wrote.

What answers what: `sign_test` is `robostats.mcnemar(..., method="exact")` and
`verdikt.stats.paired_p(exact=True)`, with the discordant pairs as its counts. Both know success only, so that
signs of a continuous measure go into the same functions, and `wilcoxon` is answered by SciPy alone. Their
other tests (robostats' Tango, Miettinen-Nurminen and Cochran, verdikt's Fisher, Barnard and Boschloo) ask
other questions: intervals, unpaired arms, several policies.
"""

import itertools

import numpy as np
import pytest
import robostats
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from verdikt.stats import paired_p

from cellwright_train.regression.paired import sign_test, wilcoxon

COUNTS = [(0, 0), (1, 0), (0, 6), (3, 9), (9, 3), (16, 0), (40, 41), (120, 90)]


@given(st.integers(0, 9), st.integers(0, 9))
def test_the_sign_test_counts_the_splits_that_are_no_likelier(worse: int, better: int) -> None:
    tosses = worse + better
    heads = [sum(signs) for signs in itertools.product([0, 1], repeat=min(tosses, 12))]
    if tosses <= 12:
        extreme = [abs(2 * each - tosses) >= abs(worse - better) for each in heads]
        assert sign_test(worse, better) == pytest.approx(np.mean(extreme))
    assert sign_test(worse, better) == sign_test(better, worse)


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_wilcoxon_counts_the_signs_also_with_ties_and_zeros(values: list[int]) -> None:
    differing = np.array([value for value in values if value], float)
    ranks = stats.rankdata(np.abs(differing))
    sums = [sum(chosen) for chosen in itertools.product(*[(0.0, rank) for rank in ranks])]
    observed = ranks[differing > 0].sum()
    tails = [np.mean([each <= observed for each in sums]), np.mean([each >= observed for each in sums])]
    assert wilcoxon(np.array(values, float)) == pytest.approx(min(1.0, 2 * min(tails)))


@pytest.mark.parametrize("pairs", [5, 30, 200])
def test_wilcoxon_is_scipys_where_that_is_exact(pairs: int) -> None:
    differences = np.random.default_rng(pairs).normal(0.2, 1.0, pairs)
    expected = stats.wilcoxon(differences, method="exact").pvalue
    assert wilcoxon(differences) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("worse", "better"), COUNTS)
def test_mcnemar_agrees_with_robostats(worse: int, better: int) -> None:
    success: NDArray[np.bool_] = np.array(
        [(True, False)] * worse + [(False, True)] * better + [(True, True)] * 5
    )
    sides = [
        robostats.RecordSet(
            [
                robostats.EpisodeRecord(policy_id=policy, task_id="t", success=bool(good), scenario_id=str(i))
                for i, good in enumerate(column)
            ]
        )
        for policy, column in zip(("baseline", "candidate"), success.T, strict=True)
    ]
    theirs = robostats.mcnemar(robostats.pair(*sides), method="exact")
    assert sign_test(worse, better) == pytest.approx(theirs.p_value, abs=1e-9)


@pytest.mark.parametrize(("worse", "better"), COUNTS)
def test_mcnemar_agrees_with_verdikt(worse: int, better: int) -> None:
    assert sign_test(worse, better) == pytest.approx(paired_p(worse, better), abs=1e-9)
