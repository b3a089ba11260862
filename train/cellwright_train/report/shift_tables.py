"""Tables of a shift for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from cellwright_train.lines.account import Account
from cellwright_train.lines.changeover import Changeover
from cellwright_train.report.shift_cells import cells_of, number

_WIDEST_NAME = 18
"""A longer one is folded: a column that no longer fits would be left out in silence."""


def shift_table(accounts: Sequence[Account]) -> Table:
    """One row per contender; under some values their 95 % interval."""
    line = accounts[0].line
    table = Table(
        title=f"{line.file.name}: {len(line.parts)} parts, {len(line.events)} changes",
        title_justify="left",
        caption="95 % intervals below values; OEE is available times performance times good",
        box=box.SIMPLE_HEAD,  # with lines between so many columns no interval fits
        collapse_padding=True,
    )
    table.add_column("policy", overflow="fold", min_width=_WIDEST_NAME, max_width=_WIDEST_NAME)
    for cell in cells_of(accounts[0]):
        widest = max(map(len, cell.heading.split()))
        heading = "\n".join((*cell.heading.split(), cell.unit))
        table.add_column(heading, justify="right", overflow="fold", min_width=widest)
    for account in accounts:
        texts = (f"{cell.value}\n[dim]{cell.interval}[/dim]".rstrip() for cell in cells_of(account))
        table.add_row(account.name, *texts)
    return table


def change_table(accounts: Sequence[Account]) -> Table:
    """One row per change: the good parts and minutes that it cost each contender."""
    table = Table(
        title="what each change cost: good parts, minutes",
        title_justify="left",
        caption="* the line was not back before the next change, or the end; – too few parts came before",
    )
    for heading in ("part", "change", ""):
        table.add_column(heading)
    for account in accounts:
        table.add_column(account.name, justify="right", overflow="fold")
    for event in accounts[0].line.events:
        costs = (cost(each) for account in accounts for each in account.changeovers if each.event == event)
        told = "announced" if event.announced else "unannounced"
        table.add_row(str(event.index + 1), event.name, told, *costs)
    return table


def cost(changeover: Changeover) -> str:
    """What a change cost, in a few characters."""
    if changeover.lost_s is None:
        return "–"
    still = "" if changeover.is_back else " *"
    return f"{number(changeover.lost_parts, 1)}, {number(changeover.lost_s / 60.0, 1)}{still}"
