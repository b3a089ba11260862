"""What the mixed shift was to show of the shipped policies, and what it shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tools.documentation.aims import Row
from tools.documentation.markdown import table
from tools.documentation.scores import is_scripted, is_shipped

SHIFT = "shift-mixed-200.json"
TAUGHT = "seam-tracker+blind-insertion"
"""The taught program: the programmed settings along a measured seam, the drawing's place for every hole."""

_Account = Mapping[str, Any]


def _not_good(account: _Account) -> float:
    return round(account["parts"] * (1.0 - account["first_pass_yield"]["value"]))


def _good_per_hour(account: _Account) -> float:
    return float(account["good_per_hour"]["value"])


def _lost_s(account: _Account) -> float:
    return float(account["changeover"]["lost_s"])


class _Aim(NamedTuple):
    """A figure of the shipped policies over that of a rival: `most` or `least`."""

    rival: str
    what: str
    figure: Callable[[_Account], float]
    most: float | None = None
    least: float | None = None

    def row(self, ours: _Account | None, rival: _Account | None) -> Row:
        aim = f"<= {self.most:g}" if self.most is not None else f">= {self.least:g}"
        against = self.rival if rival is None else f"{self.rival}, `{rival['policy']}`"
        row = Row(self.what, against, aim)
        if ours is None or rival is None:
            return row
        mine, its = self.figure(ours), self.figure(rival)
        ratio = mine / its
        reached = (self.most is None or ratio <= self.most) and (self.least is None or ratio >= self.least)
        return row.held(f"{ratio:.2f} ({mine:.0f} to {its:.0f})", reached)


_PROGRAM, _CLASSICAL = "the taught program", "the best classical controller"
_AIMS = (
    _Aim(_PROGRAM, "parts not good", _not_good, most=0.1),
    _Aim(_PROGRAM, "good parts an hour", _good_per_hour, least=1.3),
    _Aim(_CLASSICAL, "parts not good", _not_good, most=0.5),
    _Aim(_CLASSICAL, "good parts an hour", _good_per_hour, least=1.1),
    _Aim(_CLASSICAL, "time lost to changes, teaching counted", _lost_s, most=0.45),
)


def shift_aims(directory: Path) -> str:
    """A row for each aim; the best classical controller is the one with most good parts an hour."""
    path = directory / SHIFT
    accounts = json.loads(path.read_text())["shifts"] if path.exists() else []
    ours = next((each for each in accounts if is_shipped(each["policy"])), None)
    scripted = [each for each in accounts if is_scripted(each["policy"])]
    rivals = {
        _PROGRAM: next((each for each in scripted if each["policy"] == TAUGHT), None),
        _CLASSICAL: max(
            (each for each in scripted if each["policy"] != TAUGHT), key=_good_per_hour, default=None
        ),
    }
    headings = ("shipped policies", "against", "aim: ratio", "measured", "reached")
    return table(headings, [aim.row(ours, rivals[aim.rival]) for aim in _AIMS])
