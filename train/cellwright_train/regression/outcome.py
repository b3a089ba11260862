"""What a regression says about one scenario, and about a suite."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from cellwright_train.regression.decision import Judgement
from cellwright_train.regression.measure import SUCCESS
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


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """One part under the baseline's policy and under the candidate."""

    seed: int
    product: str
    good: tuple[bool, bool]
    values: dict[str, tuple[float | None, float | None]]

    def of(self, measure: str) -> tuple[float | None, float | None]:
        """Baseline's and candidate's value of a measure, or of success as 0 and 1."""
        if measure == SUCCESS:
            return float(self.good[0]), float(self.good[1])
        return self.values[measure]

    def as_json(self) -> dict[str, Any]:
        """Each value as [baseline, candidate]."""
        return {
            "seed": self.seed,
            "product": self.product,
            "good": list(self.good),
            "values": {name: list(each) for name, each in self.values.items()},
        }


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One scenario."""

    scenario: str
    """Its name."""
    verdict: Verdict
    policy: str
    """Name of the candidate."""
    other_policy: bool = False
    """Whether the candidate is not what the baseline was recorded with, however alike it acts."""
    replay: str = ""
    """Command that works on parts of this scenario with the candidate, without the seed."""
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
        """The pair that shows best what got worse: a part that is bad now, or the largest worsening.

        None where a worsening is excluded, and where no pair is worse.
        """
        if self.judgement is None or self.verdict == "no regression":
            return None
        lost = next((pair for pair in self.pairs if pair.good == (True, False)), None)
        worse = self._worse()
        return lost or max(worse, key=lambda pair: worse[pair], default=None)

    @property
    def since(self) -> Pair | None:
        """The first pair that is worse in what got worst; None where there is none."""
        return None if self.judgement is None else next(iter(self._worse()), None)

    def _worse(self) -> dict[Pair, float]:
        """Pairs that are worse in what got worst, and by how much, in the order of the plan."""
        assert self.judgement is not None
        measure = self.judgement.worst.measure
        sizes = {pair: measure.worsening(*pair.of(measure.name)) for pair in self.pairs}
        return {pair: size for pair, size in sizes.items() if size > 0}

    def _replay(self, pair: Pair) -> str:
        return f"{self.replay} --seed {pair.seed} --episodes 1"

    def as_json(self) -> dict[str, Any]:
        """One entry of `scenarios` in the results; what was not done is null."""
        told: dict[str, Any] = {
            "verdict": self.verdict,
            "policy": self.policy,
            "other_policy": self.other_policy,
            "differences": [
                {"kind": each.kind, "group": each.group, "step": each.step, "detail": each.detail}
                for each in self.differences
            ],
            "not_comparable": self.not_comparable or None,
            "needed_pairs": self.needed,
            "pairs": len(self.pairs),
            "decided_after": None,
            "findings": None,
            "worst": None,
            "since_seed": None,
            "rows": [pair.as_json() for pair in self.pairs] or None,
        }
        if self.worst is not None:
            told["worst"] = self.worst.as_json() | {"replay": self._replay(self.worst)}
        if self.since is not None and self.worst is not None:
            told["since_seed"] = self.since.seed
        if self.judgement is not None:
            told["decided_after"] = None if self.verdict == "UNDERPOWERED" else self.judgement.pairs
            told["findings"] = [
                {
                    "measure": finding.measure.name,
                    "unit": finding.measure.unit,
                    "margin": finding.measure.margin,
                    "worse_is": finding.measure.worse,
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
