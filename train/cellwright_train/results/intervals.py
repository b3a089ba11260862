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
