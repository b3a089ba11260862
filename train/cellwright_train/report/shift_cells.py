"""What a shift's table shows of each contender, as text, in the terminal and on the page."""

from __future__ import annotations

from typing import NamedTuple

from cellwright_train.lines.account import Account
from cellwright_train.lines.fates import Fate
from cellwright_train.results.intervals import Estimate


class Cell(NamedTuple):
    """One figure."""

    heading: str
    unit: str
    value: str
    interval: str = ""
    """95 %; empty where there is none."""


def cells_of(account: Account) -> tuple[Cell, ...]:
    """The figures of a contender, from left to right."""
    lost_s = account.lost_s
    lost_min = number(None if lost_s is None else lost_s / 60.0, 1)
    return (
        _estimate("good", "%", account.first_pass_yield, 100.0, 0),
        _estimate("good parts", "an hour", account.good_per_hour, 1.0, 0),
        _estimate("cycle", "s", account.cycle_s, 1.0, 1),
        Cell("rework", "", str(account.count(Fate.REWORK))),
        Cell("scrap", "", str(account.count(Fate.SCRAP))),
        Cell("crashes", "", str(account.crashes)),
        Cell("stopped", "min", number(account.stopped_s / 60.0, 1)),
        Cell("changes cost", "parts", number(account.lost_parts, 1)),
        Cell("changes cost", "min", lost_min),
        Cell("available", "%", _percent(account.availability)),
        Cell("performance", "%", _percent(account.performance)),
        Cell("OEE", "%", _percent(account.oee)),
    )


def number(value: float | None, digits: int) -> str:
    """A number, or a dash where it is not known."""
    return "–" if value is None else f"{value:.{digits}f}"


def _percent(fraction: float | None) -> str:
    return number(None if fraction is None else 100.0 * fraction, 0)


def _estimate(heading: str, unit: str, estimate: Estimate, factor: float, digits: int) -> Cell:
    value, low, high = (factor * x for x in (estimate.value, estimate.low, estimate.high))
    return Cell(heading, unit, f"{value:.{digits}f}", f"{low:.{digits}f}…{high:.{digits}f}")
