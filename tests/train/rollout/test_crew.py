"""Workers may be killed; what is finished is kept, and what was lost is done again."""

import dataclasses
import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from cellwright_train.errors import UsageError
from cellwright_train.rollout.cell import CellChoice, Episode, run_episode
from cellwright_train.rollout.crew import Crew, Task
from cellwright_train.rollout.policies import resolve_policy
from cellwright_train.rollout.trial import Trial

PEG = "cellwright/PegInsertion-v1"
PLAN = tuple(Episode(seed, "round-16-1") for seed in range(4))


@pytest.fixture
def trial() -> Trial:
    return Trial(policy=resolve_policy("oracle"), cell=CellChoice(env=PEG, disturbances="none"), plan=PLAN)


class Killing:
    """Works, but for the part of `seed`, at which the process is killed so many times."""

    def __init__(self, notes: Path, seed: int, times: int) -> None:
        self.notes, self.seed, self.times = notes, seed, times

    def __call__(self, env: Any, policy: Any, episode: Episode) -> Any:
        if episode.seed == self.seed and len(list(self.notes.iterdir())) < self.times:
            (self.notes / str(os.getpid())).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return run_episode(env, policy, episode)


def test_the_part_of_a_killed_worker_is_repeated(
    trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Crew(trial, 1) as crew:
        alone = dict(crew.work(run_episode, PLAN))
    with Crew(trial, 2) as crew:
        results = dict(crew.work(Killing(tmp_path, seed=1, times=1), PLAN))
    assert results == alone
    assert capsys.readouterr().err == "a worker was killed by SIGKILL; its part, seed 1, is begun anew\n"


def test_a_part_that_takes_every_worker_with_it_is_named_and_costs_no_other(
    trial: Trial, tmp_path: Path
) -> None:
    results = {}

    def work() -> None:
        with Crew(trial, 2) as crew:
            for index, result in crew.work(Killing(tmp_path, seed=3, times=9), PLAN):
                results[index] = result

    with pytest.raises(UsageError, match=r"3 workers in turn .* SIGKILL at seed 3; was memory short"):
        work()
    assert sorted(results) == [0, 1, 2]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_task_is_done_in_the_workplace_of_its_trial(trial: Trial, workers: int) -> None:
    other = dataclasses.replace(trial, policy=resolve_policy("blind-insertion"), truth=True)
    tasks = [Task(told, PLAN[0]), Task(told, PLAN[1], 1), Task(told, PLAN[2], 1), Task(told, PLAN[3])]
    with Crew((trial, other), workers) as crew:
        found = dict(crew.do(tasks))
    assert [found[index][0] for index in range(4)] == [
        "oracle",
        "blind-insertion",
        "blind-insertion",
        "oracle",
    ]
    assert [found[index][1] for index in range(4)] == [0, 1, 2, 3]
    assert all(found[index][2] for index in range(4))


def told(env: Any, policy: Any, episode: Episode) -> tuple[str, int, bool]:
    return policy.name, episode.seed, "privileged" in env.observation_space.spaces


class OddError(Exception):
    """Cannot be copied to another process."""

    def __init__(self, first: int, second: int) -> None:
        super().__init__("odd")


def fail(env: Any, policy: Any, episode: Episode) -> None:
    raise OddError(1, 2)


def test_an_error_that_cannot_travel_is_told_all_the_same(trial: Trial) -> None:
    with Crew(trial, 2) as crew, pytest.raises(RuntimeError, match=r"in fail(.|\n)*OddError: odd"):
        list(crew.work(fail, PLAN))


def test_a_worker_that_is_killed_while_it_starts_is_replaced(trial: Trial) -> None:
    """A policy of megabytes is handed over meanwhile, which must not wait for a process that is gone."""
    large = dataclasses.replace(trial, plan=tuple(Episode(seed, "round-16-1") for seed in range(200_000)))
    with Crew(large, 2) as crew:
        work = crew.work(run_episode, PLAN)
        threading.Timer(0.3, lambda: os.kill(crew._workers[0]._process.pid or 0, signal.SIGKILL)).start()
        assert sorted(index for index, _ in work) == [0, 1, 2, 3]
