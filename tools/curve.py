"""`python -m tools.curve RUN --csv docs/results/curves/NAME.csv`: how a training went, in few columns."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path

from cellwright_train.errors import UsageError
from cellwright_train.outputs import reserved

COLUMNS = {
    "step": "step",
    "minutes": "time/minutes",
    "demonstrations": "demonstrations/success_rate",
    "train": "rollout/success_rate_train",
    "wide": "rollout/success_rate_wide",
    "hard": "rollout/success_rate_hard",
    "explained_variance": "train/explained_variance",
    "test": "test/success_rate",
}
"""Columns of the curve, and of the run's metrics.csv. Rows with `demonstrations` count steps of those, others
steps of PPO."""


def curve(metrics: Path) -> str:
    """The curve of a run, CSV; raises `UsageError` where there is none."""
    if not metrics.is_file():
        raise UsageError(f"{metrics}: no such file; give a directory that `cellwright train` wrote")
    with metrics.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = [",".join(COLUMNS)]
    lines += [",".join(row.get(column) or "" for column in COLUMNS.values()) for row in rows]
    return "\n".join(lines) + "\n"


def main() -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--csv", type=Path, required=True)
    given = parser.parse_args()
    told = curve(given.run / "metrics.csv")
    with reserved(given.csv) as (file,):
        assert file is not None
        file.write(told.encode())
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
