"""95 % intervals for the numbers in a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_Z95 = 1.959963984540054  # two-sided 95 % quantile of the normal distribution
_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float


def proportion(successes: int, trials: int) -> Estimate:
    """Fraction of successes with its Wilson score interval; raises ValueError for impossible counts."""
    if not 0 <= successes <= trials or trials < 1:
        raise ValueError(f"need 0 <= successes <= trials and a trial, got {successes} of {trials}")
    fraction = successes / trials
    centre = (fraction + _Z95**2 / (2 * trials)) / (1 + _Z95**2 / trials)
    half = (
        _Z95
        / (1 + _Z95**2 / trials)
        * math.sqrt(fraction * (1 - fraction) / trials + _Z95**2 / (4 * trials**2))
    )
    return Estimate(value=fraction, low=max(0.0, centre - half), high=min(1.0, centre + half))


def paired_difference(better: int, worse: int, pairs: int) -> Estimate:
    """Difference of two proportions of matched pairs: `better` less `worse` pairs, over all `pairs`.

    The interval is Wald's with half a pair added to each of the four cells (Agresti and Min 2005,
    10.1002/sim.1781), so that a few equal pairs do not pass for certainty. Raises ValueError for impossible
    counts.
    """
    if min(better, worse) < 0 or pairs < 1 or better + worse > pairs:
        raise ValueError(f"need {better=} and {worse=} at least 0 and together at most {pairs=}, at least 1")
    more, fewer, count = better + 0.5, worse + 0.5, pairs + 2.0
    centre = (more - fewer) / count
    half = _Z95 * math.sqrt(more + fewer - (more - fewer) ** 2 / count) / count
    return Estimate(
        value=(better - worse) / pairs, low=max(-1.0, centre - half), high=min(1.0, centre + half)
    )


def ratio_of_sums(numerators: Sequence[float], denominators: Sequence[float]) -> Estimate:
    """Sum over sum, with a bootstrap interval over episodes from a fixed seed."""
    top, bottom = np.asarray(numerators, float), np.asarray(denominators, float)
    if top.shape != bottom.shape or top.size == 0 or not (bottom > 0).all():
        raise ValueError("need as many positive denominators as numerators, at least one")
    draws = np.random.default_rng(0).integers(0, top.size, (_RESAMPLES, top.size))
    resampled = top[draws].sum(axis=1) / bottom[draws].sum(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return Estimate(value=float(top.sum() / bottom.sum()), low=float(low), high=float(high))


def mean(values: Sequence[float]) -> Estimate:
    """Mean with a bootstrap interval from a fixed seed."""
    return ratio_of_sums(values, np.ones(len(values)).tolist())


def quantile(values: Sequence[float], fraction: float) -> Estimate:
    """Quantile `fraction` of `values`, with a bootstrap interval from a fixed seed."""
    array = np.asarray(values, float)
    if array.size == 0 or not 0.0 <= fraction <= 1.0:
        raise ValueError(f"need values and a fraction from 0 to 1, got {array.size} values and {fraction}")
    draws = np.random.default_rng(0).integers(0, array.size, (_RESAMPLES, array.size))
    low, high = np.quantile(np.quantile(array[draws], fraction, axis=1), [0.025, 0.975])
    return Estimate(value=float(np.quantile(array, fraction)), low=float(low), high=float(high))
