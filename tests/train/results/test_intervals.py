import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_train.results.intervals import mean, paired_difference, proportion, ratio_of_sums


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(95, 100, 0.8882, 0.9785), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0)],
)
def test_wilson_intervals_are_the_published_ones(
    successes: int, trials: int, low: float, high: float
) -> None:
    estimate = proportion(successes, trials)
    assert (estimate.low, estimate.high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_share_lies_inside_its_interval(counts: tuple[int, int]) -> None:
    estimate = proportion(*counts)
    assert 0 <= estimate.low <= estimate.value + 1e-12
    assert estimate.value - 1e-12 <= estimate.high <= 1


@pytest.mark.parametrize("counts", [(1, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_refused(counts: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="need 0 <= successes <= trials"):
        proportion(*counts)


def test_the_bootstrap_gives_the_same_interval_every_time() -> None:
    values = np.random.default_rng(1).normal(3.0, 1.0, 60).tolist()
    assert mean(values) == mean(values)


def test_the_bootstrap_is_as_wide_as_the_normal_theory_says() -> None:
    values = np.random.default_rng(2).normal(3.0, 1.0, 400)
    estimate = mean(values.tolist())
    half = 1.96 * values.std(ddof=1) / 20
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.high - estimate.low == pytest.approx(2 * half, rel=0.15)


def test_long_seams_count_for_more_than_short_ones() -> None:
    assert ratio_of_sums([10.0, 0.0], [1.0, 3.0]).value == pytest.approx(2.5)


def test_a_difference_of_pairs_is_centred_and_wide_where_few_pairs_agree() -> None:
    equal = paired_difference(0, 0, 2)
    assert equal.value == 0.0
    assert equal.low == -equal.high
    assert equal.high == pytest.approx(1.96 / 4, abs=1e-3)
    assert paired_difference(3, 9, 60).value == pytest.approx(-0.1)
    assert paired_difference(9, 3, 60).high == pytest.approx(-paired_difference(3, 9, 60).low)


def test_intervals_of_paired_differences_hold_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(3)
    for up, down in ((0.02, 0.02), (0.05, 0.15), (0.3, 0.2)):
        drawn = rng.multinomial(60, (up, down, 1.0 - up - down), 2000)
        found = [paired_difference(int(better), int(worse), 60) for better, worse, _ in drawn]
        held = np.mean([each.low <= up - down <= each.high for each in found])
        assert 0.93 <= held <= 1.0


@pytest.mark.parametrize("counts", [(-1, 0, 3), (2, 2, 3), (0, 0, 0)])
def test_impossible_pairs_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="at least"):
        paired_difference(*counts)
