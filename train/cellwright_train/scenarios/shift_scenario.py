"""A scenario of several cells: a whole shift on a line, with a bar that was set before any score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cellwright_envs.conditions import conditions_hash
from cellwright_train.lines.line import Line
from cellwright_train.scenarios.scenario import Bar


@dataclass(frozen=True, kw_only=True)
class ShiftScenario:
    """A line that is worked off once, from its first part to its last."""

    name: str
    pain: str
    """What hurts, in one plain sentence."""
    line: Line
    bar: Bar
    reference: str
    """How a command names it: its name, or its file."""

    @property
    def cells(self) -> tuple[str, ...]:
        """Ids of its cells."""
        return tuple(self.line.cells.values())

    @property
    def identity(self) -> str:
        """Hash of what decides its parts."""
        return conditions_hash(line=self.line.hash, cells=self.cells)

    def as_json(self) -> dict[str, Any]:
        """Every condition, for reading."""
        return {
            "name": self.name,
            "pain": self.pain,
            "cells": list(self.cells),
            "parts": len(self.line.parts),
            "changes": [event.description for event in self.line.events],
            "bar": str(self.bar),
            "reason": self.bar.reason,
            "identity": self.identity,
        }
