"""The table of sessions against environments: parts through each vendor's driver in closed loop."""

from __future__ import annotations

import json
from pathlib import Path

from tools.closed_loop.results import agreement_of
from tools.documentation.errors import DocumentationError
from tools.documentation.markdown import table


def closed_loop(recorded: Path) -> str:
    """How often a session comes to the environment's verdict, by bundle and driver."""
    rows = []
    for path in sorted(recorded.glob("closed-loop-*.json")):
        data = json.loads(path.read_text())
        about, found = data["about"], agreement_of(data)
        if not found.parts:
            raise DocumentationError(f"{path} has no part; `python -m tools.closed_loop` writes it")
        low, high = found.interval(found.same)
        held = sum(bool(each["holds"]) for each in data[about["client"]].values())
        rows.append(
            (
                f"`{about['bundle']}`, `{about['disturbances']}`",
                f"`{about['client']}`, {about['time']}",
                found.parts,
                found.same,
                f"{low:.3f} to {high:.3f}",
                f"{found.good[1]} and {found.good[0]}",
                f"{found.p_value:.3f}",
                held,
            )
        )
    if not rows:
        return "Nothing is recorded yet."
    headings = (
        "policy",
        "driver",
        "parts",
        "same verdict",
        "95 %",
        "good: session and environment",
        "p",
        "held",
    )
    return table(headings, rows)
