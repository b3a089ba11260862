"""The table of how each policy was trained, from the curves in docs/results/curves."""

from __future__ import annotations

import csv
from pathlib import Path

from tools.documentation.markdown import table


def curves(recorded: Path) -> str:
    """A row for each training: its length, its first, best and last test."""
    rows = []
    for path in sorted((recorded / "curves").glob("*.csv")):
        with path.open(newline="") as file:
            told = list(csv.DictReader(file))
        learned = [row for row in told if not row["demonstrations"]]
        tests = [(float(row["test"]), int(row["step"])) for row in learned if row["test"]]
        minutes = max(float(row["minutes"]) for row in told if row["minutes"])
        demonstrated = max((int(row["step"]) for row in told if row["demonstrations"]), default=0)
        rows.append(
            (
                f"[{path.stem}](results/curves/{path.name})",
                f"{demonstrated:,}",
                f"{max(int(row['step']) for row in learned):,}",
                *(_test(each) for each in (tests[0], max(tests, key=lambda test: test[0]), tests[-1])),
                f"{minutes:.0f}",
            )
        )
    headings = (
        "training",
        "steps of demonstrations",
        "of PPO",
        "first test",
        "best test",
        "last test",
        "minutes",
    )
    return table(headings, rows) if rows else "No training has been recorded yet."


def _test(test: tuple[float, int]) -> str:
    return f"{test[0]:.2f} at {test[1]:,}"
