"""The page of `cellwright shift`: what changed when, what each policy made of it, pictures of failures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

from PIL import Image

from cellwright_train.lines.account import Account
from cellwright_train.lines.failures import FilmedFailure
from cellwright_train.lines.fates import Fate
from cellwright_train.lines.line import Line
from cellwright_train.lines.walk import Row
from cellwright_train.report import welds
from cellwright_train.report.page import page, webp
from cellwright_train.report.plots import INK, dress, plot
from cellwright_train.report.shift_cells import cells_of
from cellwright_train.report.shift_tables import cost
from cellwright_train.results.welds import WeldResult

_LINES = ("#e08214", "#2f8fd8", "#3aa655", "#8a63b8", "#7f8794")
_WINDOW = 10
"""Parts of a running yield."""
_PICTURE_PX = (480, 360)
_HOUR_S = 3600.0


def shift_page(
    accounts: Sequence[Account], failures: Sequence[FilmedFailure], provenance: Mapping[str, str]
) -> str:
    """The page of a shift that is done."""
    line = accounts[0].line
    longest_s = max(account.elapsed_s for account in accounts)
    return page(
        "shift.html.j2",
        line=line,
        file=line.file,
        cells=[(account.name, cells_of(account)) for account in accounts],
        fates=[fate.value for fate in Fate],
        changes=_change_rows(accounts),
        strips=[
            {
                "name": account.name,
                "colour": colour,
                "strip": _strip(account, longest_s),
                "marks": _marks(account, longest_s),
            }
            for account, colour in _coloured(accounts)
        ],
        hours=_hours(longest_s),
        running=_running_yield(accounts),
        made=_made(accounts),
        failures=[_failure(each, accounts) for each in failures],
        window=_WINDOW,
        provenance=provenance,
    )


def _change_rows(accounts: Sequence[Account]) -> list[dict[str, Any]]:
    """Every change of the line with what it cost each contender."""
    costs = [[cost(each) for each in account.changeovers] for account in accounts]
    return [
        {"number": index + 1, "event": event, "costs": [own[index] for own in costs]}
        for index, event in enumerate(accounts[0].line.events)
    ]


def _strip(account: Account, longest_s: float) -> str:
    """Every part and every stop of a contender to scale, from left to right."""
    bars = "".join(_stops(row) + _bar(row) for row in account.rows)
    title = html.escape(f"parts and stops of {account.name} over time")
    return (
        f'<svg class="shift" viewBox="0 0 {longest_s:.0f} 10" preserveAspectRatio="none" role="img" '
        f'aria-label="{title}">{bars}</svg>'
    )


def _bar(row: Row) -> str:
    told = f"part {row.part.index + 1}, {row.result.product}: {row.result.outcome}, {row.fate.value}"
    return _rect(row.fate.value, row.begin_s, row.working_s, told)


def _stops(row: Row) -> str:
    begin_s, bars = row.begin_s - row.stopped_s, ""
    for reason, stopped_s in row.work.stops_s.items():
        bars += _rect("stop", begin_s, stopped_s, f"{reason}, {stopped_s / 60.0:.0f} min")
        begin_s += stopped_s
    return bars


def _rect(kind: str, begin_s: float, length_s: float, told: str) -> str:
    return (
        f'<rect class="{kind}" x="{begin_s:.1f}" width="{length_s:.1f}" height="10">'
        f"<title>{html.escape(told)}</title></rect>"
    )


def _marks(account: Account, longest_s: float) -> list[dict[str, Any]]:
    """Numbers of the changes above a strip, and where they stand [%]."""
    return [
        {"number": number, "left": f"{100 * (row.begin_s - row.stopped_s) / longest_s:.2f}"}
        for number, event in enumerate(account.line.events, start=1)
        for row in account.rows[event.index : event.index + 1]
    ]


def _hours(longest_s: float) -> list[dict[str, str]]:
    """Ticks of the time axis: at most eight, of a round number of minutes."""
    steps_min = (1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 960)
    step_min = next((step for step in steps_min if longest_s / 60.0 / step <= 8), steps_min[-1])
    count = int(longest_s / 60.0 / step_min)
    return [
        {
            "left": f"{100 * number * step_min * 60.0 / longest_s:.2f}",
            "told": f"{number * step_min // 60}:{number * step_min % 60:02d}",
        }
        for number in range(count + 1)
    ]


def _running_yield(accounts: Sequence[Account]) -> str:
    """Yield of the last parts over the number of the part, one line per contender, changes as numbers."""
    with plot(9.2, 2.5) as drawn:
        axis = drawn.figure.subplots()
        dress(axis, f"good of the last {_WINDOW} [%]")
        for account, colour in _coloured(accounts):
            good = [float(row.result.good) for row in account.rows]
            spans = (good[max(0, end - _WINDOW) : end] for end in range(1, len(good) + 1))
            values = [100.0 * sum(span) / len(span) for span in spans]
            axis.plot(range(1, len(good) + 1), values, color=colour, lw=1.6, label=account.name)
        _changes(axis, accounts[0].line)
        axis.set_ylim(-4.0, 104.0)
        axis.set_xlabel("part", color=INK)
        axis.legend(frameon=False, labelcolor=INK, fontsize=8, loc="lower left")
    return drawn.svg


def _made(accounts: Sequence[Account]) -> str:
    """Good parts over the clock: the slope is good parts an hour, and a stop is flat."""
    is_long = max(account.elapsed_s for account in accounts) > 2 * _HOUR_S
    unit, unit_s = ("hours", _HOUR_S) if is_long else ("minutes", 60.0)
    with plot(9.2, 2.8) as drawn:
        axis = drawn.figure.subplots()
        dress(axis, "good parts made")
        for account, colour in _coloured(accounts):
            times = [row.end_s / unit_s for row in account.rows]
            good = list(accumulate(int(row.result.good) for row in account.rows))
            axis.step([0.0, *times], [0, *good], where="post", color=colour, lw=1.6, label=account.name)
        axis.set_xlabel(unit, color=INK)
        axis.legend(frameon=False, labelcolor=INK, fontsize=8, loc="upper left")
    return drawn.svg


def _changes(axis: Any, line: Line) -> None:
    for number, event in enumerate(line.events, start=1):
        axis.axvline(event.index + 0.5, color=INK, lw=0.8, alpha=0.5, ls=":")
        axis.text(event.index + 0.5, 107.0, str(number), color=INK, fontsize=8, ha="center")


def _coloured(accounts: Sequence[Account]) -> list[tuple[Account, str]]:
    return [(account, _LINES[index % len(_LINES)]) for index, account in enumerate(accounts)]


def _failure(filmed: FilmedFailure, accounts: Sequence[Account]) -> dict[str, Any]:
    failure, record = filmed.failure, filmed.record
    row, events = failure.row, accounts[0].line.events
    is_weld = isinstance(row.result, WeldResult)
    return {
        "change": events.index(failure.event) + 1,
        "name": failure.event.name,
        "policy": accounts[failure.contender].name,
        "part": row.part.index + 1,
        "product": row.result.product,
        "outcome": row.result.outcome,
        "fate": row.fate.value,
        "picture": webp(Image.fromarray(record.pictures[-1]).resize(_PICTURE_PX), quality=72),
        "seam": welds.seam(record) if is_weld else None,
    }
