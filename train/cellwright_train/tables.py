"""Tables for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from cellwright_train.cell import LEVELS
from cellwright_train.evaluation import Evaluation
from cellwright_train.intervals import Estimate
from cellwright_train.verification import Check


def evaluation_table(evaluations: Sequence[Evaluation], caption: str) -> Table:
    """One row per policy; under each value its 95 % interval."""
    count = len(evaluations[0].results)
    table = Table(
        title=f"{count} parts, {caption}", title_justify="left", caption="95 % intervals below values"
    )
    table.add_column("policy")
    for level in LEVELS:
        table.add_column(f"passes {level}\n%", justify="right")
    for heading in ("defects C\nmm per m", "off seam\nmm", "p95 off seam\nmm", "cycle\ns", "crashes\n"):
        table.add_column(heading, justify="right")
    for evaluation in evaluations:
        table.add_row(
            evaluation.policy,
            *(_percent(evaluation.first_pass_yield(level)) for level in LEVELS),
            _value(evaluation.defect_mm_per_m, 1),
            _value(evaluation.tracking_mean_mm, 2),
            _value(evaluation.tracking_p95_mm, 2),
            _value(evaluation.cycle_time_s, 1),
            str(evaluation.crashes),
        )
    return table


def verification_table(bundle: str, checks: Sequence[Check]) -> Table:
    """One row per check."""
    table = Table(title=f"verify {bundle}", title_justify="left")
    for heading in ("check", "", "what was found"):
        table.add_column(heading)
    for check in checks:
        verdict = Text("pass", "green") if check.passed else Text("FAIL", "bold red")
        table.add_row(check.name, verdict, check.detail)
    return table


def figures_table(figures: Mapping[str, Any]) -> Table:
    """The figures of `cellwright bench`, one row each, with the spread over repeats."""
    table = Table(title="bench", title_justify="left")
    for heading in ("figure", "value", "spread", "aim"):
        table.add_column(heading, justify="left" if heading in ("figure", "aim") else "right")
    for name, figure in figures["figures"].items():
        if "missing" in figure:
            table.add_row(name, "–", "", str(figure["missing"]))
            continue
        spread = f"{figure['low']:.4g} … {figure['high']:.4g}" if "low" in figure else ""
        table.add_row(
            name, f"{figure['value']:.4g} {figure.get('unit', '')}", spread, str(figure.get("aim", ""))
        )
    return table


def _percent(estimate: Estimate) -> str:
    return f"{100 * estimate.value:.0f}\n[dim]{100 * estimate.low:.0f}…{100 * estimate.high:.0f}[/dim]"


def _value(estimate: Estimate, digits: int) -> str:
    return f"{estimate.value:.{digits}f}\n[dim]{estimate.low:.{digits}f}…{estimate.high:.{digits}f}[/dim]"
