"""`cellwright shift`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import POLICY_HELP, default_workers
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output, reserved
from cellwright_train.terminal import console

if TYPE_CHECKING:
    from cellwright_train.lines.account import Account
    from cellwright_train.lines.line import Line
    from cellwright_train.lines.shift import Shift as Plan
    from cellwright_train.lines.walk import Walk
    from cellwright_train.rollout.crew import Crew
    from cellwright_train.rollout.journal import Journal

_ROOM_BYTES, _ROOM_BYTES_A_PART = 1 << 16, 1 << 11
_PARTS, _CHANGES, _CELLS = 100, 5, "weld-seam"
_PACKAGES = ("gymnasium", "numba", "numpy", "onnxruntime", "pybullet")
"""Packages whose versions results name: what cells and policies compute with."""


@dataclass(frozen=True, kw_only=True)
class Shift:
    """Run a line of parts, on which things change, under each policy, and compare them over time."""

    line: Positional[Annotated[str | None, arg(metavar="LINE", help="a .toml file, or a shipped line")]] = (
        None
    )
    policies: Annotated[
        str, arg(metavar="A,B,...", help=f"each {POLICY_HELP}; one per cell of the line is joined by '+'")
    ] = ""
    draw: Annotated[int | None, arg(metavar="SEED")] = None
    """Draw a line from this seed instead."""
    cells: Annotated[str | None, arg(metavar="CELL[+CELL...]")] = None
    """Cells of a line that is drawn; weld-seam where left out."""
    parts: int | None = None
    """Parts of a line that is drawn; 100 where left out."""
    changes: int | None = None
    """Changes of a line that is drawn; 5 where left out."""
    write: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the line here (TOML); without --policies that is all."""
    json: Path | None = None
    """Write the results here; while the work goes on, finished parts are kept beside it."""
    report: Path | None = None
    """Write a page with the timeline and pictures of failures here (HTML)."""
    workers: int = field(default_factory=default_workers)
    """Processes; the results do not depend on it."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        begin_s = time.perf_counter()
        line = self._line()
        names = self._names()
        room_bytes = _ROOM_BYTES + _ROOM_BYTES_A_PART * len(line.parts) * len(names)
        inputs = [] if self.line is None else [Path(self.line)]
        with reserved(self.write, self.json, self.report, inputs=inputs, room_bytes=room_bytes) as (
            file,
            results,
            page,
        ):
            plan = self._plan(line, names)
            if file is not None:
                file.write(line.text.encode())
                print(f"written to {file.path}")
            if names:
                self._work(plan, results, page, begin_s)
        return 0

    def _line(self) -> Line:
        from cellwright_train.lines.drawing import drawn_line
        from cellwright_train.lines.library import find_line

        if (self.line is None) == (self.draw is None):
            raise UsageError("name a line, or draw one with --draw SEED")
        if self.draw is not None:
            return drawn_line(
                self.draw,
                (self.cells or _CELLS).split("+"),
                parts=_PARTS if self.parts is None else self.parts,
                changes=_CHANGES if self.changes is None else self.changes,
            )
        for name in ("cells", "parts", "changes"):
            if getattr(self, name) is not None:
                raise UsageError(f"--{name} belongs to --draw; {self.line} says it itself")
        return find_line(self.line or "")

    def _names(self) -> list[str]:
        names = [name for name in self.policies.split(",") if name]
        if not names and self.write is None:
            raise UsageError("name who works on the line: --policies A,B")
        if not names and (self.json or self.report):
            raise UsageError("there are no results without --policies A,B")
        for name in names:
            if names.count(name) > 1:
                raise UsageError(f"--policies names {name} twice")
        return names

    def _plan(self, line: Line, names: Sequence[str]) -> Plan:
        from cellwright_train.lines.contenders import Contender
        from cellwright_train.lines.shift import Shift as Plan

        contenders = tuple(Contender.resolve(name, line.cells) for name in names)
        return Plan(line=line, contenders=contenders, pictures=self.report is not None)

    def _work(self, plan: Plan, results: Output | None, page: Output | None, begin_s: float) -> None:
        from cellwright_train.lines.shift import run_shift
        from cellwright_train.lines.walk import Walk
        from cellwright_train.rollout.crew import Crew
        from cellwright_train.rollout.journal import Journal

        asked = {"cellwright": version("cellwright"), "line": plan.line.hash}
        walks = [Walk(plan.line, contender) for contender in plan.contenders]
        with Crew(plan.trials, self.workers) as crew, Journal(self.json, asked) as journal:
            try:
                run_shift(plan, crew, journal, walks)
            except BaseException:
                self._tell_finished(walks, journal)
                raise
            accounts = _accounts(walks)
            try:
                if results is not None:
                    told = self._told(plan, accounts)
                    results.write((json.dumps(told, allow_nan=False) + "\n").encode())
            finally:
                self._print(accounts)
            if results is not None:
                print(f"written to {results.path}")
            if page is not None:
                self._write_page(plan, accounts, crew, page, begin_s)
            journal.discard()

    def _told(self, plan: Plan, accounts: Sequence[Account]) -> dict[str, Any]:
        """What the results file says."""
        import msgspec

        line = plan.line
        return {
            "cellwright": version("cellwright"),
            "versions": {name: version(name) for name in _PACKAGES},
            "line": msgspec.to_builtins(line.file),
            "line_hash": line.hash,
            "cells": dict(line.cells),
            "changes": [
                {
                    "part": event.index + 1,
                    "cell": event.cell,
                    "name": event.name,
                    "description": event.description,
                    "announced": event.announced,
                }
                for event in line.events
            ],
            "shifts": [
                {"policy": contender.name, "cells": contender.identity, **account.as_json()}
                for contender, account in zip(plan.contenders, accounts, strict=True)
            ],
        }

    def _tell_finished(self, walks: Sequence[Walk], journal: Journal) -> None:
        """Show what is there when the work ends early."""
        done = [walk for walk in walks if walk.rows]
        if not done:
            return
        self._print(_accounts(done))
        kept = "" if journal.path is None else f"; {journal.path} keeps them, the same command goes on there"
        for walk in done:
            of = f"{len(walk.rows)} of {len(walk.line.parts)} parts by {walk.contender.name} were finished"
            print(f"{of}{kept}", file=sys.stderr)

    def _print(self, accounts: Sequence[Account]) -> None:
        from cellwright_train.report.shift_tables import change_table, shift_table

        console().print(shift_table(accounts))
        if accounts[0].line.events:
            console().print(change_table(accounts))

    def _write_page(
        self, plan: Plan, accounts: Sequence[Account], crew: Crew, out: Output, begin_s: float
    ) -> None:
        from cellwright_train.lines.failures import filmed_failures
        from cellwright_train.report.page import provenance
        from cellwright_train.report.shift_page import shift_page

        failures = filmed_failures(plan, accounts, crew)
        made = provenance(self._command, time.perf_counter() - begin_s)
        out.write(shift_page(accounts, failures, made).encode())
        print(f"written to {out.path}; open it in a browser")

    @property
    def _command(self) -> str:
        """What makes the same page."""
        if self.draw is None:
            return f"cellwright shift {self.line} --policies {self.policies}"
        given = {"cells": self.cells, "parts": self.parts, "changes": self.changes}
        more = "".join(f" --{name} {value}" for name, value in given.items() if value is not None)
        return f"cellwright shift --draw {self.draw}{more} --policies {self.policies}"


def _accounts(walks: Sequence[Walk]) -> list[Account]:
    from cellwright_train.lines.account import Account

    return [Account(name=walk.contender.name, line=walk.line, rows=walk.rows) for walk in walks]
