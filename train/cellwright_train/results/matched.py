"""What a change did: the parts that came after it, beside the same parts without it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cellwright_train.results import intervals
from cellwright_train.results.intervals import Estimate
from cellwright_train.results.result import Evaluation


@dataclass(frozen=True, kw_only=True)
class Matched:
    """Two evaluations of one policy on the same parts: after a change, and with that change removed."""

    changed: Evaluation[Any]
    control: Evaluation[Any]

    def __post_init__(self) -> None:
        seeds = [[result.seed for result in arm.results] for arm in (self.changed, self.control)]
        if seeds[0] != seeds[1]:
            raise ValueError(f"need the same seeds after the change and without it, got {seeds}")

    @property
    def effect(self) -> Estimate:
        """Fraction of good parts after the change minus that without it, from pair to pair."""
        pairs = list(zip(self.changed.results, self.control.results, strict=True))
        better = sum(after.good and not before.good for after, before in pairs)
        worse = sum(before.good and not after.good for after, before in pairs)
        return intervals.paired_difference(better, worse, len(pairs))

    def as_json(self) -> dict[str, Any]:
        """`control` and `effect` of the results of `cellwright evaluate --line-change`."""
        episodes = [result.as_json() for result in self.control.results]
        return {
            "control": {**self.control.headline(), "per_episode": episodes},
            "effect": {"good": asdict(self.effect)},
        }
