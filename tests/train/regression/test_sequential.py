import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, norm

from cellwright_train.regression.sequential import coin, margin_excluded, mean_below, worsening
from tests.train.regression.null_shapes import NULL_SHAPES, Draw, most_alarms

REPEATS, PAIRS, ALPHA = 2000, 120, 0.05
SUITE_ALPHA = 0.01 / 51
"""Bonferroni's for one measure in each of 51 scenarios."""

sizes = st.lists(st.floats(1e-6, 1.0), min_size=1, max_size=7)
differences = st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=30).map(np.array)


def alarms(log_e: NDArray[np.float64], alpha: float = ALPHA) -> float:
    """Fraction of streams that are called at any time."""
    return float((log_e.max(axis=-1) >= -math.log(alpha)).mean())


def pairs_to_call(log_e: NDArray[np.float64], fraction: float = 0.5) -> float:
    """Pairs after which that fraction of streams is called."""
    called = log_e >= -math.log(SUITE_ALPHA)
    return float(np.quantile(np.where(called.any(axis=-1), called.argmax(axis=-1) + 1, np.inf), fraction))


@pytest.mark.parametrize("draw", NULL_SHAPES.values(), ids=NULL_SHAPES)
def test_who_stops_when_it_suits_raises_no_more_false_alarms_than_allowed(draw: Draw) -> None:
    log_e = worsening(draw(np.random.default_rng(1), (REPEATS, PAIRS)))
    assert alarms(log_e) <= most_alarms(ALPHA, REPEATS)


def test_the_false_alarms_that_are_allowed_are_used() -> None:
    log_e = worsening(NULL_SHAPES["normal"](np.random.default_rng(1), (REPEATS, PAIRS)))
    assert alarms(log_e) > ALPHA / 4


@given(sizes)
def test_chance_gains_nothing_and_loses_nothing(sizes: list[float]) -> None:
    # Every way in which fair coins can give these sizes their signs.
    signs = np.array(list(itertools.product([-1.0, 1.0], repeat=len(sizes))))
    np.testing.assert_allclose(np.exp(worsening(signs * sizes)).mean(axis=0), 1.0, rtol=1e-9)


@given(sizes, st.floats(1.0, 20.0))
def test_larger_gains_as_often_as_losses_are_no_evidence(sizes: list[float], factor: float) -> None:
    signs = np.array(list(itertools.product([-factor, 1.0], repeat=len(sizes))))
    assert np.exp(worsening(signs * sizes))[:, -1].mean() <= 1.0 + 1e-9


@pytest.mark.parametrize("tosses", [1, 2, 10, 200])
def test_a_fair_coin_gains_nothing_on_average(tosses: int) -> None:
    heads = np.arange(tosses + 1)
    chances = binom.pmf(heads, tosses, 0.5)
    assert (chances * np.exp(coin(heads, tosses - heads))).sum() == pytest.approx(1.0)


def test_worse_in_every_pair_is_called_within_sixteen() -> None:
    constant, drawn = np.full(40, 0.02), np.abs(np.random.default_rng(2).normal(size=(200, 40)))
    assert pairs_to_call(worsening(constant)) <= 16
    assert pairs_to_call(worsening(drawn), 0.9) <= 16


def test_worse_in_ninety_of_ninety_five_is_called_within_twenty_one() -> None:
    rng = np.random.default_rng(3)
    shifted = rng.normal(norm.ppf(90 / 95), 1.0, (1000, 60))
    assert pairs_to_call(worsening(0.1 * shifted)) <= 19
    # Also where sizes say nothing.
    signs = np.where(rng.random((1000, 60)) < 90 / 95, 1.0, -1.0)
    assert pairs_to_call(worsening(signs * rng.random((1000, 60)))) <= 21


def test_a_small_failing_probability_needs_hundreds_of_pairs() -> None:
    drops = np.random.default_rng(4).choice([1.0, 0.0, -1.0], (400, 400), p=[0.25, 0.7, 0.05])
    assert 80 <= pairs_to_call(worsening(drops)) <= 130


def test_sizes_save_a_fifth_of_the_pairs_where_they_tell() -> None:
    shifted = np.random.default_rng(5).normal(norm.ppf(0.8), 1.0, (1000, 150))
    signs_only = coin(np.cumsum(shifted > 0, axis=1), np.cumsum(shifted < 0, axis=1))
    assert pairs_to_call(worsening(0.1 * shifted)) < 0.85 * pairs_to_call(signs_only)


def test_sizes_cost_less_than_a_seventh_of_the_pairs_where_they_mislead() -> None:
    rng = np.random.default_rng(6)
    worse = rng.random((1000, 150)) < 0.8
    misleading = np.where(worse, 0.1, -0.3) * (1.0 + rng.random((1000, 150)))
    signs_only = coin(np.cumsum(worse, axis=1), np.cumsum(~worse, axis=1))
    assert pairs_to_call(worsening(misleading)) < 8 / 7 * pairs_to_call(signs_only)


@given(differences, st.integers(0, 30))
def test_what_was_said_is_not_changed_by_later_pairs(differences: NDArray[np.float64], until: int) -> None:
    np.testing.assert_allclose(worsening(differences)[:until], worsening(differences[:until]))
    said = margin_excluded(differences[:until], 0.1)
    np.testing.assert_allclose(margin_excluded(differences, 0.1)[:until], said)


