"""The figure on the README: how many parts are good, and how long one takes, under four kinds of control."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from cellwright_train.results.intervals import Estimate
from tools.documentation.environments import slug_of
from tools.documentation.results import insertions, welds

FILE = "comparison.svg"
_WELD = "weld-seam"
TASKS = {
    _WELD: "weld seams\n(ISO 5817 level C)",
    "peg-insertion": "pegs",
    "connector-insertion": "connectors",
    "nut-fastening": "nuts",
    "gear-mesh": "gears",
}
"""Label of each task."""


class Control(NamedTuple):
    """One kind of control and how it is drawn."""

    label: str
    policies: tuple[str, ...]
    """The best of these that was evaluated on a task is drawn."""
    colour: str
    marker: str


CONTROLS = (
    Control("taught settings, not adapted", ("seam-tracker", "blind-insertion"), "#9aa0a6", "s"),
    Control(
        "best scripted controller, same sensors",
        ("adaptive-tracker", "visual-servo", "spiral-search"),
        "#e08214",
        "D",
    ),
    Control("shipped policy, same sensors", (), "#1f6fb4", "o"),
    Control("oracle that knows the true state", ("oracle",), "#202020", "|"),
)

SCRIPTED, SHIPPED = CONTROLS[1:3]


class Outcome(NamedTuple):
    """Results of a policy on the parts of a task."""

    good: Estimate
    """Fraction of good parts."""
    time_s: float
    """Mean of a weld, median of an insertion."""


Outcomes = Mapping[tuple[str, str], Outcome]
"""By task and policy."""


def comparison(recorded: Path) -> str:
    """The figure as SVG, of the evaluations on training parts under `train`; equal results, equal text."""
    outcomes = _outcomes(recorded)
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    good, time = figure.subplots(1, 2, sharey=True, width_ratios=[2.2, 1.0])
    for row, task in enumerate(reversed(TASKS)):
        good.axhline(row, color="#e8eaed", linewidth=1, zorder=0)
        for control in CONTROLS:
            if best := _best(outcomes, task, control):
                rate, colour = best.good, control.colour
                good.hlines(row, 100 * rate.low, 100 * rate.high, color=colour, linewidth=2, alpha=0.5)
                good.plot(100 * rate.value, row, control.marker, color=colour, markersize=9)
        ours, theirs = _best(outcomes, task, SHIPPED), _best(outcomes, task, SCRIPTED)
        if ours and theirs:
            percent = 100 * ours.time_s / theirs.time_s
            time.barh(row, percent, height=0.45, color=SHIPPED.colour)
            time.text(percent - 3, row, f"{percent:.0f} %", va="center", ha="right", color="white")
    for control in CONTROLS:
        good.plot([], [], control.marker, color=control.colour, markersize=9, label=control.label)
    good.set_yticks(range(len(TASKS)), reversed(TASKS.values()))
    good.set_xlim(0, 101)
    good.set_xlabel("good parts of 400 unseen ones [%]; bars: 95 % intervals")
    time.set_xlim(0, 125)
    time.set_xlabel("shipped policy's time for a part\n[% of the best scripted controller's]")
    time.axvline(100, color=SCRIPTED.colour, linewidth=2)
    for axes in (good, time):
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
    figure.legend(loc="outside upper center", ncols=2, frameon=False)
    return _svg(figure)


def _best(outcomes: Outcomes, task: str, control: Control) -> Outcome | None:
    """The policy of this kind with the most good parts of `task`; None where none was evaluated."""
    names = control.policies or (f"zoo:{task}",)
    found = [outcomes[task, name] for name in names if (task, name) in outcomes]
    return max(found, key=lambda each: each.good.value, default=None)


def _outcomes(recorded: Path) -> Outcomes:
    chosen = ("train", "train")
    seams = [each.evaluation for each in welds(recorded) if each[:2] == chosen]
    parts = [each.evaluation for each in insertions(recorded) if each[:2] == chosen]
    return {(_WELD, e.policy): Outcome(e.first_pass_yield("C"), e.cycle_time_s.value) for e in seams} | {
        (slug_of(e.env), e.policy): Outcome(e.success_rate, median.value)
        for e in parts
        if (median := e.cycle_time_s(0.5)) is not None
    }


def _svg(figure: Figure) -> str:
    buffer = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": FILE, "svg.fonttype": "none", "font.family": "sans-serif"}):
        figure.savefig(buffer, format="svg", facecolor="white", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in buffer.getvalue().splitlines()) + "\n"
