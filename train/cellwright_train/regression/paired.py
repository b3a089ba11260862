"""Exact two-sided p-values of samples whose size was fixed beforehand, for comparison with other tools."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata


def sign_test(worse: int, better: int) -> float:
    """Of pairs that differ; where they are parts that only one of the two made well, McNemar's exact test."""
    return float(binomtest(worse, worse + better).pvalue) if worse + better else 1.0


def wilcoxon(differences: NDArray[np.float64]) -> float:
    """Wilcoxon's signed ranks, exact with ties too: zeros are left out, equal sizes share their mean rank.

    Source: Wilcoxon, Biometrics Bulletin 1 (1945); the distribution is counted, sign by sign.
    """
    differing = differences[differences != 0]
    # Twice the ranks: mean ranks end in a half.
    ranks = np.rint(2 * rankdata(np.abs(differing))).astype(int)
    chance = np.ones(1)
    for rank in ranks:
        chance = 0.5 * (np.pad(chance, (0, rank)) + np.pad(chance, (rank, 0)))
    observed = int(ranks[differing > 0].sum())
    return min(1.0, 2 * min(float(chance[: observed + 1].sum()), float(chance[observed:].sum())))
