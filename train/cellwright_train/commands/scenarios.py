"""`cellwright scenarios`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cellwright_train.outputs import reserved
from cellwright_train.terminal import console


@dataclass(frozen=True, kw_only=True)
class Scenarios:
    """List the scenarios: what hurts on a shop floor, and the bar that a policy has to reach."""

    json: Path | None = None
    """Write them here, with every condition (JSON)."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.report.scenario_tables import scenarios_table
        from cellwright_train.scenarios.catalogue import scenario, scenario_names

        with reserved(self.json) as (file,):
            found = [scenario(name) for name in scenario_names()]
            if file is not None:
                file.write((json.dumps([each.as_json() for each in found], indent=1) + "\n").encode())
        console().print(scenarios_table(found))
        if file is not None:
            print(f"written to {file.path}")
        return 0
