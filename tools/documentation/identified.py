"""The table of what the weld policies know about their cell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tools.documentation.markdown import table


def identified(recorded: Path) -> str:
    """How much of the true state each policy's features explain, target by target."""
    rows = []
    for path in sorted(recorded.glob("identified-*.json")):
        told = json.loads(path.read_text())
        for target, train in told["train"].items():
            hard = told["hard"][target]
            rms = f"{train['rms']:.2g}", f"{hard['rms']:.2g}"
            unit = f" [{train['unit']}]" if train["unit"] else ""
            rows.append(
                (
                    f"`{told['policy']}`",
                    f"{target}{unit}",
                    *_explained(train),
                    rms[0],
                    *_explained(hard),
                    rms[1],
                )
            )
    headings: tuple[str, ...] = (
        "policy",
        "what",
        "`train`: R²",
        "start",
        "end",
        "rms",
        "`hard`: R²",
        "start",
        "end",
        "rms",
    )
    return table(headings, rows) if rows else "Nothing has been recorded yet."


def told_apart(recorded: Path) -> str:
    """How well each policy's features tell parts after a change of the line from parts before it."""
    rows = []
    for path in sorted(recorded.glob("identified-*.json")):
        told = json.loads(path.read_text())
        for name, each in told.get("changed", {}).items():
            unit = f" {each['unit']}" if each["unit"] else ""
            before, after = each["parts"]
            rows.append(
                (
                    f"`{told['policy']}`",
                    f"`{name}`",
                    each["target"],
                    f"{before} and {after}",
                    f"{each['moved']:+.2g}{unit}",
                    f"{each['predicted']:+.2g}{unit}",
                    f"{100.0 * each['told_apart']:.0f}",
                )
            )
    headings = ("policy", "change", "what", "parts", "moved by", "predicted", "told apart %")
    return table(headings, rows) if rows else "Nothing has been recorded yet."


def _explained(told: dict[str, Any]) -> tuple[str, ...]:
    return tuple(f"{told[where]:.2f}" for where in ("all", "start", "end"))
