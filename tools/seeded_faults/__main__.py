"""`python -m tools.seeded_faults peg-insertion`: thirty faults, located and weighed.

The shipped policy works on parts of the scenario "as trained", once as it is and once with each fault. One
part is located. Then pairs are drawn from all parts again and again, and decided as `cellwright regress`
decides them. Parts that are finished are kept beside the results; the same command goes on with them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium
from tqdm import tqdm

from cellwright_train.errors import UsageError
from cellwright_train.outputs import reserved
from cellwright_train.regression.locating import locate
from cellwright_train.regression.tape import record_tape
from cellwright_train.regression.yardsticks import MEASURES
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import CellChoice, Episode, EpisodePolicy, run_episode
from cellwright_train.rollout.crew import Crew, Task
from cellwright_train.rollout.families import cell_class, family_of
from cellwright_train.rollout.journal import Journal, part_key
from cellwright_train.rollout.policies import resolve_policy
from cellwright_train.rollout.trial import Trial
from cellwright_train.scenarios.catalogue import scenario, scenario_names
from cellwright_train.scenarios.scenario import Scenario
from tools.seeded_faults.faults import FAULTS, PEG, WELD, Fault, is_right
from tools.seeded_faults.weighing import EARLY, Pairs, weighed

SCENARIOS = {WELD: "weld-as-trained", PEG: "peg-as-trained"}
NONE = ""


@dataclass(frozen=True)
class Worked:
    """A part with the fault of this name, or with none."""

    fault: str

    def __call__(
        self, env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode
    ) -> EpisodeResult:
        """The result of the part."""
        if self.fault == NONE:
            return run_episode(env, policy, episode)
        with named(self.fault).planted(env, policy) as (faulty, other):
            return run_episode(faulty, other, episode)


def named(name: str) -> Fault:
    """The fault of this name."""
    return next(fault for fault in FAULTS if fault.name == name)


def located(fault: Fault, trial: Trial) -> list[str]:
    """What `cellwright regress` finds in the first part, as kind and group."""
    env, policy = trial.workplace
    tape, _ = record_tape(env, policy, trial.plan[0], probes=3)
    with fault.planted(env, policy) as (faulty, other):
        found = locate(faulty, other, trial.plan[0], tape=tape)
    return [f"{each.kind} {each.group}".strip() for each in found.differences]


@contextlib.contextmanager
def worked(
    trial: Trial, faults: Sequence[str], file: Path | None, workers: int
) -> Iterator[dict[str, list[EpisodeResult]]]:
    """By fault, the results of all parts; what is kept beside `file` goes when the context ends well."""
    kind = family_of(trial.cell.env).result
    parts = [(fault, episode) for fault in faults for episode in trial.plan]
    keys = [(f"{fault}|{part_key(episode)}", kind) for fault, episode in parts]
    with Journal(file, {**trial.identity, "env": trial.cell.env}, keys) as journal:
        found = dict(journal.finished)
        left = [index for index in range(len(parts)) if index not in found]
        tasks = [Task(Worked(parts[index][0]), parts[index][1]) for index in left]
        with Crew(trial, workers) as crew:
            for number, result in tqdm(crew.do(tasks), total=len(tasks), unit="part", disable=None):
                journal.note(left[number], result)
                found[left[number]] = result
        size = len(trial.plan)
        yield {
            fault: [found[index] for index in range(number * size, (number + 1) * size)]
            for number, fault in enumerate(faults)
        }
        journal.discard()


def main() -> int:
    """The command; exit code 1 where a fault is not located rightly."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=SCENARIOS)
    parser.add_argument("--parts", type=int, default=400)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    setting = scenario(SCENARIOS[given.task])
    assert isinstance(setting, Scenario)
    trial = Trial(
        policy=resolve_policy(f"zoo:{given.task}"),
        cell=CellChoice(env=setting.env, products=setting.products),
        plan=setting.plan(given.parts),
        truth=True,
    )
    faults = [fault for fault in FAULTS if fault.task == given.task]
    places = {fault.name: located(fault, trial) for fault in faults}
    of_one_cell = [name for name in scenario_names() if isinstance(scenario(name), Scenario)]
    measures = MEASURES[cell_class(setting.env).family]
    with (
        worked(trial, [NONE, *places], given.json, given.workers) as results,
        reserved(given.json) as (file,),
    ):
        told: dict[str, Any] = {
            "task": given.task,
            "policy": trial.policy.name,
            "policy_sha256": trial.policy.digest,
            "scenario": setting.name,
            "identity": setting.identity,
            "scenarios": len(of_one_cell),
            "early": EARLY,
            "faults": {
                fault.name: {
                    "kind": fault.kind,
                    "located": places[fault.name],
                    "rightly": is_right(fault, places[fault.name]),
                    **weighed(
                        Pairs.of(measures, results[NONE], results[fault.name]),
                        scenarios=len(of_one_cell),
                        repeats=given.repeats,
                        seed=given.seed,
                    ),
                }
                for fault in faults
            },
        }
        if file is not None:
            file.write((json.dumps(told, indent=1) + "\n").encode())
    print(json.dumps(told, indent=1))
    return int(not all(each["rightly"] for each in told["faults"].values()))


if __name__ == "__main__":
    # Workers look for what they are given where it can be imported.
    from tools.seeded_faults import __main__ as command

    try:
        sys.exit(command.main())
    except UsageError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
