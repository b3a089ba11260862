"""Results of insertions: the recorded part of each scorecard, and the summary of many."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from cellwright_train.results import intervals
from cellwright_train.results.intervals import Estimate
from cellwright_train.results.result import EpisodeResult, Evaluation, Figure


@dataclass(frozen=True, kw_only=True)
class InsertionResult(EpisodeResult):
    """One insertion, inspected."""

    success: bool
    """Whether the part was seated for long enough, and is neither broken nor lost."""
    loose_success: bool
    """The test of the nearest published task, for comparison; see the environment's page."""
    broken: bool
    """The contact force went over the part's limit, or a nut's torque over its own."""
    lost: bool
    """The part slipped out of the fingers."""
    cut_off: bool
    """The time limit came first."""
    cycle_time_s: float
    depth_share: float
    """How far the part is in, as a fraction of the full depth."""
    lateral_mm: float
    tilt_deg: float
    peak_force_n: float
    slip_mm: float
    more: dict[str, Any] = field(default_factory=dict)
    """Further fields of a task's scorecard, by name."""

    @classmethod
    def read(cls, card: Any, *, seed: int, product: str, conditions: str, cut_off: bool) -> Self:
        """From the environment's scorecard; `cut_off` where the time limit came before the end."""
        return cls(
            seed=seed,
            product=product,
            conditions=conditions,
            success=bool(card.success),
            loose_success=bool(card.loose_success),
            broken=bool(card.broken),
            lost=bool(card.lost),
            cut_off=cut_off,
            cycle_time_s=float(card.cycle_time_s),
            depth_share=float(card.depth_share),
            lateral_mm=1e3 * float(card.lateral_m),
            tilt_deg=math.degrees(float(card.tilt_rad)),
            peak_force_n=float(card.peak_force_n),
            slip_mm=1e3 * float(card.slip_m),
            more={name: value for name, value in card.as_dict().items() if name not in _READ},
        )

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Back from what `as_json` gave; raises KeyError where something is missing."""
        return cls(
            **{name: entry[name] for name in _WRITTEN if name != "conditions"},
            conditions=entry.get("conditions", ""),
            more={name: value for name, value in entry.items() if name not in _WRITTEN},
        )

    def as_json(self) -> dict[str, Any]:
        """The entry of `per_episode`."""
        return {name: getattr(self, name) for name in _WRITTEN} | self.more

    @property
    def verdict(self) -> Mapping[str, bool]:
        """Success."""
        return {"success": self.success}

    @property
    def outcome(self) -> str:
        """How it ended."""
        if self.success:
            return "seated"
        if self.broken:
            return "broken"
        if self.lost:
            return "lost"
        return "not seated"

    @property
    def good(self) -> bool:
        """Success."""
        return self.success

    @property
    def shortfall(self) -> float:
        """Fraction of the depth that is missing, and 1 more for a part that is broken or lost."""
        return 1.0 - self.depth_share + (self.broken or self.lost)


_READ = frozenset(
    {
        "success",
        "loose_success",
        "broken",
        "lost",
        "cycle_time_s",
        "depth_share",
        "lateral_m",
        "tilt_rad",
        "peak_force_n",
        "slip_m",
    }
)
"""Fields that every insertion's scorecard has."""
_WRITTEN = tuple(name for name in InsertionResult.__dataclass_fields__ if name != "more")


@dataclass(frozen=True, kw_only=True)
class InsertionEvaluation(Evaluation[InsertionResult]):
    """A policy's insertions."""

    @property
    def success_rate(self) -> Estimate:
        """Fraction of parts that were inserted."""
        return self._share([r.success for r in self.results])

    @property
    def loose_success_rate(self) -> Estimate:
        """Fraction of parts that pass the test of the nearest published task."""
        return self._share([r.loose_success for r in self.results])

    @property
    def broken(self) -> int:
        """Parts whose force limit was passed."""
        return sum(r.broken for r in self.results)

    @property
    def lost(self) -> int:
        """Parts that slipped out of the fingers."""
        return sum(r.lost for r in self.results)

    @property
    def cut_off(self) -> int:
        """Parts for which the time was not enough."""
        return sum(r.cut_off for r in self.results)

    def cycle_time_s(self, fraction: float) -> Estimate | None:
        """Quantile `fraction` of the successful insertions' times [s]; None where there is none."""
        times = [r.cycle_time_s for r in self.results if r.success]
        return intervals.quantile(times, fraction) if times else None

    def peak_force_n(self, fraction: float) -> Estimate:
        """Quantile `fraction` of the largest contact forces of all insertions [N]."""
        return intervals.quantile([r.peak_force_n for r in self.results], fraction)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """What a table shows, from left to right."""
        return (
            Figure("success", "%", self.success_rate),
            Figure("loose success", "%", self.loose_success_rate),
            Figure("median time", "s", self.cycle_time_s(0.5), 1),
            Figure("p95 time", "s", self.cycle_time_s(0.95), 1),
            Figure("median force", "N", self.peak_force_n(0.5), 1),
            Figure("p95 force", "N", self.peak_force_n(0.95), 1),
            Figure("broken", "", self.broken),
            Figure("lost", "", self.lost),
            Figure("cut off", "", self.cut_off),
        )

    def headline(self) -> dict[str, Any]:
        """Success rates, what went wrong, times and forces."""
        median_s, p95_s = self.cycle_time_s(0.5), self.cycle_time_s(0.95)
        return {
            "success_rate": self.success_rate.value,
            "loose_success_rate": self.loose_success_rate.value,
            "broken": self.broken,
            "lost": self.lost,
            "cut_off": self.cut_off,
            "cycle_time_s": {"median": median_s and median_s.value, "p95": p95_s and p95_s.value},
            "peak_force_n": {"median": self.peak_force_n(0.5).value, "p95": self.peak_force_n(0.95).value},
        }

    @staticmethod
    def _share(passed: Sequence[bool]) -> Estimate:
        return intervals.proportion(sum(passed), len(passed))
