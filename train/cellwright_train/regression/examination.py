"""The work of a regression: locate what changed, then weigh pairs until every scenario is decided."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from tqdm import tqdm

from cellwright_train.regression.baseline import Record, rounded
from cellwright_train.regression.decision import ScenarioDecision
from cellwright_train.regression.locating import Located, locate
from cellwright_train.regression.measure import Measure
from cellwright_train.regression.outcome import Outcome, Pair
from cellwright_train.regression.rule import Budget
from cellwright_train.regression.yardsticks import values
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import run_episode
from cellwright_train.rollout.crew import Crew, Task
from cellwright_train.scenarios.scenario import Scenario

_TURN = 16
"""Parts that are handed out at a time; a regression ends at most so many parts late."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One scenario with what its baseline recorded, and the candidate."""

    scenario: Scenario
    policy: str
    """Name of the candidate."""
    policy_sha256: str
    trial: int
    """Number of its trial in the crew."""
    record: Record | None
    measures: tuple[Measure, ...]
    not_comparable: str = ""
    """Why, where that is known before any work."""

    @property
    def replay(self) -> str:
        """The command that works on parts of it with the candidate, without the seed."""
        return f"cellwright evaluate {self.policy} --scenario {self.scenario.reference}"

    @property
    def other_policy(self) -> bool:
        """Whether the candidate is not what the baseline was recorded with."""
        return self.record is not None and self.record.policy_sha256 != self.policy_sha256


@dataclass
class _Weighing:
    """Pairs of one case, which are fed to its decision in the order of the plan."""

    case: Case
    located: Located
    decision: ScenarioDecision
    pairs: list[Pair] = field(default_factory=list)
    waiting: dict[int, EpisodeResult] = field(default_factory=dict)
    handed_out: int = 0
    """Parts up to which all are done or under way."""
    not_comparable: str = ""

    @property
    def record(self) -> Record:
        assert self.case.record is not None
        return self.case.record

    @property
    def decided(self) -> bool:
        return bool(self.not_comparable) or self.decision.verdict != "UNDERPOWERED"

    @property
    def exhausted(self) -> bool:
        return self.decided or self.handed_out == len(self.record.parts)

    def take(self, index: int, result: EpisodeResult) -> None:
        """A result, which waits until those before it are there."""
        self.waiting[index] = result
        while not self.decided and len(self.pairs) in self.waiting:
            self._pair(self.waiting.pop(len(self.pairs)))

    def _pair(self, result: EpisodeResult) -> None:
        part = self.record.parts[len(self.pairs)]
        if result.conditions != part.conditions:
            self.not_comparable = (
                f"seed {result.seed} meets other conditions now ({result.conditions}, were {part.conditions})"
            )
            return
        if result.graded_by != self.record.graded_by:
            self.not_comparable = f"graded by {result.graded_by}, the baseline by {self.record.graded_by}"
            return
        now = values(result, self.case.measures)
        then = dict(zip(self.record.measures, part.values, strict=True))
        pair = Pair(
            seed=result.seed,
            product=result.product,
            good=(part.good, result.good),
            values={name: (then[name], rounded(now[name])) for name in now},
        )
        self.pairs.append(pair)
        self.decision.add(pair.values, success=pair.good)

    def outcome(self) -> Outcome:
        verdict = "NOT COMPARABLE" if self.not_comparable else self.decision.verdict
        return Outcome(
            scenario=self.case.scenario.name,
            verdict=verdict,
            policy=self.case.policy,
            other_policy=self.case.other_policy,
            replay=self.case.replay,
            differences=self.located.differences,
            not_comparable=self.not_comparable,
            judgement=self.decision.judgement() if self.pairs else None,
            pairs=tuple(self.pairs),
            needed=self.decision.forecast().pairs if verdict == "UNDERPOWERED" else None,
        )


