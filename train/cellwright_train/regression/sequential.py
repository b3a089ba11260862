"""E-processes: evidence that may be looked at after every pair, and acted on at once.

An e-process begins at 1 and, where its null hypothesis holds for every pair given the pairs before it, is a
non-negative supermartingale. Ville's inequality (Étude critique de la notion de collectif, 1939) then bounds
the probability that it ever reaches 1/alpha by alpha, however often one looks. The survey is Ramdas,
Grünwald, Vovk and Shafer, Game-theoretic statistics and safe anytime-valid inference, Statistical Science 38
(2023).

Each one here is the capital of a few bettors that begin with equal parts of 1: a mixture, as in Robbins,
Annals of Mathematical Statistics 41 (1970). Functions return natural logarithms and run along the last axis.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

_STAKES = np.array([1 / 16, 1 / 4, 1 / 2, 1.0, 2.0])
"""Half log-odds of the coins that bettors believe in: heads with probability 0.53, 0.62, 0.73, 0.88 and 0.98.
Twice as many, or the exact mixture over a Beta(1, 1/2), call a pair earlier at most."""
_STAKE_PER_SIZE = 4.0
"""The usual difference has the size 1/2, so that twice as much is staked on it as on a sign alone."""
_FRACTIONS = np.array([1 / 8, 1 / 4, 1 / 2, 3 / 4, 0.99])
"""Stakes against a bound, as fractions of the stake that one failed part would ruin."""


def coin(heads: ArrayLike, tails: ArrayLike) -> NDArray[np.float64]:
    """Evidence that heads are likelier than tails, from their numbers, of any shape.

    The null: P(heads | tosses before) <= 1/2.
    """
    wins, losses = _coin_gain(_STAKES), _coin_gain(-_STAKES)
    return _shared(np.multiply.outer(wins, heads) + np.multiply.outer(losses, tails))


def worsening(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Evidence that the candidate is worse. Zeros and NaN change nothing.

    The null: given the pairs before it, a worsening of any size or more is no likelier than a gain of that
    size or more, P(d >= x) <= P(d <= -x) for all x > 0. It holds where nothing changed, since baseline and
    candidate can then change places, whatever the distribution; and where the candidate is better than that.

    Half of the capital bets on the sign alone, half stakes more on larger differences. A stake that grows
    with |d|, and else depends on the pairs before only, gains nothing on average under this null.
    """
    by_sign = coin(np.cumsum(differences > 0, axis=-1), np.cumsum(differences < 0, axis=-1))
    signed = np.sign(np.nan_to_num(differences)) * _sizes(differences)
    gains = _coin_gain(np.multiply.outer(_STAKE_PER_SIZE * _STAKES, signed))
    by_size = _shared(np.cumsum(gains, axis=-1))
    return np.logaddexp(by_sign, by_size) - math.log(2)


def margin_excluded(differences: NDArray[np.float64], margin: float) -> NDArray[np.float64]:
    """Evidence that the candidate is worse by less than `margin`, if at all. NaN changes nothing.

    The lesser of two, so that it excludes two nulls at once, each for every pair given the pairs before it:

    - P(d >= margin) >= 1/2: the median reaches the margin. Zeros count against it, a difference of just the
      margin for it.
    - E[d] >= margin, which a few ruined parts among many equal ones make true without moving the median. The
      bet is that of Waudby-Smith and Ramdas, JRSS B 86 (2024). Alone it would overlook a shift by the margin
      under noise that is so large that most differences end at -1 or 1.
    """
    below, beyond = np.cumsum(differences < margin, axis=-1), np.cumsum(differences >= margin, axis=-1)
    return np.minimum(coin(below, beyond), mean_below(differences, margin))


def mean_below(differences: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """Evidence against E[d | pairs before] >= `bound`, which is between -1 and 1. NaN changes nothing."""
    surplus = np.where(np.isnan(differences), 0.0, bound - differences) / (1.0 - bound)
    return _shared(np.cumsum(np.log1p(np.multiply.outer(_FRACTIONS, surplus)), axis=-1))


def _coin_gain(stake: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of what a fair coin pays for a side that was held for exp(2 `stake`) times as likely."""
    return math.log(2) - np.log1p(np.exp(-2.0 * stake))


def _sizes(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """|d| over the sum of |d| and the mean |d| of the differing pairs before; 1/2 for the first of them."""
    sizes = np.abs(np.nan_to_num(differences))
    before: NDArray[np.int64] = np.cumsum(sizes > 0, axis=-1) - (sizes > 0)
    mean = (np.cumsum(sizes, axis=-1) - sizes) / np.maximum(before, 1)
    usual = np.where(before > 0, mean, sizes)
    return sizes / np.where(sizes > 0, sizes + usual, 1.0)


def _shared(capitals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the mean over the first axis of capitals that are given as logarithms."""
    highest = capitals.max(axis=0)
    return highest + np.log(np.exp(capitals - highest).mean(axis=0))