@given(differences, st.floats(1e-3, 1.0))
def test_the_unit_does_not_matter(differences: NDArray[np.float64], scale: float) -> None:
    assume((np.abs(differences[differences != 0]) > 1e-9).all())
    np.testing.assert_allclose(worsening(scale * differences), worsening(differences), atol=1e-9)


@given(differences, st.data())
def test_pairs_that_are_equal_or_say_nothing_change_nothing(
    differences: NDArray[np.float64], data: st.DataObject
) -> None:
    places = data.draw(st.lists(st.integers(0, differences.size), max_size=5))
    silent = data.draw(st.sampled_from([0.0, math.nan]))
    longer = np.insert(differences, places, silent)
    assert worsening(longer)[-1] == pytest.approx(worsening(differences)[-1])
    gaps = np.insert(differences, places, math.nan)
    assert margin_excluded(gaps, 0.1)[-1] == pytest.approx(margin_excluded(differences, 0.1)[-1])


@given(differences, st.data())
def test_evidence_grows_when_a_gain_becomes_a_worsening(
    differences: NDArray[np.float64], data: st.DataObject
) -> None:
    gains = np.flatnonzero(differences < 0)
    assume(gains.size)
    flipped = differences.copy()
    flipped[data.draw(st.sampled_from(gains.tolist()))] *= -1
    assert worsening(flipped)[-1] > worsening(differences)[-1]


@given(differences, st.integers(0, 29), st.floats(0.0, 1.0), st.floats(0.01, 0.9))
def test_a_worse_part_is_never_evidence_that_the_margin_is_kept(
    differences: NDArray[np.float64], place: int, more: float, margin: float
) -> None:
    worse = differences.copy()
    worse[place % worse.size] = min(1.0, worse[place % worse.size] + more)
    assert margin_excluded(worse, margin)[-1] <= margin_excluded(differences, margin)[-1] + 1e-9


MARGIN = 0.1
AT_THE_MARGIN: dict[str, Draw] = {
    "shift": lambda rng, shape: np.clip(rng.normal(MARGIN, 0.1, shape), -1.0, 1.0),
    "shift under noise far beyond the clip": lambda rng, shape: np.clip(
        rng.normal(MARGIN, 3.0, shape), -1.0, 1.0
    ),
    "one in ten ruined": lambda rng, shape: (rng.random(shape) < MARGIN).astype(float),
    "success": lambda rng, shape: rng.choice([1.0, 0.0, -1.0], shape, p=[0.15, 0.8, 0.05]),
    "just the margin": lambda rng, shape: np.full(shape, MARGIN),
}


@pytest.mark.parametrize("draw", AT_THE_MARGIN.values(), ids=AT_THE_MARGIN)
def test_a_candidate_at_the_margin_is_seldom_cleared(draw: Draw) -> None:
    log_e = margin_excluded(draw(np.random.default_rng(7), (REPEATS, 2 * PAIRS)), MARGIN)
    assert alarms(log_e) <= most_alarms(ALPHA, REPEATS)


def test_neither_median_nor_mean_alone_keeps_that_promise() -> None:
    rng = np.random.default_rng(7)
    noisy = AT_THE_MARGIN["shift under noise far beyond the clip"](rng, (200, 1500))
    assert alarms(mean_below(noisy, MARGIN)) > 0.5
    ruined = AT_THE_MARGIN["one in ten ruined"](rng, (200, 400))
    median = coin(np.cumsum(ruined < MARGIN, axis=1), np.cumsum(ruined >= MARGIN, axis=1))
    assert alarms(median) > 0.5


@given(st.floats(-0.9, 0.9), st.floats(0.1, 1.0), st.integers(1, 9))
def test_bets_on_a_mean_are_fair_at_the_bound(bound: float, far: float, pairs: int) -> None:
    # Two values, with the bound as their mean: 1, and another that lies `far` of the way to -1.
    low = bound - far * (bound + 1.0)
    chance = (bound - low) / (1.0 - low)
    streams = np.array(list(itertools.product([low, 1.0], repeat=pairs)))
    weights = np.where(streams == 1.0, chance, 1.0 - chance).prod(axis=1)
    assert (weights * np.exp(mean_below(streams, bound)[:, -1])).sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("margin", "pairs"), [(0.05, 117), (0.1, 56), (0.2, 27)])
def test_equal_parts_exclude_a_margin_little_later_than_any_test_can(margin: float, pairs: int) -> None:
    called = margin_excluded(np.zeros(150), margin) >= math.log(100)
    assert called.argmax() + 1 == pytest.approx(pairs, abs=1)
    # No test can before this many: so many equal pairs still have a probability of 1 % at the margin.
    assert pairs < 1.4 * math.log(100) / -math.log(1.0 - margin)


def test_streams_side_by_side_are_those_one_by_one() -> None:
    streams = np.random.default_rng(8).normal(0.0, 0.2, (2, 3, 20)).clip(-1.0, 1.0)
    for function in (worsening, lambda d: margin_excluded(d, MARGIN)):
        together = function(streams)
        for index in np.ndindex(2, 3):
            np.testing.assert_allclose(together[index], function(streams[index]))
