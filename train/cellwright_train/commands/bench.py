"""`cellwright bench`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cellwright_train.outputs import reserved
from cellwright_train.terminal import console


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure every speed and ratio that the documentation states, on this machine."""

    json: Path | None = None
    """Write the figures here."""
    quick: bool = False
    """Fewer repeats, under a minute."""

    extra: ClassVar[str] = "train"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_runtime.files.json_text import canonical_json
        from cellwright_train.bench.benchmark import measure
        from cellwright_train.report.tables import figures_table

        with reserved(self.json) as (file,):
            figures = measure(quick=self.quick)
            try:
                if file is not None:
                    file.write(canonical_json(figures))
            finally:
                console().print(figures_table(figures))
        if file is not None:
            print(f"written to {file.path}")
        return 0
