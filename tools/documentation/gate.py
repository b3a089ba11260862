"""Tables of what the gate says where nothing changed, and where it is known what did."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.documentation.markdown import table
from tools.seeded_faults.weighing import NEARLY_ALL

MOST_ALARMS = 0.004
"""Fraction of repeats; four in a thousand show that one in a hundred is kept."""
_MOST_MISSED = 0.01
"""Of repeats, "no regression" where a margin is reached."""


def false_alarms(recorded: Path) -> str:
    """How often the suite raised an alarm where nothing had changed."""
    rows = []
    for path in sorted(recorded.glob("false-alarms*.json")):
        told = json.loads(path.read_text())
        episodes = told["scenarios"]
        alarms = told["verdicts"].get("REGRESSION", 0)
        rows.append(
            (
                f"{len(episodes)}, {min(episodes.values()):,} episodes each",
                told["parts"],
                told["repeats"],
                f"{100 * told['false_alarms']:g} %",
                ", ".join(f"{count} {name}" for name, count in sorted(told["verdicts"].items())),
                alarms,
                "yes" if alarms <= MOST_ALARMS * told["repeats"] else "no",
            )
        )
    headings = ("scenarios", "pairs", "repeats", "rate asked for", "verdicts", "alarms", "at most 4 in 1,000")
    return table(headings, rows) if rows else "No false alarms have been counted yet."


def seeded_faults(recorded: Path) -> str:
    """Each fault: what it was located as, and what pairs of it come to."""
    rows, counts = [], {"located": 0, "plain": 0, "called": 0, "beyond": 0, "missed": 0}
    for path in sorted(recorded.glob("seeded-faults-*.json")):
        told = json.loads(path.read_text())
        for name, each in told["faults"].items():
            rows.append((name.partition(",")[0], f"`{told['task']}`", *_fault(each)))
            is_plain = each["worse_fraction"] >= NEARLY_ALL
            counts["located"] += each["rightly"]
            counts["plain"] += is_plain
            counts["called"] += is_plain and each["early"].get("REGRESSION", 0) == each["repeats"]
            counts["beyond"] += bool(each["beyond_margin"])
            counts["missed"] += bool(each["beyond_margin"]) and _missed(each) > _MOST_MISSED * each["repeats"]
    if not rows:
        return "No fault has been weighed yet."
    headings = (
        "fault",
        "policy",
        "located as",
        "worse in most pairs",
        "in % of pairs",
        "beyond its margin",
        "REGRESSION within 25 pairs, % of repeats",
        "no regression at last, % of repeats",
        "pairs needed, foretold after 25",
        "pairs needed",
    )
    summary = (
        f"{counts['located']} of {len(rows)} faults are located rightly. "
        f"{counts['plain']} make at least {100 * NEARLY_ALL:g} % of pairs worse; "
        f"{counts['called']} of these are a REGRESSION within 25 pairs in every repeat. "
        f"{counts['beyond']} reach a margin; {counts['missed']} of these are called no regression "
        f"in more than {100 * _MOST_MISSED:g} % of repeats."
    )
    return f"{table(headings, rows)}\n\n{summary}"


def _fault(each: Mapping[str, Any]) -> tuple[Any, ...]:
    repeats = each["repeats"]
    foretold = each["needed_told"]
    if not each["needed_asked"]:
        foretold = "decided"
    elif foretold is None:
        foretold = "unknown"
    return (
        "; ".join(each["located"]),
        each["measure"],
        f"{100 * each['worse_fraction']:.0f}",
        ", ".join(each["beyond_margin"]),
        f"{100 * each['early'].get('REGRESSION', 0) / repeats:.0f}",
        f"{100 * _missed(each) / repeats:.0f}",
        foretold,
        "over 1,000" if each["needed"] is None else each["needed"],
    )


def _missed(each: Mapping[str, Any]) -> int:
    return int(each["late"].get("no regression", 0))