def examine(
    crew: Crew,
    cases: Sequence[Case],
    *,
    budget: Budget,
    success_margin: float,
    live: int,
    seconds: float,
    finished: Mapping[tuple[str, int], EpisodeResult],
    note: Callable[[str, int, EpisodeResult], None],
    progress: bool = True,
) -> list[Outcome]:
    """The outcome of every case, in order.

    Locating comes first. A scenario in which nothing differs is UNCHANGED, once `live` parts of it also come
    to what the baseline recorded. The others are weighed in turns, for as long as `seconds` last: those with
    the fewest pairs first, so that what is left goes to the undecided. `finished` are results that are there
    already, by scenario and number of the part; `note` gets every new one.
    """
    located = _located(crew, cases, progress)
    weighings = {
        case.scenario.name: _Weighing(
            case=case,
            located=located[case.scenario.name],
            decision=ScenarioDecision(case.measures, success_margin=success_margin, budget=budget),
        )
        for case in cases
        if case.scenario.name in located and not located[case.scenario.name].not_comparable
    }
    for (name, index), result in sorted(finished.items()):
        if name in weighings and index < len(weighings[name].record.parts):
            weighings[name].take(index, result)
    changed = {
        name: weighing
        for name, weighing in weighings.items()
        if not weighing.located.unchanged or not _as_recorded(crew, weighing, live, note)
    }
    _weigh(crew, list(changed.values()), time.monotonic() + seconds, note, progress)
    return [_outcome(case, located.get(case.scenario.name), changed) for case in cases]


def _located(crew: Crew, cases: Sequence[Case], progress: bool) -> dict[str, Located]:
    asked = [case for case in cases if case.record is not None and not case.not_comparable]
    tasks = [
        Task(partial(locate, tape=case.record.tape), case.scenario.plan(1)[0], case.trial)
        for case in asked
        if case.record is not None
    ]
    with tqdm(total=len(tasks), desc="locate", unit="part", disable=not progress, leave=False) as bar:
        found = {}
        for index, result in crew.do(tasks):
            found[asked[index].scenario.name] = result
            bar.update()
    return found


def _as_recorded(
    crew: Crew, weighing: _Weighing, live: int, note: Callable[[str, int, EpisodeResult], None]
) -> bool:
    """Whether the first `live` parts come to what the baseline recorded, to the last of its digits."""
    name, parts = weighing.case.scenario.name, min(live, len(weighing.record.parts))
    plan = weighing.case.scenario.plan(parts)
    missing = [i for i in range(len(weighing.pairs), parts) if i not in weighing.waiting]
    for number, result in crew.do([Task(run_episode, plan[i], weighing.case.trial) for i in missing]):
        note(name, missing[number], result)
        weighing.take(missing[number], result)
    weighing.handed_out = parts
    return not weighing.not_comparable and all(
        pair.good[0] == pair.good[1] and all(then == now for then, now in pair.values.values())
        for pair in weighing.pairs
    )


def _weigh(
    crew: Crew,
    weighings: Sequence[_Weighing],
    end_s: float,
    note: Callable[[str, int, EpisodeResult], None],
    progress: bool,
) -> None:
    with tqdm(desc="weigh", unit="pair", disable=not progress, leave=False) as bar:
        while time.monotonic() < end_s and (given := _next(weighings)):
            tasks = [
                Task(run_episode, weighing.case.scenario.plan(index + 1)[index], weighing.case.trial)
                for weighing, index in given
            ]
            for number, result in crew.do(tasks):
                weighing, index = given[number]
                note(weighing.case.scenario.name, index, result)
                weighing.take(index, result)
                bar.update()
            left = sum(not each.decided for each in weighings)
            bar.set_postfix_str(f"{left} undecided", refresh=False)


def _next(weighings: Sequence[_Weighing]) -> list[tuple[_Weighing, int]]:
    """The next parts of those undecided, of the one with the fewest first."""
    given: list[tuple[_Weighing, int]] = []
    while len(given) < _TURN and (open_ones := [each for each in weighings if not each.exhausted]):
        weighing = min(open_ones, key=lambda each: each.handed_out)
        index, weighing.handed_out = weighing.handed_out, weighing.handed_out + 1
        if index >= len(weighing.pairs) and index not in weighing.waiting:
            given.append((weighing, index))
    return given


def _outcome(case: Case, located: Located | None, weighings: Mapping[str, _Weighing]) -> Outcome:
    name = case.scenario.name
    if name in weighings:
        return weighings[name].outcome()
    reason = case.not_comparable or (located.not_comparable if located else "")
    return Outcome(
        scenario=name,
        verdict="NOT COMPARABLE" if reason else "UNCHANGED",
        policy=case.policy,
        other_policy=case.other_policy,
        differences=located.differences if located else (),
        not_comparable=reason,
    )
