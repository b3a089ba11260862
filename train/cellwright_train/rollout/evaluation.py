"""Work on all parts of a trial, and their summary."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from tqdm import tqdm

from cellwright_train.results.result import EpisodeResult, Evaluation
from cellwright_train.rollout.cell import run_episode
from cellwright_train.rollout.crew import Crew, Job
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.recording import PartRecord, record_part
from cellwright_train.rollout.trial import Trial

Result = TypeVar("Result")


def evaluate(trial: Trial, *, workers: int = 2, progress: bool = True) -> Evaluation[Any]:
    """Work through every part of `trial`; the result does not depend on the number of workers."""
    with Crew(trial, workers) as crew:
        return summary(trial, work_through(crew, trial, run_episode, progress=progress))


def record(trial: Trial, *, workers: int = 2, progress: bool = True) -> list[PartRecord[Any]]:
    """Work through every part of `trial`, whose cell keeps traces, and return what happened."""
    with Crew(trial, workers) as crew:
        return work_through(crew, trial, record_part, progress=progress)


def summary(trial: Trial, results: Sequence[EpisodeResult]) -> Evaluation[Any]:
    """Summary of the results of a policy."""
    kind = family_of(trial.cell.env).evaluation
    return kind(policy=trial.policy.name, env=trial.cell.env, seed=trial.plan[0].seed, results=tuple(results))


def work_through(
    crew: Crew,
    trial: Trial,
    job: Job[Result],
    *,
    progress: bool = True,
    done: Mapping[int, Result] | None = None,
    on_result: Callable[[int, Result], None] | None = None,
) -> list[Result]:
    """Do `job` for every part of the plan but those that are `done`, and return all results in its order.

    `on_result` gets the index of each part and its result as soon as it is there.
    """
    results = dict(done or {})
    left = [index for index in range(len(trial.plan)) if index not in results]
    with tqdm(
        total=len(trial.plan),
        initial=len(results),
        desc=trial.policy.name,
        unit="part",
        disable=not progress,
        leave=False,
    ) as bar:
        for position, result in crew.work(job, [trial.plan[index] for index in left]):
            index = left[position]
            results[index] = result
            if on_result is not None:
                on_result(index, result)
            bar.update()
    return [results[index] for index in range(len(trial.plan))]
