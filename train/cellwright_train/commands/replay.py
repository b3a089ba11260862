"""`cellwright replay`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.errors import UsageError
from cellwright_train.terminal import console

if TYPE_CHECKING:
    from cellwright_runtime.envelope.reading import Log


@dataclass(frozen=True, kw_only=True)
class Replay:
    """Show what a log of a deployment holds: why the robot stopped, and what led to it."""

    log: Positional[Annotated[Path, arg(metavar="LOG.mcap", help="a log, as `cellwright deploy` writes it")]]
    report: Path | None = None
    """Write a page with speeds, forces, decisions and interventions over time here."""

    extra: ClassVar[str] = "robot"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_runtime.envelope.reading import LogError, read_log
        from cellwright_train.outputs import reserved

        with reserved(self.report, inputs=[self.log]) as (file,):
            try:
                log = read_log(self.log)
            except LogError as error:
                raise UsageError(str(error)) from None
            console().print(_table(log))
            if file is not None:
                from cellwright_train.report.replay_page import replay_page

                file.write(replay_page(log, str(self.log)).encode())
        if file is not None:
            print(f"report: {file.path}")
        return 0


def _table(log: Log) -> object:
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(log.about.get("reason") or "no reason"), title_justify="left")
    for heading in ("time [s]", "state", "fault", "what happened"):
        table.add_column(heading)
    for each in log.happenings:
        words = (Text(each[name]) for name in ("state", "fault", "detail"))  # no markup
        table.add_row(f"{each['time_s']:.3f}", *words)
    seconds = log.cycles[-1]["time_s"] - log.cycles[0]["time_s"] if log.cycles else 0.0
    table.caption = f"{len(log.cycles)} cycles over {seconds:.1f} s, {len(log.decisions)} decisions"
    return table
