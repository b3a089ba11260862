"""Working through many seeds with one policy, on several processes."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import cached_property
from typing import Any, TypeVar

import gymnasium
from tqdm import tqdm

from cellwright_train.errors import UsageError
from cellwright_train.results.result import EpisodeResult, Evaluation
from cellwright_train.rollout.cell import CellChoice, Episode, EpisodePolicy, run_episode
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.policies import PolicyReference
from cellwright_train.rollout.recording import PartRecord, record_part

Result = TypeVar("Result")


def episode_plan(
    seed: int, episodes: int, products: Sequence[str], line_change: str | None = None
) -> tuple[Episode, ...]:
    """Seeds from `seed` up, each with the next product of the list; raises `UsageError` for no episodes."""
    if episodes < 1:
        raise UsageError(f"--episodes must be at least 1, got {episodes}")
    if seed < 0:
        raise UsageError(f"--seed must be 0 or more, got {seed}")
    return tuple(
        Episode(seed + i, products[i % len(products)] if products else None, line_change)
        for i in range(episodes)
    )


def evaluate(
    reference: PolicyReference,
    choice: CellChoice,
    plan: Sequence[Episode],
    *,
    workers: int = 2,
    progress: bool = True,
) -> Evaluation[Any]:
    """Work through every episode of `plan`; the result does not depend on the number of workers."""
    results = run_plan(reference, choice, plan, run_episode, workers=workers, progress=progress)
    return summary(reference, choice, results)


def summary(
    reference: PolicyReference, choice: CellChoice, results: Sequence[EpisodeResult]
) -> Evaluation[Any]:
    """What the results of a policy add up to."""
    kind = family_of(choice.env).evaluation
    return kind(policy=reference.name, env=choice.env, seed=results[0].seed, results=tuple(results))


def record(
    reference: PolicyReference,
    choice: CellChoice,
    plan: Sequence[Episode],
    *,
    workers: int = 2,
    progress: bool = True,
) -> list[PartRecord[Any]]:
    """Work through every episode of `plan` and keep the traces."""
    return run_plan(reference, choice, plan, record_part, trace=True, workers=workers, progress=progress)


Job = Callable[[gymnasium.Env[Any, Any], EpisodePolicy, Episode], Result]


def run_plan(
    reference: PolicyReference,
    choice: CellChoice,
    plan: Sequence[Episode],
    job: Job[Result],
    *,
    trace: bool = False,
    workers: int = 2,
    progress: bool = True,
) -> list[Result]:
    """Do `job` for every episode of `plan`, in its order, on `workers` processes."""
    results: dict[int, Result] = {}
    cell = _Cell(reference, choice, trace)
    count = min(workers, len(plan))
    source = _in_process(cell, plan, job) if count < 2 else _in_workers(cell, plan, job, count)
    with tqdm(total=len(plan), desc=reference.name, unit="part", disable=not progress, leave=False) as bar:
        for index, result in source:
            results[index] = result
            bar.update()
    return [results[index] for index in range(len(plan))]


class _Cell:
    """A policy in its environment, made in the process that uses it."""

    def __init__(self, reference: PolicyReference, choice: CellChoice, trace: bool) -> None:
        self.reference, self.choice, self.trace = reference, choice, trace

    @cached_property
    def opened(self) -> tuple[gymnasium.Env[Any, Any], EpisodePolicy]:
        """Environment and policy."""
        return self.reference.open(self.choice, trace=self.trace)


def _in_process(cell: _Cell, plan: Sequence[Episode], job: Job[Result]) -> Iterator[tuple[int, Result]]:
    env, policy = cell.opened
    try:
        for index, episode in enumerate(plan):
            yield index, job(env, policy, episode)
    finally:
        env.close()


def _in_workers(
    cell: _Cell, plan: Sequence[Episode], job: Job[Result], count: int
) -> Iterator[tuple[int, Result]]:
    # spawn: a forked child would inherit the locks of torch's and numba's threads
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, context, initializer=_begin_worker, initargs=(cell,)) as pool:
        waiting: dict[Future[Result], int] = {
            pool.submit(_do, job, episode): index for index, episode in enumerate(plan)
        }
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BrokenProcessPool as error:
            raise RuntimeError("an evaluation worker was killed, out of memory perhaps") from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


_cells: list[_Cell] = []  # a worker's only one; opened by its first job, whose error then reaches the caller


def _begin_worker(cell: _Cell) -> None:
    _cells.append(cell)


def _do(job: Job[Result], episode: Episode) -> Result:
    return job(*_cells[0].opened, episode)
