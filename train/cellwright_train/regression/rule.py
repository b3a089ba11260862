"""From evidence to a verdict: who may raise how much of the false alarms, and what has to be excluded."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_train.regression.sequential import margin_excluded, worsening

NEVER = int(np.iinfo(np.int64).max)
"""Instead of a number of pairs, where nothing was called."""
_SUSPICION = 10.0
"""Evidence from which on it is called strong: Jeffreys, Theory of Probability (1961), appendix B."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """False alarms of a whole suite, and how its tests share them."""

    scenarios: int
    alpha: float = 0.01
    """Probability that anything at all is called a regression where nothing got worse."""
    measures: float = 0.7
    """Fraction of `alpha` for the continuous measures of all scenarios, in equal parts."""
    success: float = 0.2
    """Fraction of `alpha` for success in all scenarios, in equal parts."""
    pooled: float = 0.1
    """Fraction of `alpha` for what shows only over all scenarios together."""

    def __post_init__(self) -> None:
        if self.scenarios < 1 or not 0 < self.alpha < 1:
            raise ValueError(f"need a scenario and 0 < alpha < 1, got {self.scenarios=} and {self.alpha=}")
        fractions = (self.measures, self.success, self.pooled)
        if min(fractions) <= 0 or not math.isclose(sum(fractions), 1.0):
            raise ValueError(f"need fractions above 0 that add up to 1, got {fractions}")

    @property
    def scenario_alpha(self) -> float:
        """For one scenario: all its measures and success."""
        return self.alpha * (1.0 - self.pooled) / self.scenarios

    @property
    def pooled_alpha(self) -> float:
        """For the pooled test."""
        return self.alpha * self.pooled

    def weights(self, measures: int) -> tuple[float, ...]:
        """Parts of `scenario_alpha`, which add up to 1: of so many measures, and last of success."""
        parts = [*[self.measures / max(measures, 1)] * measures, self.success]
        return tuple(part / sum(parts) for part in parts)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """When a scenario is decided. Its columns are its measures, and success.

    A regression is called when the weighted mean of the columns' evidence reaches 1/`alpha`. A mean of
    e-processes is one, whatever their dependence (Vovk and Wang, Annals of Statistics 49, 2021), and calls no
    later than Bonferroni's tests of the columns, each at its weight times alpha.

    "No regression" needs the margin of every column excluded, those aside that no pair so far has a value of,
    and no strong evidence of a worsening: a small one that is seen in every pair is waited for. Where one
    margin is truly reached, the test of that one has to err; so `miss` needs no correction for the number of
    columns, nor for that of scenarios where a suite is "no regression" only if all of them are.
    """

    weights: tuple[float, ...]
    alpha: float
    miss: float
    """Probability that "no regression" is said although a margin is reached."""
    margin: float


@dataclass(frozen=True, kw_only=True)
class Calls:
    """Pairs after which something was first called, or NEVER. Of the first two, the lesser counts."""

    regression: NDArray[np.int64]
    """(streams)"""
    no_regression: NDArray[np.int64]
    """(streams)"""
    worsening: NDArray[np.int64]
    """(columns, streams): a regression by that column alone."""
    exclusion: NDArray[np.int64]
    """(columns, streams): the margin of that column."""


def first_calls(differences: NDArray[np.float64], rule: Rule) -> Calls:
    """Calls on `differences` (columns, streams, pairs), where streams may be any number of axes or none."""
    weights = np.asarray(rule.weights).reshape(-1, *[1] * (differences.ndim - 1))
    # Column by column: the capitals of one take tens of megabytes in a forecast.
    worse = np.log(weights) + np.stack([worsening(column) for column in differences])
    within = np.stack([margin_excluded(column, rule.margin) for column in differences])
    evidence = np.logaddexp.reduce(worse, axis=0)
    excluded = np.logical_or.accumulate(within >= -math.log(rule.miss), axis=-1)
    absent = np.logical_and.accumulate(np.isnan(differences), axis=-1)
    return Calls(
        regression=_first(evidence >= -math.log(rule.alpha)),
        no_regression=_first((excluded | absent).all(axis=0) & (evidence < math.log(_SUSPICION))),
        worsening=_first(worse >= -math.log(rule.alpha)),
        exclusion=_first(excluded),
    )


def _first(called: NDArray[np.bool_]) -> NDArray[np.int64]:
    pairs_since = np.logical_or.accumulate(called, axis=-1).sum(axis=-1)
    return np.where(pairs_since > 0, called.shape[-1] - pairs_since + 1, NEVER)
