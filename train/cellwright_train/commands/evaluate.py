"""`cellwright evaluate`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import Disturbances, Env, Policy, Products, default_workers
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output, reserved
from cellwright_train.terminal import console

if TYPE_CHECKING:
    from cellwright_train.results.feasible import Feasible
    from cellwright_train.results.result import EpisodeResult
    from cellwright_train.rollout.crew import Crew
    from cellwright_train.rollout.journal import Journal
    from cellwright_train.rollout.recording import PartRecord
    from cellwright_train.rollout.trial import Trial

_ROOM_BYTES, _ROOM_BYTES_A_PART = 1 << 16, 1 << 11


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Work on many unseen parts with a policy and print what inspection says, with 95 % intervals."""

    policy: Positional[Policy]
    env: Env = None
    episodes: int = 100
    seed: int = 100_000
    """First seed; episode i uses seed + i."""
    products: Products = "train"
    """A split or one product."""
    disturbances: Disturbances = "train"
    """A named set of disturbances."""
    line_change: Annotated[str | None, arg(metavar="NAME")] = None
    """A lasting change of the line, which every part comes after."""
    tries: int = 1
    """Work on each part up to so many times, with random deviations from the policy's decisions, until it is
    good: with an expert that knows the true state, a search for the parts that can be made good."""
    feasible: Path | None = None
    """Results of such a search over the same parts (JSON): yields are then also given for the parts that can
    be made good."""
    json: Path | None = None
    """Write the results here; while the work goes on, finished parts are kept beside it."""
    report: Path | None = None
    """Write a page with plots, pictures and every part here (HTML)."""
    workers: int = field(default_factory=default_workers)
    """Processes; the results do not depend on it."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.rollout.crew import Crew
        from cellwright_train.rollout.journal import Journal
        from cellwright_train.rollout.trial import Trial

        if self.tries < 1:
            raise UsageError(f"--tries must be at least 1, got {self.tries}")
        if self.tries > 1 and self.report is not None:
            raise UsageError("--report shows one try: leave out --tries")
        begin_s = time.perf_counter()
        room_bytes = _ROOM_BYTES + _ROOM_BYTES_A_PART * self.episodes
        with reserved(self.json, self.report, room_bytes=room_bytes) as (results_file, page):
            trial = Trial.resolve(
                self.policy,
                env=self.env,
                products=self.products,
                disturbances=self.disturbances,
                line_change=self.line_change,
                seed=self.seed,
                episodes=self.episodes,
                trace=self.report is not None,
                pictures=self.report is not None,
            )
            self._require_feasible(trial)
            with Crew(trial, self.workers) as crew, Journal(self.json, trial, self._setting) as journal:
                if page is None:
                    results = self._results(crew, trial, journal)
                    self._tell(trial, results, results_file)
                else:
                    parts = self._parts(crew, trial, journal)
                    self._tell(trial, [part.result for part in parts], results_file)
                    self._write_page(crew, trial, parts, begin_s, page)
                journal.discard()
        return 0

    @property
    def _setting(self) -> dict[str, str]:
        """What decides the results besides policy, cell and plan, as the results repeat it."""
        chosen = {"products": self.products, "disturbances": self.disturbances}
        if self.line_change is not None:
            chosen["line_change"] = self.line_change
        return chosen if self.tries == 1 else chosen | {"tries": str(self.tries)}

    def _require_feasible(self, trial: Trial) -> Feasible | None:
        """What `--feasible` holds; raises `UsageError` where it is of other parts."""
        from cellwright_train.results.feasible import Feasible

        if self.feasible is None:
            return None
        asked = {"env": trial.cell.env, "seed": self.seed, **self._setting}
        return Feasible.read(self.feasible, asked, len(trial.plan))

    def _results(self, crew: Crew, trial: Trial, journal: Journal) -> Sequence[EpisodeResult]:
        from cellwright_train.rollout.cell import run_episode
        from cellwright_train.rollout.evaluation import work_through
        from cellwright_train.rollout.search import searched

        job = run_episode if self.tries == 1 else partial(searched, tries=self.tries)
        done = dict(journal.finished)

        def keep(index: int, result: EpisodeResult) -> None:
            done[index] = result
            journal.note(result)

        if done:
            print(f"{len(done)} of {len(trial.plan)} parts taken from {journal.path}", file=sys.stderr)
        try:
            return work_through(crew, trial, job, done=journal.finished, on_result=keep)
        except BaseException:
            self._tell_finished(trial, done, journal)
            raise

    def _parts(self, crew: Crew, trial: Trial, journal: Journal) -> list[PartRecord[Any]]:
        """A page needs what happened at every step, which the journal does not hold."""
        from cellwright_train.rollout.evaluation import work_through
        from cellwright_train.rollout.recording import record_part

        done: dict[int, EpisodeResult] = {}

        def keep(index: int, part: PartRecord[Any]) -> None:
            done[index] = part.result
            if index not in journal.finished:
                journal.note(part.result)

        try:
            return work_through(crew, trial, record_part, on_result=keep)
        except BaseException:
            self._tell_finished(trial, done, journal)
            raise

    def _tell_finished(self, trial: Trial, done: Mapping[int, EpisodeResult], journal: Journal) -> None:
        """Show what is there when the work ends early."""
        if not done:
            return
        self._print_table(trial, [done[index] for index in sorted(done)])
        kept = "" if journal.path is None else f"; {journal.path} keeps them, the same command goes on there"
        print(f"{len(done)} of {len(trial.plan)} parts were finished{kept}", file=sys.stderr)

    def _tell(self, trial: Trial, results: Sequence[EpisodeResult], file: Output | None) -> None:
        """Write the results, then show them, whatever becomes of the file."""
        from cellwright_train.rollout.evaluation import summary

        try:
            if file is not None:
                evaluation, feasible = summary(trial, results), self._require_feasible(trial)
                told = evaluation.as_json() | self._setting
                if feasible is not None:
                    told["feasible"] = feasible.as_json(evaluation)
                file.write((json.dumps(told, allow_nan=False) + "\n").encode())
        finally:
            self._print_table(trial, results)
        if file is not None:
            print(f"written to {file.path}")

    def _print_table(self, trial: Trial, results: Sequence[EpisodeResult]) -> None:
        from cellwright_train.report.tables import evaluation_table
        from cellwright_train.rollout.evaluation import summary

        after = "" if self.line_change is None else f", after {self.line_change}"
        caption = f"{self.products} products, {self.disturbances} disturbances{after}"
        rows = [evaluation := summary(trial, results)]
        feasible = self._require_feasible(trial)
        if feasible is not None and (over := feasible.over(evaluation)).results:
            rows.append(over)
        console().print(evaluation_table(rows, caption))

    def _write_page(
        self, crew: Crew, trial: Trial, parts: Sequence[PartRecord[Any]], begin_s: float, out: Output
    ) -> None:
        """The page of an evaluation, with a film of the first good part, or of the first where none is."""
        from cellwright_train.report.evaluation_page import evaluation_page
        from cellwright_train.report.page import provenance
        from cellwright_train.rollout.evaluation import summary
        from cellwright_train.rollout.film import FRAMES, filmed

        shown = next((part for part in parts if part.result.good), parts[0])
        job = partial(filmed, steps=len(shown.actions), frames=FRAMES)
        ((_, film),) = crew.work(job, [shown.episode])
        command = (
            f"cellwright evaluate {trial.policy.name} --env {trial.cell.env} --episodes {len(parts)} "
            f"--seed {self.seed} --products {self.products} --disturbances {self.disturbances}"
        )
        if self.line_change is not None:
            command += f" --line-change {self.line_change}"
        made = provenance(command, time.perf_counter() - begin_s)
        result = summary(trial, [part.result for part in parts])
        page = evaluation_page(result, parts, film, self._sentences(trial), made)
        out.write(page.encode())
        print(f"written to {out.path}; open it in a browser")

    def _sentences(self, trial: Trial) -> str:
        """What an evaluation chose and what has changed at the line."""
        from cellwright_train.rollout.families import cell_class, require_line_change

        told = f"Products: {self.products}. Disturbances: {self.disturbances}."
        if self.line_change is None:
            return told
        change = require_line_change(cell_class(trial.cell.env), self.line_change)
        return f"{told} After the line change {self.line_change}: {change.description}"
