"""`cellwright regress`."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shlex
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from tyro.conf import Positional, UseAppendAction, arg

from cellwright_train.commands.options import default_workers
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output, reserved
from cellwright_train.terminal import console

if TYPE_CHECKING:
    from cellwright_train.regression.baseline import Baseline, Record
    from cellwright_train.regression.examination import Case
    from cellwright_train.regression.outcome import Outcome
    from cellwright_train.regression.suite import Suite
    from cellwright_train.regression.told import Told
    from cellwright_train.results.result import EpisodeResult
    from cellwright_train.rollout.crew import Crew
    from cellwright_train.rollout.policies import PolicyReference
    from cellwright_train.rollout.recording import PartRecord
    from cellwright_train.scenarios.scenario import Scenario

_ROOM_BYTES = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Regress:
    """Compare policies and cells with a recorded baseline: did anything change, and did it get worse?

    Exit codes: 0 unchanged or no regression, 1 REGRESSION, 2 NOT COMPARABLE or bad input, 3 UNDERPOWERED.
    """

    suite: Positional[Path]
    """A suite of scenarios (TOML)."""
    against: Path | None = None
    """The baseline (JSON, beside it the tapes)."""
    policy: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="[CELL=]POLICY")] = ()
    """Instead of the suite's policy of its cell; an expert needs the cell. May be given several times."""
    scenario: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="NAME")] = ()
    """Only this scenario. May be given several times."""
    minutes: float = 10.0
    """Time to weigh pairs in; locating comes before it."""
    live: int | None = None
    """Parts that also have to come to what was recorded for UNCHANGED; default: the suite's."""
    false_alarms: float | None = None
    """Probability of any false alarm in the whole suite; default: the suite's."""
    shard: Annotated[str | None, arg(metavar="I/N")] = None
    """Only every N-th scenario, from the I-th; --merge joins the results."""
    merge: Annotated[UseAppendAction[tuple[Path, ...]], arg(metavar="FILE")] = ()
    """Join the results of shards, each from --json, instead of any work."""
    accept: Annotated[str | None, arg(metavar="REASON")] = None
    """Record what changed as the new baseline, and why."""
    json: Path | None = None
    """Write the results here; while the work goes on, finished parts are kept beside it."""
    junit: Path | None = None
    """Write a test per scenario here (JUnit XML)."""
    report: Path | None = None
    """Write a page with every pair, and pictures of what got worse, here (HTML)."""
    workers: int = field(default_factory=default_workers)
    """Processes; the verdicts do not depend on it."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.regression.suite import Suite
        from cellwright_train.regression.told import merged, read_shard

        self._require_sense()
        suite = Suite.read(self.suite)
        begin_s = time.perf_counter()
        pictures: Mapping[str, PartRecord[Any]] = {}
        inputs = (self.suite, self.against, *self.merge)
        with reserved(self.json, self.junit, self.report, inputs=inputs, room_bytes=_ROOM_BYTES) as (
            file,
            junit_file,
            page,
        ):
            if self.merge:
                told = merged([(path, read_shard(path)) for path in self.merge])
                self._require_of(suite, told)
                self._tell(told, file, junit_file)
            else:
                told, pictures = self._examined(
                    suite, partial(self._tell, file=file, junit_file=junit_file), pictured=page is not None
                )
            if page is not None:
                self._write_page(told, pictures, begin_s, page)
        return 0 if self.accept is not None else told.exit_code

    def _require_sense(self) -> None:
        if self.report is not None and self.accept is not None:
            raise UsageError("--report shows a comparison; leave out --accept")
        if self.against is None and not self.merge:
            raise UsageError("name the baseline with --against; with --accept REASON it is recorded there")
        if self.merge and (self.accept is not None or self.shard is not None or self.scenario):
            raise UsageError("--merge joins results; leave out --accept, --shard and --scenario")
        unused = {"policy": self.policy, "live": self.live, "false-alarms": self.false_alarms}
        if self.merge and (given := [name for name, value in unused.items() if value not in (None, ())]):
            raise UsageError(f"--merge joins what was examined; leave --{given[0]} out")
        if self.accept is not None and not self.accept.strip():
            raise UsageError("--accept needs a reason, such as 'retrained with more gaps'")
        if self.accept is not None and self.shard is not None:
            raise UsageError("--accept writes the whole baseline; leave out --shard")
        if self.false_alarms is not None and not 0.0 < self.false_alarms < 1.0:
            raise UsageError(f"--false-alarms must be between 0 and 1, got {self.false_alarms:g}")
        if self.live is not None and self.live < 0:
            raise UsageError(f"--live must be at least 0, got {self.live}")

    def _require_of(self, suite: Suite, told: Told) -> None:
        """Raise `UsageError` where joined results are not of all of this suite as it is now."""
        first = self.merge[0]
        if (name := told.head["suite"]) != suite.name:
            raise UsageError(f"{first} is of the suite {name!r}, not {suite.name!r}")
        scenarios = {each.name for each in suite.scenarios}
        if other := sorted(scenarios ^ set(told.expected)):
            where = f"{self.suite} has" if other[0] in scenarios else f"{self.suite} does not have"
            raise UsageError(
                f"{first} is not of the scenarios of this suite: {where} {other[0]}; examine it anew"
            )
        if told.head["suite_identity"] != suite.identity:
            raise UsageError(
                f"{first} was examined under other parts, margins or conditions; examine it anew"
            )
        if self.against is not None and told.head["baseline"] != self._hash():
            raise UsageError(f"{first} was held against another baseline than {self.against}")

    def _chosen(self, suite: Suite) -> tuple[Scenario, ...]:
        from cellwright_train.regression.suite import named

        if self.scenario and self.shard is not None:
            raise UsageError("--shard cuts the whole suite; leave out --scenario")
        if self.scenario:
            return named(suite.scenarios, self.scenario)
        return suite.scenarios if self.shard is None else suite.shard(self.shard)

    def _examined(
        self, suite: Suite, tell: Callable[[Told], None], *, pictured: bool
    ) -> tuple[Told, Mapping[str, PartRecord[Any]]]:
        """Do the work, record the baseline where it was asked for, and `tell` what was found.

        Returns that, and where `pictured` the parts that show best what got worse, by scenario.
        """
        from cellwright_train.regression.baseline import Baseline
        from cellwright_train.regression.told import Told

        assert self.against is not None
        baseline = None
        if self.against.exists() or self.accept is None:
            baseline = Baseline.read(self.against)
            if baseline.suite != suite.name:
                raise UsageError(f"{self.against} is of the suite {baseline.suite!r}, not {suite.name!r}")
        chosen = self._chosen(suite)
        asked = self._policies(suite)
        policies = {env: asked[env] for env in dict.fromkeys(each.env for each in chosen)}
        head = {
            "suite": suite.name,
            "suite_identity": suite.identity,
            "cellwright": version("cellwright"),
            "baseline": None if baseline is None else self._hash(),
            "false_alarms": self.false_alarms or suite.false_alarms,
            "policies": {env: [each.name, each.digest] for env, each in asked.items()},
        }
        names = tuple(each.name for each in (chosen if self.scenario else suite.scenarios))

        def told_of(outcomes: Sequence[Outcome]) -> Told:
            found = {each.scenario: each.as_json() for each in outcomes}
            return Told(head=head, expected=names, scenarios=found)

        outcomes = self._work(suite, chosen, policies, baseline, told_of, tell)
        pictures = self._pictures(chosen, policies, outcomes) if pictured else {}
        return told_of(outcomes), pictures

    def _pictures(
        self,
        chosen: Sequence[Scenario],
        policies: Mapping[str, PolicyReference],
        outcomes: Sequence[Outcome],
    ) -> Mapping[str, PartRecord[Any]]:
        """The part of each REGRESSION that shows it best, worked on once more with pictures."""
        from cellwright_train.rollout.cell import CellChoice
        from cellwright_train.rollout.crew import Crew, Task
        from cellwright_train.rollout.recording import pictured
        from cellwright_train.rollout.trial import Trial

        shown = [
            (scenario, outcome.worst.seed - scenario.seed)
            for scenario, outcome in zip(chosen, outcomes, strict=True)
            if outcome.verdict == "REGRESSION" and outcome.worst is not None
        ]
        if not shown:
            return {}
        cells = list(dict.fromkeys(scenario.env for scenario, _ in shown))
        trials = [
            Trial(policy=policies[env], cell=CellChoice(env=env), plan=(), trace=True, pictures=True)
            for env in cells
        ]
        tasks = [
            Task(pictured, scenario.plan(index + 1)[index], cells.index(scenario.env))
            for scenario, index in shown
        ]
        with Crew(trials, self.workers) as crew:
            return {shown[number][0].name: record for number, record in crew.do(tasks)}

    def _write_page(
        self, told: Told, pictures: Mapping[str, PartRecord[Any]], begin_s: float, page: Output
    ) -> None:
        from cellwright_train.report.page import provenance
        from cellwright_train.report.regression_page import regression_page

        made = provenance(self._command, time.perf_counter() - begin_s)
        page.write(regression_page(told, pictures, made).encode())
        print(f"written to {page.path}; open it in a browser")

    def _policies(self, suite: Suite) -> dict[str, PolicyReference]:
        """The candidate of each cell of the suite, by id of the environment."""
        from cellwright_train.lines.cells import cell_id
        from cellwright_train.rollout.policies import resolve_policy

        given: dict[str, str] = {}
        for text in self.policy:
            cell, named, policy = text.partition("=")
            if named and not Path(text).exists():
                environment: str | None = cell_id(cell)
            else:
                environment, policy = resolve_policy(text).environment, text
            if environment is None:
                raise UsageError(f"--policy {text} says no cell; write for example weld-seam={text}")
            if not policy:
                raise UsageError(f"--policy {text} names no policy; write for example {cell}=zoo:{cell}")
            if environment not in (each.env for each in suite.scenarios):
                raise UsageError(f"--policy {text} is of {environment}, which this suite does not have")
            if environment in given:
                raise UsageError(
                    f"--policy names two policies for {environment}: {given[environment]}, {policy}"
                )
            given[environment] = policy
        names = {**suite.policies, **given}
        found = {
            env: resolve_policy(names[env]) for env in dict.fromkeys(each.env for each in suite.scenarios)
        }
        for env, reference in found.items():
            reference.require_fit(env)
        return found

    def _hash(self) -> str:
        assert self.against is not None
        return hashlib.sha256(self.against.read_bytes()).hexdigest()

    @property
    def _command(self) -> str:
        """What makes the same page."""
        many = {"policy": self.policy, "scenario": self.scenario, "merge": self.merge}
        one = {
            "against": self.against,
            "shard": self.shard,
            "live": self.live,
            "minutes": self.minutes,
            "false-alarms": self.false_alarms,
        }
        words = ["cellwright", "regress", str(self.suite)]
        words += [f"--{name}={value}" for name, value in one.items() if value is not None]
        words += [f"--{name}={value}" for name, values in many.items() for value in values]
        return shlex.join(words)

    def _work(
        self,
        suite: Suite,
        chosen: Sequence[Scenario],
        policies: Mapping[str, PolicyReference],
        baseline: Baseline | None,
        told_of: Callable[[Sequence[Outcome]], Told],
        tell: Callable[[Told], None],
    ) -> Sequence[Outcome]:
        from cellwright_train.regression.examination import examine
        from cellwright_train.regression.rule import Budget
        from cellwright_train.rollout.cell import CellChoice
        from cellwright_train.rollout.crew import Crew
        from cellwright_train.rollout.families import family_of
        from cellwright_train.rollout.journal import Journal, part_key
        from cellwright_train.rollout.trial import Trial

        trials = [
            Trial(policy=reference, cell=CellChoice(env=env), plan=(), truth=True)
            for env, reference in policies.items()
        ]
        numbers = {env: number for number, env in enumerate(policies)}
        cases = [_case(suite, each, policies[each.env], numbers[each.env], baseline) for each in chosen]
        places = [(case.scenario.name, index) for case in cases for index in range(suite.parts)]
        keys = [
            (f"{case.scenario.name} {part_key(episode)}", family_of(case.scenario.env).result)
            for case in cases
            for episode in case.scenario.plan(suite.parts)
        ]
        head = told_of(()).head
        with Journal(self.json, head, keys) as journal, Crew(trials, self.workers) as crew:
            finished = {places[index]: result for index, result in journal.finished.items()}
            if finished:
                print(f"{len(finished)} parts taken from {journal.path}", file=sys.stderr)
            order = {place: index for index, place in enumerate(places)}

            def note(name: str, index: int, result: EpisodeResult) -> None:
                finished[name, index] = result
                journal.note(order[name, index], result)

            outcomes = examine(
                crew,
                cases,
                budget=Budget(scenarios=len(suite.scenarios), alpha=head["false_alarms"]),
                success_margin=suite.success_margin,
                live=suite.live if self.live is None else self.live,
                seconds=0.0 if self.accept is not None else 60.0 * self.minutes,
                finished=dict(finished),
                note=note,
            )
            if self.accept is not None:
                self._record(suite, cases, outcomes, policies, baseline, crew, finished, note)
            tell(told_of(outcomes))
            journal.discard()
        return outcomes

    def _record(
        self,
        suite: Suite,
        cases: Sequence[Case],
        outcomes: Sequence[Outcome],
        policies: Mapping[str, PolicyReference],
        baseline: Baseline | None,
        crew: Crew,
        finished: Mapping[tuple[str, int], EpisodeResult],
        note: Any,
    ) -> None:
        """Write the new baseline: what is UNCHANGED as it was, but for the policy; all else anew."""
        from cellwright_train.regression.baseline import Baseline
        from cellwright_train.regression.recording import record

        assert self.against is not None
        assert self.accept is not None
        with Output(self.against, room_bytes=_ROOM_BYTES) as file:
            kept: dict[str, Record] = {}
            if baseline is not None:
                examined = {case.scenario.name: case for case in cases}
                for each in suite.scenarios:
                    if (found := baseline.records.get(each.name)) is None:
                        continue
                    if case := examined.get(each.name):
                        found = dataclasses.replace(
                            found, policy=case.policy, policy_sha256=case.policy_sha256
                        )
                    kept[each.name] = found
            anew = [
                (case, policies[case.scenario.env])
                for case, outcome in zip(cases, outcomes, strict=True)
                if outcome.verdict != "UNCHANGED"
            ]
            made = record(crew, anew, parts=suite.parts, finished=finished, note=note)
            new = Baseline(
                suite=suite.name,
                cellwright=version("cellwright"),
                reason=self.accept.strip(),
                records=kept | made,
            )
            new.write(file)
        print(f"{len(made)} scenarios recorded in {self.against}, {len(kept.keys() - made.keys())} kept")

    def _tell(self, told: Told, file: Output | None, junit_file: Output | None) -> None:
        """Write the results, then show them, whatever becomes of the files."""
        from cellwright_train.report.regression_table import regression_table

        try:
            if file is not None:
                file.write((json.dumps(told.as_json(), allow_nan=False) + "\n").encode())
            if junit_file is not None:
                junit_file.write(told.junit())
        finally:
            if self.accept is None:
                console().print(regression_table(told))
        for written in (file, junit_file):
            if written is not None:
                print(f"written to {written.path}")
        if self.accept is None:
            for name, entry in told.scenarios.items():
                if entry["verdict"] == "REGRESSION" and entry["worst"]:
                    print(f"{name}, the part that shows it best: {entry['worst']['replay']}")
            print(told.verdict)


def _case(
    suite: Suite, scenario: Scenario, policy: PolicyReference, trial: int, baseline: Baseline | None
) -> Case:
    """A scenario with its record, and why it cannot be compared, where that shows before any work."""
    from cellwright_train.regression.examination import Case

    record = None if baseline is None else baseline.records.get(scenario.name)
    measures = suite.measures(scenario)
    why = ""
    if record is None:
        why = "the baseline does not have it; --accept records it"
    elif record.env != scenario.env:
        why = f"the cell is {scenario.env}, that of the baseline was {record.env}"
    elif record.scenario != scenario.identity:
        why = "the scenario has other parts than it had; --accept records them"
    elif record.measures != tuple(measure.name for measure in measures):
        why = f"the baseline has the measures {', '.join(record.measures)}"
    elif len(record.parts) < suite.parts:
        why = f"the baseline has {len(record.parts)} parts, the suite asks for {suite.parts}"
    if record is not None:
        record = dataclasses.replace(record, parts=record.parts[: suite.parts])
    return Case(
        scenario=scenario,
        policy=policy.name,
        policy_sha256=policy.digest,
        trial=trial,
        record=record,
        measures=measures,
        not_comparable=why,
    )
