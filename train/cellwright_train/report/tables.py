"""Tables for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from cellwright_runtime.verification import Check
from cellwright_train.results.intervals import Estimate
from cellwright_train.results.matched import Matched
from cellwright_train.results.result import Evaluation, Figure


def evaluation_table(evaluations: Sequence[Evaluation[Any]], caption: str) -> Table:
    """One row per policy; under each value its 95 % interval."""
    count = len(evaluations[0].results)
    graded = f", graded by {by}" if (by := evaluations[0].graded_by) else ""
    table = Table(
        title=f"{count} parts, {caption}{graded}", title_justify="left", caption="95 % intervals below values"
    )
    table.add_column("policy", no_wrap=True)
    for figure in evaluations[0].figures:
        # Folded in a narrow terminal: an interval that is cut short reads as another interval.
        table.add_column(f"{figure.heading}\n{figure.unit}", justify="right", overflow="fold")
    for evaluation in evaluations:
        table.add_row(evaluation.policy, *map(_cell, evaluation.figures))
    return table


def effect_line(matched: Matched) -> str:
    """What a change did to the fraction of good parts, in one line."""
    value, low, high = (100 * x for x in (matched.effect.value, matched.effect.low, matched.effect.high))
    return f"effect of the change on good parts, pair by pair: {value:+.1f} points ({low:+.1f}…{high:+.1f})"


def verification_table(bundle: str, checks: Sequence[Check]) -> Table:
    """One row per check."""
    table = Table(title=f"verify {bundle}", title_justify="left")
    for heading in ("check", "", "what was found"):
        table.add_column(heading)
    for check in checks:
        verdict = Text("pass", "green") if check.passed else Text("FAIL", "bold red")
        table.add_row(check.name, verdict, check.detail)
    return table


def figures_of_code(bundle: str, rows: Sequence[tuple[str, str]]) -> Table:
    """What the code of a bundle needs, one figure a row."""
    table = Table(title=f"code of {bundle}", title_justify="left", show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def figures_table(figures: Mapping[str, Any]) -> Table:
    """The figures of `cellwright bench`, one row each, with the spread over repeats."""
    table = Table(title="bench", title_justify="left")
    for heading in ("figure", "value", "spread", "aim"):
        justify: Literal["left", "right"] = "left" if heading in ("figure", "aim") else "right"
        table.add_column(heading, justify=justify, no_wrap=heading == "figure")
    for name, figure in figures["figures"].items():
        if "missing" in figure:
            table.add_row(name, "–", "", str(figure["missing"]))
            continue
        spread = f"{figure['low']:.4g} … {figure['high']:.4g}" if "low" in figure else ""
        table.add_row(
            name, f"{figure['value']:.4g} {figure.get('unit', '')}", spread, str(figure.get("aim", ""))
        )
    return table


def _cell(figure: Figure) -> str:
    if not isinstance(figure.value, Estimate):
        return "–" if figure.value is None else str(figure.value)
    factor, digits = (100 if figure.unit == "%" else 1), figure.digits
    value, low, high = (factor * x for x in (figure.value.value, figure.value.low, figure.value.high))
    return f"{value:.{digits}f}\n[dim]{low:.{digits}f}…{high:.{digits}f}[/dim]"
