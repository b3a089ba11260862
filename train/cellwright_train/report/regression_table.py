"""The table of a regression for the terminal."""

from collections.abc import Mapping
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from cellwright_train.regression.told import Told

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
        if entry["since_seed"] is not None:
            words.append(f"first in the part with seed {entry['since_seed']}")
    if entry["verdict"] == "UNDERPOWERED":
        needed = entry["needed_pairs"]
        words.append(
            f"{needed} pairs would decide" if needed else "too few pairs to say how many would decide"
        )
    if entry["verdict"] == "UNCHANGED" and entry["other_policy"]:
        words.append("another policy than the baseline's, which acts as that did")
    return "; ".join(words)
