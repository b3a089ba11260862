"""Tables of scenarios, shifts and adaptations that were recorded."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cellwright_policies.experts import PRIVILEGED_EXPERTS
from cellwright_train.results import intervals
from cellwright_train.scenarios.catalogue import scenario, scenario_names
from cellwright_train.scenarios.shift_scenario import ShiftScenario
from tools.documentation.errors import DocumentationError
from tools.documentation.markdown import table

SCORES = "scenarios.json"
"""What `cellwright leaderboard --json` wrote."""
AIM_PASSED = 45
AIM_ONE, AIM_THREE = 0.9, 0.75
"""Good parts after one change, and after three at once, over those of the same parts without."""
NOT_RECORDED = "not recorded"
_EXPERT = re.compile(r"--expert[= ](\S+)")
"""In the command of an adaptation."""
_Score = Mapping[str, Any]
_Scores = Mapping[tuple[str, str], _Score]


def leaderboard(directory: Path) -> str:
    """Every scenario with its bar, the shipped policy's score, and that of the best scripted controller."""
    found = _scores(directory)
    rows = []
    for each in map(scenario, scenario_names()):
        of_it = [score for (name, _), score in found.items() if name == each.name]
        shipped = next((score for score in of_it if is_shipped(score["policy"])), None)
        scripted = [score for score in of_it if is_scripted(score["policy"])]
        best = max(scripted, key=lambda score: score["good"] / score["parts"], default=None)
        reached = NOT_RECORDED if shipped is None else "yes" if shipped["reached"] else "no"
        rival = "" if best is None else f"{best['policy']}: {_good(best)}"
        rows.append((f"`{each.name}`", str(each.bar), _good(shipped), _control(shipped), reached, rival))
    passed = sum(row[4] == "yes" for row in rows)
    recorded = sum(row[4] != NOT_RECORDED for row in rows)
    headings = (
        "scenario",
        "bar",
        "shipped policy, good %",
        "without the change",
        "reached",
        "best scripted, good %",
    )
    of = f"{len(rows)} scenarios"
    if recorded < len(rows):
        of = f"{recorded} scenarios recorded, of {len(rows)}"
    told = f"Shipped policies reach the bar in {passed} of the {of}; the aim is {AIM_PASSED}."
    return f"{table(headings, rows)}\n\n{told}"


def zero_shot(directory: Path) -> str:
    """Yield after a change over that before, without learning, of the shipped policies."""
    found = _scores(directory)
    kinds: dict[str, list[float]] = {"one": [], "several": []}
    for each in map(scenario, scenario_names()):
        if isinstance(each, ShiftScenario) or not each.changes:
            continue
        for (name, policy), score in found.items():
            if name == each.name and is_shipped(policy) and score["control"]:
                kinds["one" if len(each.changes) == 1 else "several"].append(score["good"] / score["control"])
    rows = [
        _kept("one change, median over scenarios", kinds["one"], AIM_ONE),
        _kept("several changes at once, median over scenarios", kinds["several"], AIM_THREE),
    ]
    return table(("what", "scenarios", "aim", "measured", "reached"), rows)


def shifts(directory: Path) -> str:
    """What each contender made of a line, for every line that was recorded."""
    told = []
    for path in sorted(directory.glob("shift-*.json")):
        data = json.loads(path.read_text())
        line, changes = data["line"], data["changes"]
        announced = sum(change["announced"] for change in changes)
        parts = data["shifts"][0]["parts"]
        head = f"`{path.name}`: {line['name']}, {parts} parts, {len(changes)} changes, {announced} announced."
        told.append(f"{head}\n\n{_contenders(data['shifts'])}")
    return "\n\n".join(told) or "No shift has been recorded yet."


def adaptations(directory: Path) -> str:
    """What `cellwright adapt` came to, change by change."""
    rows = []
    for path in sorted(directory.glob("adapt-*.json")):
        data = json.loads(path.read_text())
        back = data["back"]
        when = (
            "no"
            if back is None
            else f"{back['steps']:,} steps, {back['parts']} parts, {back['seconds']:.0f} s"
        )
        area, kept = data["area"], data["retention"]
        rows.append(
            (
                f"`{data['policy']}`",
                f"{data['change']}: {data['description']}",
                *(_fraction(data["good"][arm]) for arm in ("before", "right after", "adapted")),
                when,
                "" if area is None else f"{area:.2f}",
                "" if kept is None else f"{kept:.2f}",
                "".join(_EXPERT.findall(data["command"])),
            )
        )
    headings = (
        *("policy", "change", "before %", "right after %", "adapted %", "back at 0.9", "area", "kept"),
        "corrected by",
    )
    return table(headings, rows) if rows else "No adaptation has been recorded yet."


def _scores(directory: Path) -> _Scores:
    """By scenario and policy; raises `DocumentationError` for a scenario whose conditions have changed."""
    path = directory / SCORES
    told = json.loads(path.read_text()) if path.exists() else []
    for score in told:
        name = score["scenario"]
        if name not in scenario_names() or scenario(name).identity != score["identity"]:
            raise DocumentationError(f"{path.name}: {name} has other conditions by now; evaluate it again")
    return {(score["scenario"], score["policy"]): score for score in told}


def is_shipped(policy: str) -> bool:
    """Whether all of a line's policies are shipped ones."""
    return all(each.startswith("zoo:") for each in policy.split("+"))


def is_scripted(policy: str) -> bool:
    """Whether all of a line's policies are programs that see what a policy sees."""
    return not any(each in PRIVILEGED_EXPERTS or ":" in each or "/" in each for each in policy.split("+"))


def _good(score: _Score | None) -> str:
    if score is None:
        return ""
    of = score["good_fraction"]
    return f"{100 * of['value']:.0f} ({100 * of['low']:.0f} to {100 * of['high']:.0f}) of {score['parts']}"


def _control(score: _Score | None) -> str:
    if score is None or score["control"] is None:
        return ""
    return f"{100 * score['control'] / score['parts']:.0f}"


def _kept(what: str, ratios: Sequence[float], aim: float) -> tuple[str, ...]:
    if not ratios:
        return what, "0", f">= {aim:g}", NOT_RECORDED, "no"
    middle = statistics.median(ratios)
    measured = f"{middle:.2f}, lowest {min(ratios):.2f}"
    return what, str(len(ratios)), f">= {aim:g}", measured, "yes" if middle >= aim else "no"


def _contenders(told: Sequence[Mapping[str, Any]]) -> str:
    rows = [
        (
            f"`{each['policy']}`",
            _estimate(each["first_pass_yield"], 100.0),
            _estimate(each["good_per_hour"], 1.0),
            f"{each['cycle_time_s']['value']:.1f}",
            each["rework"],
            each["scrap"],
            each["crashes"],
            _maybe(each["changeover"]["lost_parts"], 1),
            _maybe(each["changeover"]["lost_s"], 0),
            _maybe(each["oee"], 2),
        )
        for each in told
    ]
    headings = ("policy", "good %", "good an hour", "cycle s", "rework", "scrap", "crashes")
    return table((*headings, "lost to changes: parts", "s", "OEE"), rows)


def _estimate(of: Mapping[str, float], factor: float) -> str:
    return f"{factor * of['value']:.0f} ({factor * of['low']:.0f} to {factor * of['high']:.0f})"


def _maybe(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _fraction(counted: Mapping[str, int]) -> str:
    of = intervals.proportion(counted["good"], counted["parts"])
    return f"{100 * of.value:.0f} ({100 * of.low:.0f} to {100 * of.high:.0f})"
