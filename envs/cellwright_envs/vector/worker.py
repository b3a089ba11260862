"""The worker side of the pool: steps several cells and writes what they see to shared memory."""

from __future__ import annotations

import contextlib
import pickle
import signal
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from cellwright_envs.vector.processes import end_with_parent

STEP = b"s"
"""The one-byte command that steps every cell of a worker with the actions in shared memory."""
CALL = b"c"
"""First byte of a command that carries a pickled `(name, arguments)`."""
OK = b"o"
"""First byte of an answer that carries a pickled result."""
FAILED = b"f"
"""First byte of an answer that carries the traceback of a worker that is about to end."""

EnvFactory = Callable[[], gym.Env]


@dataclass(frozen=True, kw_only=True)
class SharedArray:
    """An array over anonymous shared memory, of which each process makes its own view.

    The memory has no name in the file system: it goes when the last process that maps it ends, even
    one that is killed.
    """

    memory: Any
    """`multiprocessing.RawArray` of bytes."""
    shape: tuple[int, ...]
    dtype: str

    def view(self) -> NDArray[Any]:
        """Return the array, backed by the shared memory."""
        count = int(np.prod(self.shape))
        return np.frombuffer(self.memory, dtype=self.dtype, count=count).reshape(self.shape)


@dataclass(frozen=True, kw_only=True)
class SharedArrays:
    """What travels between the trainer and its workers at every step; first axis is the cell."""

    observations: dict[str, SharedArray]
    actions: SharedArray
    rewards: SharedArray
    terminations: SharedArray
    truncations: SharedArray


@dataclass(frozen=True, kw_only=True)
class EndedEpisode:
    """What is known of an episode only at its end; its cell stands at the start of the next one already."""

    observation: dict[str, NDArray[Any]]
    """The last one."""
    total_reward: float
    steps: int
    reset_info: dict[str, Any]
    """`info` of the reset that followed."""


@dataclass(frozen=True, kw_only=True)
class MissingAttribute:
    """The answer for an attribute that a cell does not have: asking for one is no failure of the worker."""

    message: str


@dataclass(frozen=True, kw_only=True)
class WorkerTask:
    """What one worker process is given at its start."""

    env_factories: bytes
    """Its cells' factories, pickled by value."""
    first_cell: int
    """Index of its first cell in the shared arrays."""
    lifeline: Connection
    """Closes when the trainer is gone."""


