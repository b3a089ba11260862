"""What a regression says about one scenario, and about a suite."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from cellwright_train.regression.decision import Judgement
from cellwright_train.regression.tape import Difference

Verdict = Literal["UNCHANGED", "no regression", "REGRESSION", "UNDERPOWERED", "NOT COMPARABLE"]
EXIT_CODES: dict[Verdict, int] = {
    "UNCHANGED": 0,
    "no regression": 0,
    "REGRESSION": 1,
    "NOT COMPARABLE": 2,
    "UNDERPOWERED": 3,
}
_GRAVEST: tuple[Verdict, ...] = ("REGRESSION", "NOT COMPARABLE", "UNDERPOWERED", "no regression", "UNCHANGED")


@dataclass(frozen=True, kw_only=True)
class Pair:
    """One part under the baseline's policy and under the candidate."""

    seed: int
    product: str
    good: tuple[bool, bool]
    values: dict[str, tuple[float | None, float | None]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One scenario."""

    scenario: str
    verdict: Verdict
    policy: str
    differences: tuple[Difference, ...] = ()
    """What locating has found."""
    not_comparable: str = ""
    """Why, where it is."""
    judgement: Judgement | None = None
    """Where pairs were weighed."""
    pairs: tuple[Pair, ...] = ()
    needed: int | None = None
    """Pairs that would decide 80 % of such scenarios; None where that is not known."""

    @property
    def worst(self) -> Pair | None:
        """The pair that shows best what got worse: a part that is bad now, or the largest worsening."""
        if self.judgement is None or not self.pairs:
            return None
        lost = next((pair for pair in self.pairs if pair.good == (True, False)), None)
        measure = self.judgement.worst.measure
        if lost is not None or measure.name not in self.pairs[0].values:
            return lost

        def worsening(pair: Pair) -> float:
            found = measure.worsening(*pair.values[measure.name])
            return 0.0 if math.isnan(found) else found

        return max(self.pairs, key=worsening)

    def as_json(self) -> dict[str, Any]:
        """One entry of `scenarios` in the results; what was not done is null."""
        told: dict[str, Any] = {
            "verdict": self.verdict,
            "policy": self.policy,
            "differences": [
                {"kind": each.kind, "group": each.group, "step": each.step, "detail": each.detail}
                for each in self.differences
            ],
            "not_comparable": self.not_comparable or None,
            "needed_pairs": self.needed,
            "pairs": len(self.pairs),
            "decided_after": None,
            "findings": None,
        }
        if self.judgement is not None:
            told["decided_after"] = None if self.verdict == "UNDERPOWERED" else self.judgement.pairs
            told["findings"] = [
                {
                    "measure": finding.measure.name,
                    "unit": finding.measure.unit,
                    "margin": finding.measure.margin,
                    "worse": finding.worse,
                    "better": finding.better,
                    "equal": finding.equal,
                    "neither": finding.neither,
                    "log_e": finding.log_e,
                    "margin_excluded": finding.excluded,
                    "difference": [
                        finding.difference.value,
                        finding.difference.low,
                        finding.difference.high,
                    ],
                }
                for finding in self.judgement.findings
            ]
        return told


def gravest(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict of a suite: that of its gravest scenario; nothing at all decides nothing."""
    found = set(verdicts)
    return next((verdict for verdict in _GRAVEST if verdict in found), "UNDERPOWERED")
