"""How much worse, with bounds that hold at every look, and so at the pair at which a verdict falls."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from cellwright_train.regression.sequential import coin, mean_below

_MISS_ON_A_SIDE = 0.025


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """An estimate and its 95 % confidence sequence; None where the pairs so far give no finite number."""

    value: float | None
    low: float | None
    high: float | None


def median_bounds(values: NDArray[np.float64]) -> Bounds:
    """Median of `values` (N,), of which some may be infinite, between two of the values.

    Beyond a bound lie so many values that a fair coin would not show as many heads: the construction of
    Howard and Ramdas, Bernoulli 28 (2022), with the evidence of `coin`.
    """
    count = values.size
    if count == 0:
        return Bounds(value=None, low=None, high=None)
    ordered = np.sort(values)
    heads = np.arange(count + 1)
    telling = heads[coin(heads, count - heads) >= -math.log(_MISS_ON_A_SIDE)]
    low, high = (ordered[count - telling[0]], ordered[telling[0] - 1]) if telling.size else (np.nan, np.nan)
    return Bounds(value=_finite(np.median(ordered)), low=_finite(low), high=_finite(high))


def mean_bounds(differences: NDArray[np.float64]) -> Bounds:
    """Mean of `differences` (N,) between the means that bets exclude."""
    if differences.size == 0:
        return Bounds(value=None, low=None, high=None)
    return Bounds(
        value=float(differences.mean()), low=-_highest_mean(-differences), high=_highest_mean(differences)
    )


def _highest_mean(differences: NDArray[np.float64]) -> float:
    def excess(bound: float) -> float:
        return float(mean_below(differences, bound)[-1]) + math.log(_MISS_ON_A_SIDE)

    nearly = 1.0 - 1e-9
    return float(brentq(excess, -nearly, nearly)) if excess(nearly) > 0 else 1.0


def _finite(value: float | np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None