class CellWorker:
    """Several cells in one process, stepped together."""

    def __init__(self, cells: Sequence[gym.Env], first_cell: int, shared: SharedArrays) -> None:
        self._cells = cells
        rows = slice(first_cell, first_cell + len(cells))
        self._observations = {key: array.view()[rows] for key, array in shared.observations.items()}
        self._actions = shared.actions.view()[rows]
        self._rewards = shared.rewards.view()[rows]
        self._terminations = shared.terminations.view()[rows]
        self._truncations = shared.truncations.view()[rows]
        self._returns = np.zeros(len(cells))
        self._lengths = np.zeros(len(cells), dtype=np.int64)
        self._limits: list[int | None] = [None] * len(cells)

    def step(self) -> tuple[list[dict[str, Any]], dict[int, EndedEpisode]]:
        """Step every cell once, reset those whose episode ended, and return infos and ended episodes."""
        infos: list[dict[str, Any]] = []
        ended: dict[int, EndedEpisode] = {}
        for index, cell in enumerate(self._cells):
            observation, reward, terminated, truncated, info = cell.step(self._actions[index].copy())
            self._returns[index] += float(reward)
            self._lengths[index] += 1
            limit = self._limits[index]
            truncated = truncated or (limit is not None and bool(self._lengths[index] >= limit))
            if terminated or truncated:
                observation, ended[index] = self._start_anew(index, observation)
            self._write(index, observation)
            self._rewards[index] = reward
            self._terminations[index] = terminated
            self._truncations[index] = truncated
            infos.append(info)
        return infos, ended

    def reset(
        self, seeds: Sequence[int | None], options: Sequence[dict[str, Any] | None]
    ) -> list[dict[str, Any]]:
        """Reset every cell and return the infos."""
        self._returns[:] = 0.0
        self._lengths[:] = 0
        infos = []
        for index, (cell, seed, option) in enumerate(zip(self._cells, seeds, options, strict=True)):
            observation, info = cell.reset(seed=seed, options=option)
            self._write(index, observation)
            infos.append(info)
        return infos

    def get_attr(self, name: str, indices: Sequence[int]) -> list[Any]:
        """Read an attribute of the cells at `indices`, through their wrappers."""
        try:
            return [self._cells[index].get_wrapper_attr(name) for index in indices]
        except AttributeError as error:
            return [MissingAttribute(message=str(error))] * len(indices)

    def set_attr(self, name: str, value: Any, indices: Sequence[int]) -> None:
        """Write an attribute where it is defined: on a wrapper or on the environment itself."""
        for index in indices:
            self._cells[index].set_wrapper_attr(name, value)

    def limit_episodes(self, steps: int | None, indices: Sequence[int]) -> None:
        """Cut episodes of the cells at `indices` off after `steps`; None leaves them their own end."""
        for index in indices:
            self._limits[index] = steps

    def call(
        self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], indices: Sequence[int]
    ) -> list[Any]:
        """Call a method of the cells at `indices`, through their wrappers."""
        return [self._cells[index].get_wrapper_attr(name)(*args, **kwargs) for index in indices]

    def is_wrapped(self, wrapper: type[gym.Wrapper], indices: Sequence[int]) -> list[bool]:
        """Say for each of the cells at `indices` whether `wrapper` is among its wrappers."""
        return [_is_wrapped(self._cells[index], wrapper) for index in indices]

    def _write(self, index: int, observation: dict[str, Any]) -> None:
        for key, rows in self._observations.items():
            rows[index] = observation[key]

    def _start_anew(self, index: int, observation: dict[str, Any]) -> tuple[dict[str, Any], EndedEpisode]:
        """Reset a cell whose last observation was `observation`; return its first one and what ended."""
        last = {key: np.array(value) for key, value in observation.items()}
        first, info = self._cells[index].reset()
        ended = EndedEpisode(
            observation=last,
            total_reward=float(self._returns[index]),
            steps=int(self._lengths[index]),
            reset_info=info,
        )
        self._returns[index] = 0.0
        self._lengths[index] = 0
        return first, ended


def run_worker(pipe: Connection, task: WorkerTask, shared: SharedArrays) -> None:
    """Serve commands until the pipe closes; a failure is reported by traceback and ends the worker."""
    # Ctrl-C reaches the whole process group. The trainer decides what to do; closing the pipe ends a worker.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent(task.lifeline)
    cells: list[gym.Env] = []
    try:
        cells.extend(factory() for factory in cloudpickle.loads(task.env_factories))
        worker = CellWorker(cells, task.first_cell, shared)
        pipe.send_bytes(OK + pickle.dumps(None))
        while True:
            command = pipe.recv_bytes()
            if command == STEP:
                result: Any = worker.step()
            else:
                name, args = cloudpickle.loads(command[1:])
                result = getattr(worker, name)(*args)
            pipe.send_bytes(OK + pickle.dumps(result, protocol=pickle.HIGHEST_PROTOCOL))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the trainer closed the vector environment, or is gone
    except Exception:
        _report_failure(pipe)
    finally:
        for cell in cells:
            cell.close()
        pipe.close()


def _report_failure(pipe: Connection) -> None:
    with contextlib.suppress(OSError):
        pipe.send_bytes(FAILED + traceback.format_exc().encode())


def _is_wrapped(env: gym.Env, wrapper: type[gym.Wrapper]) -> bool:
    while isinstance(env, gym.Wrapper):
        if isinstance(env, wrapper):
            return True
        env = env.env
    return False
