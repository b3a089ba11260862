"""Results of any task: one per part, from its scorecard, and one summary per policy."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, Self, TypeVar

from cellwright_train.results.intervals import Estimate


@dataclass(frozen=True, kw_only=True)
class EpisodeResult(ABC):
    """One part, inspected."""

    seed: int
    product: str
    conditions: str = ""
    """Hash of what the episode met, `CellEnv.conditions_hash`; empty in results that are older than it."""

    @classmethod
    @abstractmethod
    def read(cls, card: Any, *, seed: int, product: str, conditions: str, cut_off: bool) -> Self:
        """From the environment's scorecard; `cut_off` where the time limit came before the end."""

    @classmethod
    @abstractmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Back from what `as_json` gave; raises KeyError where something is missing."""

    @abstractmethod
    def as_json(self) -> dict[str, Any]:
        """The entry of `per_episode`."""

    @property
    @abstractmethod
    def verdict(self) -> Mapping[str, bool]:
        """The verdict, which a bundle must repeat on the same seed."""

    @property
    def graded_by(self) -> str:
        """The standard behind the verdict, where it has several editions; else empty."""
        return ""

    @property
    @abstractmethod
    def outcome(self) -> str:
        """The verdict in a few words."""

    @property
    @abstractmethod
    def good(self) -> bool:
        """Whether the part would be shipped."""

    @property
    @abstractmethod
    def shortfall(self) -> float:
        """How far it is from good, where it is not: less is nearer."""


Result_co = TypeVar("Result_co", bound=EpisodeResult, covariant=True)


class Figure(NamedTuple):
    """One number of a summary, as a table shows it."""

    heading: str
    unit: str
    """`%` for fractions, which are stored as 0 to 1."""
    value: Estimate | int | None
    """None where no episode has such a number."""
    digits: int = 0


@dataclass(frozen=True, kw_only=True)
class Evaluation(ABC, Generic[Result_co]):
    """A policy's results on a list of episodes."""

    policy: str
    env: str
    seed: int
    results: tuple[Result_co, ...]

    @property
    @abstractmethod
    def figures(self) -> tuple[Figure, ...]:
        """What a table shows, from left to right."""

    @property
    def graded_by(self) -> str:
        """The standard behind the verdicts, where it has several editions; else empty."""
        return "; ".join(sorted({result.graded_by for result in self.results}))

    @property
    def good(self) -> int:
        """How many parts would be shipped."""
        return sum(result.good for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """What `cellwright evaluate --json` writes."""
        return {
            "policy": self.policy,
            "env": self.env,
            "episodes": len(self.results),
            "seed": self.seed,
            **self.headline(),
            "per_episode": [result.as_json() for result in self.results],
        }

    @abstractmethod
    def headline(self) -> dict[str, Any]:
        """Numbers over all episodes, by name."""
