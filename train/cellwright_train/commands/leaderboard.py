"""`cellwright leaderboard`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tyro.conf import Positional

from cellwright_train.outputs import reserved
from cellwright_train.terminal import console


@dataclass(frozen=True, kw_only=True)
class Leaderboard:
    """Compare policies over scenarios, from what `cellwright evaluate --scenario NAME --json` wrote."""

    directory: Positional[Path]
    """Its files ending in .json are read."""
    json: Path | None = None
    """Write the table here (JSON)."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.report.scenario_tables import leaderboard_table
        from cellwright_train.scenarios.leaderboard import read_scores

        results = self.directory.glob("*.json") if self.directory.is_dir() else ()
        with reserved(self.json, inputs=results) as (file,):
            scores = read_scores(self.directory)
            if file is not None:
                told = [score.as_json() for score in scores]
                file.write((json.dumps(told, indent=1, allow_nan=False) + "\n").encode())
        console().print(leaderboard_table(scores))
        if file is not None:
            print(f"written to {file.path}")
        return 0
