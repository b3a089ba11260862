"""One scenario: a pain in one sentence, the parts that show it, and a bar that was set before any score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cellwright_envs.conditions import conditions_hash
from cellwright_envs.disturbances.line_change import LineChange
from cellwright_train.rollout.cell import Episode

_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class Bar:
    """What a policy has to reach; one of `good` and `kept`."""

    good: float | None = None
    """Fraction of parts that are good."""
    kept: float | None = None
    """Fraction of good parts over that of the same parts without the changes."""
    reason: str
    """Why so much, or from where."""

    def __post_init__(self) -> None:
        wanted = [each for each in (self.good, self.kept) if each is not None]
        if len(wanted) != 1 or not 0.0 < wanted[0] <= 1.0:
            raise ValueError(
                f"need one of good and kept, above 0 and up to 1, got {self.good=}, {self.kept=}"
            )

    def __str__(self) -> str:
        if self.good is not None:
            return f"{100 * self.good:g} % good"
        return f"{100 * (self.kept or 0):g} % of the good parts kept"

    def reached(self, good: int, parts: int, control: int) -> bool:
        """Whether so many `good` parts reach it, out of `parts`; without the changes `control` were good.

        Where none was good, none could be kept.
        """
        if self.good is not None:
            return good >= self.good * parts - _ROUNDING * parts
        return control > 0 and good >= (self.kept or 0.0) * control - _ROUNDING * control


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Parts of one cell under conditions of their own."""

    name: str
    pain: str
    """What hurts, in one plain sentence."""
    env: str
    """Id of the cell."""
    products: tuple[str, ...]
    """They take turns."""
    disturbances: str
    changes: tuple[LineChange, ...]
    """What came over the line before the parts, in order."""
    seed: int
    """Part i has the seed `seed` + i."""
    bar: Bar
    reference: str
    """How a command names it: its name, or its file."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Ids of its cells, of which it has one."""
        return (self.env,)

    @property
    def identity(self) -> str:
        """Hash of what decides its parts; their number is no part of it."""
        return conditions_hash(
            env=self.env,
            products=self.products,
            disturbances=self.disturbances,
            changes=self.changes,
            seed=self.seed,
        )

    def as_json(self) -> dict[str, Any]:
        """Every condition, for reading."""
        return {
            "name": self.name,
            "pain": self.pain,
            "env": self.env,
            "products": list(self.products),
            "disturbances": self.disturbances,
            "changes": [change.description for change in self.changes],
            "seed": self.seed,
            "bar": str(self.bar),
            "reason": self.bar.reason,
            "identity": self.identity,
        }

    def plan(self, parts: int, *, first: int = 0, control: bool = False) -> tuple[Episode, ...]:
        """So many parts from number `first` on; as a `control` the same ones without the changes."""
        return tuple(
            Episode(
                self.seed + index,
                self.products[index % len(self.products)],
                () if control else self.changes,
                self.disturbances,
            )
            for index in range(first, first + parts)
        )
