"""`cellwright demo`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from cellwright_train.commands.options import default_workers
from cellwright_train.errors import require_training_seed


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Weld 20 parts with three controllers, fine-tune the shipped policy, export and verify it."""

    out: Path = Path("report.html")
    """The report; everything else goes to a directory beside it."""
    parts: int = 20
    """Parts per controller; the line changes half-way."""
    minutes: float = 1.5
    """Length of the fine-tuning run."""
    seed: int = 1
    workers: int = field(default_factory=default_workers)

    extra: ClassVar[str] = "train"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code: 1 where the exported bundle fails its verification."""
        require_training_seed(self.seed, "--seed")
        from cellwright_train.demo import DemoConfig, run_demo

        return run_demo(
            DemoConfig(
                report=self.out, parts=self.parts, minutes=self.minutes, seed=self.seed, workers=self.workers
            )
        )
