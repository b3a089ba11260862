"""What `cellwright regress` says about pairs of which the fault is known."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_train.regression.decision import ScenarioDecision
from cellwright_train.regression.measure import SUCCESS, Measure
from cellwright_train.regression.rule import Budget
from cellwright_train.regression.yardsticks import SUCCESS_MARGIN, values
from cellwright_train.results.result import EpisodeResult

EARLY = 25
"""Pairs within which a fault that shows in nearly every pair has to be a regression."""
NEARLY_ALL = 0.95
"""Fraction of pairs from which on a fault shows in nearly every one."""
_FORECASTS = 20
"""Repeats in which the number of pairs that would decide is asked for: each takes half a second."""
_MOST_PAIRS = 1000


@dataclass(frozen=True)
class Pairs:
    """A baseline and a candidate with one fault, part by part."""

    measures: tuple[Measure, ...]
    rows: tuple[tuple[Mapping[str, tuple[float | None, float | None]], tuple[bool, bool]], ...]
    """Of each part its values and whether it is good, (baseline, candidate)."""

    @classmethod
    def of(
        cls,
        measures: tuple[Measure, ...],
        baseline: Sequence[EpisodeResult],
        candidate: Sequence[EpisodeResult],
    ) -> Pairs:
        """Raises ValueError where the two did not work on the same parts."""
        if [each.seed for each in baseline] != [each.seed for each in candidate]:
            raise ValueError("need the same parts in the same order")
        rows = []
        for one, other in zip(baseline, candidate, strict=True):
            then, now = values(one, measures), values(other, measures)
            rows.append(({name: (then[name], now[name]) for name in then}, (one.good, other.good)))
        return cls(measures, tuple(rows))

    def worsenings(self) -> dict[str, NDArray[np.float64]]:
        """By measure, and of success: by how many margins each part is worse; NaN where it has no value."""
        success = Measure(name=SUCCESS, unit="", margin=SUCCESS_MARGIN, worse="less")
        found = {
            measure.name: [measure.worsening(*row[measure.name]) / measure.margin for row, _ in self.rows]
            for measure in self.measures
        }
        found[SUCCESS] = [success.worsening(float(a), float(b)) / success.margin for _, (a, b) in self.rows]
        return {name: np.array(each) for name, each in found.items()}

    def shows_most(self) -> tuple[str, float]:
        """The measure that is worse in the largest fraction of all pairs, and that fraction."""
        fractions = {name: float((each > 0).mean()) for name, each in self.worsenings().items()}
        name = max(fractions, key=lambda name: fractions[name])
        return name, fractions[name]

    def beyond(self) -> list[str]:
        """Measures whose worsening over all pairs reaches the margin, in the median or in the mean.

        In the mean a part counts for as many margins as a failed part at most, as in the decision.
        """
        most = 1.0 / SUCCESS_MARGIN
        found = []
        for name, each in self.worsenings().items():
            known = each[~np.isnan(each)]
            if known.size and (np.mean(known >= 1.0) >= 0.5 or np.clip(known, -most, most).mean() >= 1.0):
                found.append(name)
        return found

    def decided(self, which: Sequence[int], scenarios: int) -> ScenarioDecision:
        """The decision on these pairs, in this order, in a suite of so many scenarios."""
        decision = ScenarioDecision(
            self.measures, success_margin=SUCCESS_MARGIN, budget=Budget(scenarios=scenarios)
        )
        for index in which:
            row, good = self.rows[index]
            decision.add(row, success=good)
        return decision


def weighed(pairs: Pairs, *, scenarios: int, repeats: int, seed: int) -> dict[str, Any]:
    """What so many repeats came to, each with pairs that are drawn from all with replacement."""
    rng = np.random.default_rng(seed)
    count = len(pairs.rows)
    early: Counter[str] = Counter()
    late: Counter[str] = Counter()
    told: list[int | None] = []
    for _ in range(repeats):
        drawn = rng.integers(0, count, count).tolist()
        decision = pairs.decided(drawn[:EARLY], scenarios)
        early[decision.verdict] += 1
        late[pairs.decided(drawn, scenarios).verdict] += 1
        if decision.verdict == "UNDERPOWERED" and len(told) < _FORECASTS:
            told.append(decision.forecast(most=_MOST_PAIRS).pairs)
    measure, fraction = pairs.shows_most()
    known = [each for each in told if each is not None]
    return {
        "pairs": count,
        "repeats": repeats,
        "measure": measure,
        "worse_fraction": fraction,
        "beyond_margin": pairs.beyond(),
        "early": dict(early),
        "late": dict(late),
        "needed": pairs.decided(range(count), scenarios).forecast(most=_MOST_PAIRS).pairs,
        "needed_told": statistics.median_low(known) if known else None,
        "needed_unknown": len(told) - len(known),
        "needed_asked": len(told),
    }
