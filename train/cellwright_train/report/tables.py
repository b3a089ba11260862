"""Tables for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from cellwright_runtime.verification import Check
from cellwright_train.regression.told import Told
from cellwright_train.results.intervals import Estimate
from cellwright_train.results.matched import Matched
from cellwright_train.results.result import Evaluation, Figure
from cellwright_train.scenarios.leaderboard import Score
from cellwright_train.scenarios.scenario import Scenario


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


_VERDICT_STYLES = {
    "UNCHANGED": "green",
    "no regression": "green",
    "REGRESSION": "bold red",
    "UNDERPOWERED": "yellow",
    "NOT COMPARABLE": "magenta",
}


def regression_table(told: Told) -> Table:
    """One row per scenario, and a last one where all of them together say something."""
    table = Table(title=f"regress {told.head['suite']}", title_justify="left")
    for heading in ("scenario", "verdict", "pairs", "what was found"):
        justify: Literal["left", "right"] = "right" if heading == "pairs" else "left"
        table.add_column(heading, justify=justify, overflow="fold")
    for name in told.expected:
        entry = told.scenarios.get(name)
        if entry is None:
            table.add_row(name, Text("not examined", "yellow"), "", "")
            continue
        verdict = Text(entry["verdict"], _VERDICT_STYLES[entry["verdict"]])
        table.add_row(name, verdict, f"{entry['pairs'] or ''}", found_in_words(entry))
    together = told.pooled
    if together is not None and together.regression:
        words = f"{together.column}: {together.worse} pairs worse, {together.better} better"
        table.add_row("all together", Text("REGRESSION", _VERDICT_STYLES["REGRESSION"]), "", words)
    return table


def found_in_words(entry: Mapping[str, Any]) -> str:
    """What a scenario of a regression came to, in a few words."""
    if entry["not_comparable"]:
        return str(entry["not_comparable"])
    words = [f"{each['kind']}: {each['group']} at step {each['step']}" for each in entry["differences"]]
    if entry["verdict"] == "REGRESSION":
        worst = max(entry["findings"], key=lambda finding: finding["log_e"])
        value, low, _ = worst["difference"]
        much = "" if value is None else f" by {value:.3g} {worst['unit']}".rstrip()
        least = "" if low is None else f" (at least {low:.3g})"
        words.append(
            f"{worst['measure']} worse in {worst['worse']} pairs, better in {worst['better']}{much}{least}"
        )
    if entry["verdict"] == "UNDERPOWERED":
        needed = entry["needed_pairs"]
        words.append(
            f"{needed} pairs would decide" if needed else "too few pairs to say how many would decide"
        )
    return "; ".join(words)


def scenarios_table(scenarios: Sequence[Scenario]) -> Table:
    """One row per scenario."""
    table = Table(title=f"{len(scenarios)} scenarios", title_justify="left")
    for heading in ("name", "cell", "what hurts", "bar"):
        table.add_column(heading, no_wrap=heading == "name", overflow="fold")
    for each in scenarios:
        table.add_row(each.name, each.env.removeprefix("cellwright/"), each.pain, str(each.bar))
    return table


def leaderboard_table(scores: Sequence[Score]) -> Table:
    """One row per scenario, one column per policy; ticked where the bar is reached."""
    policies = list(dict.fromkeys(score.policy for score in scores))
    table = Table(title="good parts, %", title_justify="left", caption="✓ reaches the scenario's bar")
    table.add_column("scenario", no_wrap=True)
    for policy in policies:
        table.add_column(policy, justify="right", overflow="fold")
    by_place = {(score.scenario, score.policy): score for score in scores}
    for name in dict.fromkeys(score.scenario for score in scores):
        row = [by_place.get((name, policy)) for policy in policies]
        table.add_row(name, *("" if score is None else _score_cell(score) for score in row))
    return table


def _score_cell(score: Score) -> str:
    estimate = score.good_fraction
    tick = " ✓" if score.reached else ""
    low, high = 100 * estimate.low, 100 * estimate.high
    return f"{100 * estimate.value:.0f}{tick}\n[dim]{low:.0f}…{high:.0f}[/dim]"


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
