"""The processes that work on the parts of a trial: this one, or workers that may be killed."""

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
from typing import Any, Self, TypeVar

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


class Crew:
    """Works on parts of a trial with up to `workers` processes; with one it is this process that works."""

    def __init__(self, trial: Trial, workers: int) -> None:
        self._trial = trial
        self._most = workers
        self._workers: list[_Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.end()
        self._workers.clear()
        self._trial.close()

    def work(self, job: Job[Result], plan: Sequence[Episode]) -> Iterator[tuple[int, Result]]:
        """Do `job` for every part of `plan`, yielding its index and result as soon as it is done.

        A worker that dies is replaced and its part repeated. Raises what `job` raises, and `UsageError` where
        one part takes worker after worker with it.
        """
        if min(self._most, len(plan)) < 2 and not self._workers:
            yield from ((index, job(*self._trial.workplace, episode)) for index, episode in enumerate(plan))
            return
        self._trial.close()  # the workers open their own
        waiting, tries = deque(range(len(plan))), [0] * len(plan)
        while waiting or any(worker.busy_with is not None for worker in self._workers):
            self._hand_out(job, plan, waiting)
            for worker in self._ready():
                index = worker.busy_with
                assert index is not None
                try:
                    result = worker.answer()
                except _WorkerDiedError as death:
                    self._workers.remove(worker)
                    tries[index] += 1
                    seed = plan[index].seed
                    if tries[index] == _MOST_TRIES:
                        raise UsageError(
                            f"{_MOST_TRIES} workers in turn {death} at seed {seed}; was memory short?"
                        ) from None
                    print(f"a worker {death}; its part, seed {seed}, is begun anew", file=sys.stderr)
                    waiting.appendleft(index)
                else:
                    yield index, result

    def _hand_out(self, job: Job[Any], plan: Sequence[Episode], waiting: deque[int]) -> None:
        idle = [worker for worker in self._workers if worker.busy_with is None]
        while waiting and (idle or len(self._workers) < self._most):
            if not idle:
                idle.append(_Worker(self._trial))
                self._workers.append(idle[-1])
            index = waiting.popleft()
            idle.pop().begin(index, job, plan[index])

    def _ready(self) -> list[_Worker]:
        busy = {worker.pipe: worker for worker in self._workers if worker.busy_with is not None}
        return [busy[pipe] for pipe in connection.wait(list(busy)) if isinstance(pipe, Connection)]


class _WorkerDiedError(Exception):
    """The message says how."""


class _Worker:
    """A process that opens the trial's workplace and does one job after the other."""

    def __init__(self, trial: Trial) -> None:
        self.pipe, theirs = CONTEXT.Pipe()
        lifeline, self._lifeline = CONTEXT.Pipe(duplex=False)
        self.busy_with: int | None = None
        """Index of its part."""
        self._unsent: list[Any] = [trial]
        self._sender = threading.Thread()
        # The trial is not among the arguments: Python writes these into a pipe whose other end it holds open
        # itself, and would wait for ever for a process that is killed before it has read them.
        self._process = CONTEXT.Process(target=_run_worker, args=(theirs, lifeline), daemon=True)
        with plain_child_environment():
            self._process.start()
        theirs.close()
        lifeline.close()

    def begin(self, index: int, job: Job[Any], episode: Episode) -> None:
        """Send it a job, without waiting for it to be read; that it is gone shows when it answers."""
        self.busy_with = index
        self._unsent.append((job, episode))
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
    """Do jobs until the pipe closes."""
    end_with_parent(lifeline)
    with contextlib.suppress(EOFError, OSError):
        trial: Trial = pipe.recv()
        while True:
            job, episode = pipe.recv()
            try:
                answer: tuple[bool, Any] = (True, job(*trial.workplace, episode))
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
