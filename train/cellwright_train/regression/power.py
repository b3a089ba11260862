"""How many pairs would decide what is undecided."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_train.regression.rule import NEVER, Rule, first_calls

_POWER = 0.8
_REPEATS = 200
_FEWEST = 8
"""Pairs that say something about an effect at all; fewer can hardly decide anything either."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Pairs, counted from the first, after which 80 % of scenarios like this one are decided.

    None where that takes more pairs than were allowed, and where too few pairs are known to say anything.
    """

    pairs: int | None
    """To a verdict."""
    worsening: tuple[int | None, ...]
    """Of each column, to a regression, without the others."""
    exclusion: tuple[int | None, ...]
    """Of each column, to its margin being excluded."""


def forecast(differences: NDArray[np.float64], rule: Rule, *, most: int) -> Forecast:
    """Forecast from `differences` (columns, pairs), as if what they show were exactly so.

    Whole pairs are drawn from them again, with replacement and from a fixed seed, up to `most` pairs.
    """
    columns, known = differences.shape
    if known < _FEWEST:
        return Forecast(pairs=None, worsening=(None,) * columns, exclusion=(None,) * columns)
    draws = np.random.default_rng(0).integers(0, known, (_REPEATS, most))
    calls = first_calls(differences[:, draws], rule)
    return Forecast(
        pairs=_enough(np.minimum(calls.regression, calls.no_regression)),
        worsening=tuple(_enough(column) for column in calls.worsening),
        exclusion=tuple(_enough(column) for column in calls.exclusion),
    )


def _enough(calls: NDArray[np.int64]) -> int | None:
    call = int(np.sort(calls)[math.ceil(_POWER * _REPEATS) - 1])
    return None if call == NEVER else call
