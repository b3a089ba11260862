"""The processes that work on the parts of trials: this one, or workers that may be killed."""

from __future__ import annotations

import contextlib
import pickle
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any, NamedTuple, Self, TypeVar

import gymnasium

from cellwright_envs.vector.processes import CONTEXT, end_with_parent, plain_child_environment
from cellwright_train.errors import UsageError
from cellwright_train.rollout.cell import Episode, EpisodePolicy
from cellwright_train.rollout.trial import Trial

Result = TypeVar("Result")
Job = Callable[[gymnasium.Env[Any, Any], EpisodePolicy, Episode], Result]
"""What is done with one part, such as `run_episode`."""

_MOST_TRIES = 3
"""Workers that one part may take down with them before it is taken for the reason."""
_JOIN_TIMEOUT_S = 5.0


class Task(NamedTuple):
    """A part, and what is done with it."""

    job: Job[Any]
    episode: Episode
    trial: int = 0
    """Number of the trial in whose workplace it is done."""


class Crew:
    """Works on parts of trials with up to `workers` processes; with one it is this process that works.

    A process opens the workplace of a trial when it first has a part of it, and keeps it.
    """

    def __init__(self, trials: Trial | Sequence[Trial], workers: int) -> None:
        self._trials = (trials,) if isinstance(trials, Trial) else tuple(trials)
        self._most = workers
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._close_own()

    def work(self, job: Job[Result], plan: Sequence[Episode]) -> Iterator[tuple[int, Result]]:
        """Do `job` for every part of `plan` in the first trial; otherwise as `do`."""
        return self.do([Task(job, episode) for episode in plan])

    def do(self, tasks: Sequence[Task]) -> Iterator[tuple[int, Any]]:
        """Do every task, yielding its index and result as soon as it is done.

        A worker that dies is replaced and its part repeated. Raises what a job raises, and `UsageError` where
        one part takes worker after worker with it.
        """
        if min(self._most, len(tasks)) < 2 and not self._workers:
            for number, task in enumerate(tasks):
                yield number, task.job(*self._trials[task.trial].workplace, task.episode)
            return
        self._close_own()  # the workers open their own
        waiting, tries = deque(range(len(tasks))), [0] * len(tasks)
        while waiting or any(worker.busy_with is not None for worker in self._workers):
            self._hand_out(tasks, waiting)
            for worker in self._ready():
                index = worker.busy_with
                assert index is not None
                try:
                    result = worker.answer()
                except _WorkerDiedError as death:
                    self._workers.remove(worker)
                    tries[index] += 1
                    seed = tasks[index].episode.seed
                    if tries[index] == _MOST_TRIES:
                        raise UsageError(
                            f"{_MOST_TRIES} workers in turn {death} at seed {seed}; was memory short?"
                        ) from None
                    print(f"a worker {death}; its part, seed {seed}, is begun anew", file=sys.stderr)
                    waiting.appendleft(index)
                else:
                    yield index, result

    def _close_own(self) -> None:
        for trial in self._trials:
            trial.close()

    def _hand_out(self, tasks: Sequence[Task], waiting: deque[int]) -> None:
        idle = [worker for worker in self._workers if worker.busy_with is None]
        while waiting and (idle or len(self._workers) < self._most):
            if not idle:
                idle.append(_Worker(self._trials))
                self._workers.append(idle[-1])
            index = waiting.popleft()
            idle.pop().begin(index, tasks[index])

    def _ready(self) -> list[_Worker]:
        busy = {worker.pipe: worker for worker in self._workers if worker.busy_with is not None}
        return [busy[pipe] for pipe in connection.wait(list(busy)) if isinstance(pipe, Connection)]


class _WorkerDiedError(Exception):
    """The message says how."""


class _Worker:
    """A process that does one task after the other."""

    def __init__(self, trials: tuple[Trial, ...]) -> None:
        self.pipe, theirs = CONTEXT.Pipe()
        lifeline, self._lifeline = CONTEXT.Pipe(duplex=False)
        self.busy_with: int | None = None
        """Index of its part."""
        self._unsent: list[Any] = [trials]
        self._sender = threading.Thread()
        # The trials are no arguments: Python writes these into a pipe whose other end it holds open itself,
        # and would wait for ever for a process that is killed before it has read them.
        self._process = CONTEXT.Process(target=_run_worker, args=(theirs, lifeline), daemon=True)
        with plain_child_environment():
            self._process.start()
        theirs.close()
        lifeline.close()

    def begin(self, index: int, task: Task) -> None:
        """Send it a task, without waiting for it to be read; that it is gone shows when it answers."""
        self.busy_with = index
        self._unsent.append(task)
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._sender.start()

    def answer(self) -> Any:
        """Its result; raises what the job raised, or `_WorkerDiedError`."""
        try:
            succeeded, data = self.pipe.recv()
        except (EOFError, OSError):
            self.end()
            raise _WorkerDiedError(self._death) from None
        self.busy_with = None
        if not succeeded:
            raise _loaded(data)
        return data

    def end(self) -> None:
        """Kill it, in the middle of a part if need be."""
        if self.busy_with is not None:
            self._process.kill()
        if self._sender.ident is not None:
            self._sender.join()
        self.pipe.close()
        self._process.join(_JOIN_TIMEOUT_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        code = self._process.exitcode or 0
        self._death = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        self._process.close()
        self._lifeline.close()

    def _send(self) -> None:
        with contextlib.suppress(OSError):
            while self._unsent:
                self.pipe.send(self._unsent.pop(0))


def _run_worker(pipe: Connection, lifeline: Connection) -> None:
    """Do tasks until the pipe closes."""
    end_with_parent(lifeline)
    with contextlib.suppress(EOFError, OSError):
        trials: tuple[Trial, ...] = pipe.recv()
        while True:
            job, episode, number = pipe.recv()
            try:
                answer: tuple[bool, Any] = (True, job(*trials[number].workplace, episode))
            except Exception as error:
                answer = (False, _dumped(error))
            pipe.send(answer)


def _dumped(error: Exception) -> bytes:
    """The exception for another process, with where it came from."""
    error.add_note(traceback.format_exc())
    try:
        data = pickle.dumps(error)
        pickle.loads(data)
    except Exception:  # a class of another library may raise anything when it is copied
        return pickle.dumps(RuntimeError(traceback.format_exc()))
    return data


def _loaded(data: bytes) -> Exception:
    error = pickle.loads(data)
    assert isinstance(error, Exception)
    return error
