"""`cellwright evaluate`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import Disturbances, Env, Policy, Products, default_workers
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output, reserved
from cellwright_train.terminal import console

if TYPE_CHECKING:
    from cellwright_train.results.feasible import Feasible
    from cellwright_train.results.matched import Matched
    from cellwright_train.results.result import EpisodeResult, Evaluation
    from cellwright_train.rollout.cell import Episode
    from cellwright_train.rollout.crew import Crew
    from cellwright_train.rollout.journal import Journal
    from cellwright_train.rollout.recording import PartRecord
    from cellwright_train.rollout.trial import Trial
    from cellwright_train.scenarios.scenario import Scenario
    from cellwright_train.scenarios.shift_scenario import ShiftScenario

_FIRST_SEED = 100_000
_ROOM_BYTES, _ROOM_BYTES_A_PART = 1 << 16, 1 << 11


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Work on many unseen parts with a policy and print what inspection says, with 95 % intervals."""

    policy: Positional[Policy]
    env: Env = None
    episodes: int = 100
    scenario: Annotated[str | None, arg(metavar="NAME|FILE")] = None
    """Parts of a scenario, see `cellwright scenarios`; it decides cell, products and disturbances."""
    seed: int | None = None
    """First seed; episode i uses seed + i. Default: 100000, or that of the scenario."""
    products: Products = "train"
    """A split or one product."""
    disturbances: Disturbances = "train"
    """A named set of disturbances."""
    line_change: Annotated[str | None, arg(metavar="NAME")] = None
    """A lasting change of the line, which every part comes after. The same parts without it are the control,
    worked on too."""
    tries: int = 1
    """Work on each part up to so many times, with random deviations from the policy's decisions, until it is
    good: with an expert that knows the true state, a search for the parts that can be made good."""
    feasible: Path | None = None
    """Results of such a search over the same parts (JSON): yields are then also given for the parts that can
    be made good."""
    json: Path | None = None
    """Write the results here; while the work goes on, finished parts are kept beside it."""
    csv: Path | None = None
    """Write a row per part here (CSV), without the control."""
    report: Path | None = None
    """Write a page with plots, pictures and every part here (HTML)."""
    workers: int = field(default_factory=default_workers)
    """Processes; the results do not depend on it."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.rollout.cell import CellChoice
        from cellwright_train.rollout.crew import Crew
        from cellwright_train.rollout.journal import Journal
        from cellwright_train.rollout.policies import resolve_policy
        from cellwright_train.rollout.trial import Trial

        if (shift := self._shift) is not None:
            return self._work_off(shift)
        if self.tries < 1:
            raise UsageError(f"--tries must be at least 1, got {self.tries}")
        if self.tries > 1 and self.report is not None:
            raise UsageError("--report shows one try: leave out --tries")
        begin_s = time.perf_counter()
        room_bytes = _ROOM_BYTES + _ROOM_BYTES_A_PART * self.episodes * self._arms
        inputs = (self.feasible, None if self.scenario is None else Path(self.scenario))
        with reserved(self.json, self.csv, self.report, inputs=inputs, room_bytes=room_bytes) as (
            results_file,
            table,
            page,
        ):
            shown = self.report is not None
            if self._scenario is None:
                trial = Trial.resolve(
                    self.policy,
                    env=self.env,
                    products=self.products,
                    disturbances=self.disturbances,
                    line_change=self.line_change,
                    seed=self._seed,
                    episodes=self.episodes,
                    trace=shown,
                    pictures=shown,
                )
            else:
                policy = resolve_policy(self.policy)
                policy.require_fit(self._scenario.env)
                choice = CellChoice(env=self._scenario.env)
                plan = self._scenario_plan(self._scenario)
                trial = Trial(policy=policy, cell=choice, plan=plan, trace=shown, pictures=shown)
            self._require_feasible(trial)
            whole = self._with_control(trial)
            with (
                Crew(trial, self.workers) as crew,
                Journal.of_trial(self.json, whole, self._setting) as journal,
            ):
                parts = [] if page is None else self._parts(crew, trial, journal)
                done = {self._arms * index: part.result for index, part in enumerate(parts)}
                results = self._results(crew, whole, journal, done)
                self._tell(trial, results, results_file, table)
                if page is not None:
                    self._write_page(crew, trial, parts, begin_s, page)
                journal.discard()
        return 0

    @property
    def _arms(self) -> int:
        """How often each part is worked on: after a line change once more without it.

        A search has no control: it asks what can be done, not what the change does.
        """
        changed = self.line_change is not None if self._scenario is None else bool(self._scenario.changes)
        return 2 if changed and self.tries == 1 else 1

    @cached_property
    def _shift(self) -> ShiftScenario | None:
        """That of `--scenario` where it is one of several cells; raises `UsageError` for what it decides."""
        from cellwright_train.scenarios.catalogue import scenario
        from cellwright_train.scenarios.shift_scenario import ShiftScenario

        if self.scenario is None or not isinstance(found := scenario(self.scenario), ShiftScenario):
            return None
        kept = {"policy", "scenario", "json", "workers"}
        for own in fields(self):
            if own.name not in kept and getattr(self, own.name) != own.default:
                option = f"--{own.name.replace('_', '-')}"
                raise UsageError(
                    f"{self.scenario} is a shift, which is worked off as it is: leave {option} out"
                )
        return found

    def _work_off(self, scenario: ShiftScenario) -> int:
        """A shift and its control: write what it came to, then show it."""
        from cellwright_train.lines.contenders import Contender
        from cellwright_train.lines.shift import Shift
        from cellwright_train.report.shift_tables import shift_table
        from cellwright_train.rollout.crew import Crew
        from cellwright_train.rollout.journal import Journal
        from cellwright_train.scenarios.scored_shift import digest, scored_shift

        contender = Contender.resolve(self.policy, scenario.line.cells)
        shift = Shift(line=scenario.line, contenders=(contender,))
        asked = {
            "cellwright": version("cellwright"),
            "scenario": scenario.identity,
            "policy": digest(contender),
        }
        room_bytes = _ROOM_BYTES + 2 * _ROOM_BYTES_A_PART * len(scenario.line.parts)
        with reserved(self.json, inputs=[Path(scenario.reference)], room_bytes=room_bytes) as (file,):
            with Crew(shift.trials, self.workers) as crew, Journal(self.json, asked) as journal:
                try:
                    scored = scored_shift(scenario, contender, crew, shift, journal)
                except BaseException:
                    if journal.path is not None and journal.rows:
                        told = f"{journal.path} keeps {journal.rows} finished parts"
                        print(f"{told}, the same command goes on there", file=sys.stderr)
                    raise
                if file is not None:
                    file.write((json.dumps(scored.as_json(), allow_nan=False) + "\n").encode())
                journal.discard()
            console().print(shift_table([scored.account]))
            control = sum(result.good for result in scored.control)
            print(f"the same parts without the changes: {control} of {len(scored.control)} good")
            print(f"bar: {scenario.bar}: {'reached' if scored.reached else 'missed'}")
        if file is not None:
            print(f"written to {file.path}")
        return 0

    @cached_property
    def _scenario(self) -> Scenario | None:
        """That of `--scenario`; raises `UsageError` for an option that it decides."""
        from cellwright_train.scenarios.catalogue import cell_scenario

        if self.scenario is None:
            return None
        for name, default in (
            ("env", None),
            ("products", "train"),
            ("disturbances", "train"),
            ("line_change", None),
        ):
            if getattr(self, name) != default:
                raise UsageError(f"--scenario decides --{name.replace('_', '-')}; leave that out")
        return cell_scenario(self.scenario)

    @property
    def _seed(self) -> int:
        """The first seed."""
        if self.seed is not None:
            return self.seed
        return _FIRST_SEED if self._scenario is None else self._scenario.seed

    def _scenario_plan(self, scenario: Scenario) -> tuple[Episode, ...]:
        first = self._seed - scenario.seed
        if first < 0:
            raise UsageError(f"--seed of {scenario.name} begins at {scenario.seed}, got {self._seed}")
        return scenario.plan(self.episodes, first=first)

    def _with_control(self, trial: Trial) -> Trial:
        """The trial with the control of each part right after it."""
        if self._arms == 1:
            return trial
        pairs = ((episode, episode._replace(changes=())) for episode in trial.plan)
        return replace(trial, plan=tuple(chain.from_iterable(pairs)))

    @property
    def _setting(self) -> dict[str, str]:
        """What decides the results besides policy, cell and plan, as the results repeat it."""
        if self._scenario is not None:
            chosen = {"scenario": self._scenario.name, "scenario_identity": self._scenario.identity}
            return chosen if self.tries == 1 else chosen | {"tries": str(self.tries)}
        chosen = {"products": self.products, "disturbances": self.disturbances}
        if self.line_change is not None:
            chosen["line_change"] = self.line_change
        return chosen if self.tries == 1 else chosen | {"tries": str(self.tries)}

    def _require_feasible(self, trial: Trial) -> Feasible | None:
        """What `--feasible` holds; raises `UsageError` where it is of other parts."""
        from cellwright_train.results.feasible import Feasible

        if self.feasible is None:
            return None
        asked = {"env": trial.cell.env, "seed": self._seed, **self._setting}
        return Feasible.read(self.feasible, asked, len(trial.plan))

    def _results(
        self, crew: Crew, trial: Trial, journal: Journal, done: Mapping[int, EpisodeResult]
    ) -> Sequence[EpisodeResult]:
        """Results of the whole plan, of which those `done` and those in the journal are there."""
        from cellwright_train.rollout.cell import run_episode
        from cellwright_train.rollout.evaluation import work_through
        from cellwright_train.rollout.search import searched

        job = run_episode if self.tries == 1 else partial(searched, tries=self.tries)
        found = {**journal.finished, **done}

        def keep(index: int, result: EpisodeResult) -> None:
            found[index] = result
            journal.note(index, result)

        if journal.finished:
            taken = len(journal.finished)
            print(f"{taken} of {len(trial.plan)} parts taken from {journal.path}", file=sys.stderr)
        try:
            return work_through(crew, trial, job, done=dict(found), on_result=keep)
        except BaseException:
            self._tell_finished(trial, found, journal)
            raise

    def _parts(self, crew: Crew, trial: Trial, journal: Journal) -> list[PartRecord[Any]]:
        """A page needs what happened at every step, which the journal does not hold."""
        from cellwright_train.rollout.evaluation import work_through
        from cellwright_train.rollout.recording import record_part

        done: dict[int, EpisodeResult] = {}

        def keep(index: int, part: PartRecord[Any]) -> None:
            done[index] = part.result
            if self._arms * index not in journal.finished:
                journal.note(self._arms * index, part.result)

        try:
            return work_through(crew, trial, record_part, on_result=keep)
        except BaseException:
            self._tell_finished(trial, done, journal)
            raise

    def _tell_finished(self, trial: Trial, done: Mapping[int, EpisodeResult], journal: Journal) -> None:
        """Show what is there when the work ends early."""
        if not done:
            return
        arms = range(self._arms)
        pairs = [i for i in range(0, len(trial.plan), len(arms)) if all(i + arm in done for arm in arms)]
        if pairs:
            self._print_table(trial, [done[i + arm] for i in pairs for arm in arms])
        kept = "" if journal.path is None else f"; {journal.path} keeps them, the same command goes on there"
        print(f"{len(done)} of {len(trial.plan)} parts were finished{kept}", file=sys.stderr)

    def _tell(
        self, trial: Trial, results: Sequence[EpisodeResult], file: Output | None, table: Output | None
    ) -> None:
        """Write the results, then show them, whatever becomes of the files."""
        from cellwright_train.results.episode_table import episode_table

        evaluation, matched = self._arm_by_arm(trial, results)
        try:
            if table is not None:
                table.write(episode_table(evaluation, trial.identity).encode())
            if file is not None:
                feasible = self._require_feasible(trial)
                told = evaluation.as_json() | self._setting | trial.identity
                if matched is not None:
                    told |= matched.as_json()
                if (bar := self._bar(results)) is not None:
                    told["bar"] = bar
                if feasible is not None:
                    told["feasible"] = feasible.as_json(evaluation)
                file.write((json.dumps(told, allow_nan=False) + "\n").encode())
        finally:
            self._print_table(trial, results)
        for written in (file, table):
            if written is not None:
                print(f"written to {written.path}")

    def _arm_by_arm(
        self, trial: Trial, results: Sequence[EpisodeResult]
    ) -> tuple[Evaluation[Any], Matched | None]:
        """Summary of the parts, and where they come after a change, that of the pairs."""
        from cellwright_train.results.matched import Matched
        from cellwright_train.rollout.evaluation import summary

        evaluation, *control = (summary(trial, results[arm :: self._arms]) for arm in range(self._arms))
        return evaluation, Matched(changed=evaluation, control=control[0]) if control else None

    def _print_table(self, trial: Trial, results: Sequence[EpisodeResult]) -> None:
        from cellwright_train.report.tables import effect_line, evaluation_table

        after = "" if self.line_change is None else f", after {self.line_change}"
        caption = f"{self.products} products, {self.disturbances} disturbances{after}"
        if self._scenario is not None:
            caption = self._scenario.name
        evaluation, matched = self._arm_by_arm(trial, results)
        rows = [evaluation]
        if matched is not None:
            rows.append(replace(matched.control, policy="the same parts without it"))
        feasible = self._require_feasible(trial)
        if feasible is not None and (over := feasible.over(evaluation)).results:
            rows.append(over)
        console().print(evaluation_table(rows, caption))
        if matched is not None:
            print(effect_line(matched))
        if (bar := self._bar(results)) is not None:
            print(f"bar: {bar['text']}: {'reached' if bar['reached'] else 'missed'}")

    def _bar(self, results: Sequence[EpisodeResult]) -> dict[str, Any] | None:
        """The bar of the scenario, and what the parts come to; a search, which is no policy, has none."""
        if self._scenario is None or self.tries > 1:
            return None
        arms = [results[arm :: self._arms] for arm in range(self._arms)]
        good, control = (sum(result.good for result in arm) for arm in (arms[0], arms[-1]))
        return {
            "text": str(self._scenario.bar),
            "reached": self._scenario.bar.reached(good, len(arms[0]), control),
            "good": good,
            "parts": len(arms[0]),
            "control": control if self._arms == 2 else None,
        }

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
        chosen = (
            f"--env {trial.cell.env}" if self._scenario is None else f"--scenario {self.scenario}",
            f"--episodes {len(parts)} --seed {self._seed}",
            f"--products {self.products} --disturbances {self.disturbances}" * (self._scenario is None),
        )
        command = " ".join(["cellwright evaluate", trial.policy.name, *filter(None, chosen)])
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

        if self._scenario is not None:
            changes = " ".join(change.description for change in self._scenario.changes)
            return f"{self._scenario.pain} {changes} Bar: {self._scenario.bar}.".replace("  ", " ")
        told = f"Products: {self.products}. Disturbances: {self.disturbances}."
        if self.line_change is None:
            return told
        change = require_line_change(cell_class(trial.cell.env), self.line_change)
        return f"{told} After the line change {self.line_change}: {change.description}"
