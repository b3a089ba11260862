"""A policy in a scenario of several cells: the shift, and the same parts without what changes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from cellwright_train.lines.account import Account
from cellwright_train.lines.contenders import Contender
from cellwright_train.lines.shift import Shift, run_control, run_shift
from cellwright_train.lines.walk import Walk
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.crew import Crew
from cellwright_train.rollout.journal import Journal
from cellwright_train.scenarios.shift_scenario import ShiftScenario


@dataclass(frozen=True, kw_only=True)
class ScoredShift:
    """What a contender came to."""

    scenario: ShiftScenario
    contender: Contender
    account: Account
    control: tuple[EpisodeResult, ...]
    """The same parts without the changes and without wear; nobody teaches."""

    @property
    def good(self) -> int:
        """Good parts of the shift."""
        return sum(row.result.good for row in self.account.rows)

    @property
    def reached(self) -> bool:
        """Whether the bar is."""
        control = sum(result.good for result in self.control)
        return self.scenario.bar.reached(self.good, len(self.account.rows), control)

    def as_json(self) -> dict[str, Any]:
        """As `evaluate --scenario` writes it, for the leaderboard."""
        return {
            "scenario": self.scenario.name,
            "scenario_identity": self.scenario.identity,
            "policy": self.contender.name,
            "policy_sha256": digest(self.contender),
            "cellwright": version("cellwright"),
            "line_hash": self.scenario.line.hash,
            "bar": {
                "text": str(self.scenario.bar),
                "reached": self.reached,
                "good": self.good,
                "parts": len(self.account.rows),
                "control": sum(result.good for result in self.control),
            },
            "shift": self.account.as_json(),
            "per_episode": [row.result.as_json() for row in self.account.rows],
            "control": [result.as_json() for result in self.control],
        }


def digest(contender: Contender) -> str:
    """One hash of the policies of all cells."""
    each = (f"{cell} {policy.digest}\n" for cell, policy in sorted(contender.policies.items()))
    return hashlib.sha256("".join(each).encode()).hexdigest()


def scored_shift(
    scenario: ShiftScenario, contender: Contender, crew: Crew, shift: Shift, journal: Journal
) -> ScoredShift:
    """Work off the line and its control; the crew has the trials of `shift`."""
    walk = Walk(scenario.line, contender)
    run_shift(shift, crew, journal, [walk])
    account = Account(name=contender.name, line=scenario.line, rows=walk.rows)
    return ScoredShift(
        scenario=scenario,
        contender=contender,
        account=account,
        control=run_control(shift, crew, journal, 0),
    )
