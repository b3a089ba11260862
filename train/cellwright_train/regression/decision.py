"""One scenario, decided pair by pair: whether the candidate got worse than the baseline on the same parts."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cellwright_train.regression.bounds import Bounds, mean_bounds, median_bounds
from cellwright_train.regression.measure import SUCCESS, Measure
from cellwright_train.regression.power import Forecast, forecast
from cellwright_train.regression.rule import NEVER, Budget, Rule, first_calls
from cellwright_train.regression.sequential import margin_excluded, worsening

Verdict = Literal["no regression", "REGRESSION", "UNDERPOWERED"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What the pairs say about one measure, or about success."""

    measure: Measure
    worse: int
    better: int
    equal: int
    """Pairs."""
    neither: int
    """Pairs in which neither part has a value."""
    log_e: float
    """Natural logarithm of the evidence that it is worse."""
    excluded: bool
    """Whether it is certain to be worse by less than the margin, if at all."""
    difference: Bounds
    """Positive is worse: the median of the pairs that differ [unit], of success the mean of all."""


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict and its grounds."""

    verdict: Verdict
    pairs: int
    """Pairs up to the one that decided, or all so far."""
    findings: tuple[Finding, ...]
    """Of every measure, and last of success."""
    worst: Finding
    """The one that has the greatest part in the evidence of a regression."""


class ScenarioDecision:
    """Takes pairs in the order of the plan, and knows the verdict after each.

    The first verdict stands, and pairs after it change nothing: it depends neither on when one asks nor on
    how many parts were under way at a time.
    """

    def __init__(
        self, measures: Sequence[Measure], *, success_margin: float, budget: Budget, miss: float = 0.01
    ) -> None:
        """`success_margin` is how far the probability of success may drop: 0.1 is ten points.

        In a measure, the worst that a part can do counts like a failed part: as 1/`success_margin` margins.
        `miss` is the probability that "no regression" is said although a margin is reached.
        """
        if not (0 < success_margin < 1 and 0 < miss < 1):
            raise ValueError(f"need fractions between 0 and 1, got {success_margin=} and {miss=}")
        success = Measure(name=SUCCESS, unit="", margin=success_margin, worse="less")
        self._measures = (*measures, success)
        names = [measure.name for measure in self._measures]
        if len(set(names)) < len(names):
            raise ValueError(f"need measures with names of their own, got {names}")
        self._rule = Rule(
            weights=budget.weights(len(measures)),
            alpha=budget.scenario_alpha,
            miss=miss,
            margin=success_margin,
        )
        self._rows: list[list[float]] = []
        self._last: tuple[int, Verdict, int] = (0, "UNDERPOWERED", 0)

    def add(
        self, values: Mapping[str, tuple[float | None, float | None]], *, success: tuple[bool, bool]
    ) -> None:
        """A pair: every measure's (baseline, candidate) values, and whether the two parts are good.

        Raises ValueError where a measure is missing or unknown, or a value is not finite.
        """
        row = {**values, SUCCESS: (float(success[0]), float(success[1]))}
        if row.keys() != {measure.name for measure in self._measures}:
            raise ValueError(
                f"need {[measure.name for measure in self._measures[:-1]]}, got {sorted(values)}"
            )
        self._rows.append([measure.worsening(*row[measure.name]) for measure in self._measures])

    @property
    def verdict(self) -> Verdict:
        """UNDERPOWERED as long as there is no other."""
        return self._decided()[0]

    def judgement(self) -> Judgement:
        """The verdict, with what every measure says up to the pair that decided."""
        verdict, pairs = self._decided()
        raw = self._raw()[:, :pairs]
        findings = tuple(map(self._finding, self._measures, raw, self._scaled(raw)))
        parts = [
            math.log(weight) + finding.log_e
            for weight, finding in zip(self._rule.weights, findings, strict=True)
        ]
        return Judgement(
            verdict=verdict, pairs=pairs, findings=findings, worst=findings[int(np.argmax(parts))]
        )

    def forecast(self, *, most: int = 1000) -> Forecast:
        """Pairs that decide scenarios like this one, judged by the pairs so far; columns as the findings."""
        return forecast(self._scaled(self._raw()), self._rule, most=most)

    def _decided(self) -> tuple[Verdict, int]:
        count = len(self._rows)
        if self._last[0] != count:
            calls = first_calls(self._scaled(self._raw()), self._rule)
            regression, no_regression = int(calls.regression), int(calls.no_regression)
            if min(regression, no_regression) == NEVER:
                self._last = (count, "UNDERPOWERED", count)
            elif regression < no_regression:
                self._last = (count, "REGRESSION", regression)
            else:
                self._last = (count, "no regression", no_regression)
        return self._last[1:]

    def _raw(self) -> NDArray[np.float64]:
        """(measures, pairs) in the units of the measures."""
        return np.array(self._rows).reshape(-1, len(self._measures)).T

    def _scaled(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """With one margin for all, and as bad as a failed part at most."""
        margins = np.array([[measure.margin] for measure in self._measures])
        return np.clip(raw / margins * self._rule.margin, -1.0, 1.0)

    def _finding(self, measure: Measure, raw: NDArray[np.float64], scaled: NDArray[np.float64]) -> Finding:
        within = margin_excluded(scaled, self._rule.margin)
        differing = raw[(raw != 0) & ~np.isnan(raw)]
        return Finding(
            measure=measure,
            worse=int((raw > 0).sum()),
            better=int((raw < 0).sum()),
            equal=int((raw == 0).sum()),
            neither=int(np.isnan(raw).sum()),
            log_e=float(worsening(scaled)[-1]) if raw.size else 0.0,
            excluded=bool((within >= -math.log(self._rule.miss)).any()),
            difference=mean_bounds(raw) if measure.name == SUCCESS else median_bounds(differing),
        )
