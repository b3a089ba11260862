"""Recording a baseline: every part's result, and the tape of each scenario's first part."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tqdm import tqdm

from cellwright_train.regression.baseline import Part, Record, rounded
from cellwright_train.regression.examination import Case
from cellwright_train.regression.tape import Tape, record_tape
from cellwright_train.regression.yardsticks import values
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import run_episode
from cellwright_train.rollout.crew import Crew, Task
from cellwright_train.rollout.policies import PolicyReference

PROBES = 3
"""Stored observations of a scenario, for a policy that remembers nothing between steps."""


def record(
    crew: Crew,
    cases: Sequence[tuple[Case, PolicyReference]],
    *,
    parts: int,
    finished: Mapping[tuple[str, int], EpisodeResult],
    note: Callable[[str, int, EpisodeResult], None],
    progress: bool = True,
) -> dict[str, Record]:
    """The record of every case with so many `parts`; `finished` and `note` as in `examine`."""
    tapes: dict[str, Tape] = {}
    results = dict(finished)
    tasks, places = [], []
    for case, policy in cases:
        name, plan = case.scenario.name, case.scenario.plan(parts)
        # Experts remember, so that one observation alone says nothing about them.
        taping = partial(record_tape, probes=0 if policy.kind == "expert" else PROBES)
        tasks.append(Task(taping, plan[0], case.trial))
        places.append((name, 0))
        missing = [index for index in range(1, parts) if (name, index) not in results]
        tasks += [Task(run_episode, plan[index], case.trial) for index in missing]
        places += [(name, index) for index in missing]
    with tqdm(total=len(tasks), desc="record", unit="part", disable=not progress, leave=False) as bar:
        for number, found in crew.do(tasks):
            name, index = places[number]
            if index == 0:
                tapes[name], result = found
            else:
                result = found
            results[name, index] = result
            note(name, index, result)
            bar.update()
    return {
        case.scenario.name: _record(case, policy, tapes[case.scenario.name], results, parts)
        for case, policy in cases
    }


def _record(
    case: Case,
    policy: PolicyReference,
    tape: Tape,
    results: Mapping[tuple[str, int], EpisodeResult],
    parts: int,
) -> Record:
    mine = [results[case.scenario.name, index] for index in range(parts)]
    measures = tuple(measure.name for measure in case.measures)
    told = [values(result, case.measures) for result in mine]
    return Record(
        env=case.scenario.env,
        policy=policy.name,
        policy_sha256=policy.digest,
        scenario=case.scenario.identity,
        graded_by=mine[0].graded_by,
        measures=measures,
        parts=tuple(
            Part(
                conditions=result.conditions,
                good=result.good,
                values=tuple(rounded(row[name]) for name in measures),
            )
            for result, row in zip(mine, told, strict=True)
        ),
        tape=tape,
    )
