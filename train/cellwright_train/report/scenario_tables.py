"""Tables of scenarios and of scores in them for the terminal."""

from collections.abc import Sequence

from rich.table import Table

from cellwright_train.scenarios.leaderboard import Score
from cellwright_train.scenarios.scenario import Scenario
from cellwright_train.scenarios.shift_scenario import ShiftScenario


def scenarios_table(scenarios: Sequence[Scenario | ShiftScenario]) -> Table:
    """One row per scenario."""
    table = Table(title=f"{len(scenarios)} scenarios", title_justify="left")
    for heading in ("name", "cell", "what hurts", "bar"):
        table.add_column(heading, no_wrap=heading == "name", overflow="fold")
    for each in scenarios:
        cells = ", ".join(cell.removeprefix("cellwright/") for cell in each.cells)
        table.add_row(each.name, cells, each.pain, str(each.bar))
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
