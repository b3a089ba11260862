"""Many cells at once on a few cores: worker processes, shared memory, several cells a worker."""

from __future__ import annotations

import contextlib
import itertools
import math
import pickle
import weakref
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, ClassVar

import cloudpickle  # type: ignore[import-untyped]
import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from cellwright_envs.vector.processes import CONTEXT, plain_child_environment
from cellwright_envs.vector.worker import (
    CALL,
    FAILED,
    STEP,
    EndedEpisode,
    EnvFactory,
    MissingAttribute,
    SharedArray,
    SharedArrays,
    WorkerTask,
    run_worker,
)

Observations = dict[str, NDArray[Any]]
Indices = Iterable[int] | int | None
"""Cells by number; None means all."""
_JOIN_TIMEOUT_S = 5.0


class CellWorkerError(RuntimeError):
    """A worker process failed; the message ends with its traceback. The pool is closed."""


class CellWorkerKilledError(CellWorkerError):
    """A worker process is gone and left no traceback: somebody killed it, or memory was short."""


@dataclass(frozen=True, kw_only=True)
class PoolStep:
    """One step of all cells; the first axis of every array is the cell."""

    observations: Observations
    """Where an episode ended, the first of the next one."""
    rewards: NDArray[np.float32]
    terminations: NDArray[np.bool_]
    truncations: NDArray[np.bool_]
    infos: list[dict[str, Any]]
    """Each cell's own; where an episode ended, its last."""
    ended: dict[int, EndedEpisode]
    """By cell."""


class CellPool(VectorEnv[Observations, NDArray[np.float32], NDArray[Any]]):
    """Gymnasium's vector environment whose cells share memory with the caller.

    Observation spaces must be `Dict`s of `Box`es, action spaces `Box`es. A finished cell is reset in the same
    step (`AutoresetMode.SAME_STEP`): its last observation and info are `infos["final_obs"]` and
    `infos["final_info"]`. Observations are copies and stay valid. Workers are spawned and never see the
    caller's `__main__`: a script needs no `if __name__ == "__main__"`, and workers do not import what only
    the caller needs. They end with the caller, however it ends. A worker uses one thread, so `workers` should
    be the number of physical cores.

    Raises `CellWorkerError` where a worker fails, after shutting all of them down.
    """

    metadata: ClassVar[dict[str, Any]] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # type: ignore[misc]

    def __init__(self, env_fns: Sequence[EnvFactory], *, workers: int = 2) -> None:
        if not 1 <= workers <= len(env_fns):
            raise ValueError(f"need 1 to {len(env_fns)} workers for {len(env_fns)} cells, got {workers=}")
        self.num_envs = len(env_fns)
        observation_space, action_space = self._describe(env_fns[0])
        self._shared = _allocate(self.num_envs, observation_space, action_space)
        self._observations = {key: array.view() for key, array in self._shared.observations.items()}
        self._actions = self._shared.actions.view()
        self._rewards = self._shared.rewards.view()
        self._terminations = self._shared.terminations.view()
        self._truncations = self._shared.truncations.view()
        self._cells_of = _share_out(self.num_envs, workers)
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._lifeline, self._kept_open = CONTEXT.Pipe(duplex=False)
        self._finalizer = weakref.finalize(self, _shut_down, self._pipes, self._processes)
        self._stepping = False
        for cells in self._cells_of:
            self._start([env_fns[cell] for cell in cells], cells.start)
        for worker in range(workers):
            self._receive(worker, "construction")

    @classmethod
    def make(cls, env_id: str, *, cells: int = 16, workers: int = 2, **env_kwargs: Any) -> CellPool:
        """Build `cells` environments registered as `env_id`, each with `env_kwargs`."""

        def factory() -> gym.Env:
            return gym.make(env_id, **env_kwargs)

        return cls([factory] * cells, workers=min(workers, cells))

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Reset every cell, with `options`; of one number as `seed`, cell i gets `seed + i`."""
        if seed is None or isinstance(seed, int):
            seed = [None if seed is None else seed + cell for cell in range(self.num_envs)]
        observations, each = self.reset_cells(seed, [options] * self.num_envs)
        infos: dict[str, Any] = {}
        for cell, info in enumerate(each):
            self._add_info(infos, info, cell)
        return observations, infos

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observations, NDArray[np.float32], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step every cell with its row of `actions` (cells, action size)."""
        self.send(actions)
        step = self.receive()
        infos: dict[str, Any] = {}
        for cell, info in enumerate(step.infos):
            if (ended := step.ended.get(cell)) is not None:
                self._add_info(infos, {"final_obs": ended.observation, "final_info": info}, cell)
            self._add_info(infos, info if ended is None else ended.reset_info, cell)
        return step.observations, step.rewards, step.terminations, step.truncations, infos

    def reset_cells(
        self, seeds: Sequence[int | None], options: Sequence[dict[str, Any] | None]
    ) -> tuple[Observations, list[dict[str, Any]]]:
        """Reset every cell with a seed and options of its own; return observations and each cell's info."""
        if len(seeds) != self.num_envs or len(options) != self.num_envs:
            raise ValueError(f"need {self.num_envs} seeds and options, got {len(seeds)} and {len(options)}")
        if self._stepping:
            self.receive()
        for worker, cells in enumerate(self._cells_of):
            self._send(worker, "reset", [seeds[cell] for cell in cells], [options[cell] for cell in cells])
        infos = [self._receive(worker, "reset") for worker in range(len(self._pipes))]
        return self._copy_observations(), [info for worker_infos in infos for info in worker_infos]

    def send(self, actions: NDArray[Any]) -> None:
        """Have the workers step their cells with `actions` (cells, action size)."""
        self._require_open()
        if np.shape(actions) != self._actions.shape:
            raise ValueError(f"need actions of shape {self._actions.shape}, got {np.shape(actions)}")
        self._actions[:] = actions
        self._stepping = True
        for worker, pipe in enumerate(self._pipes):
            try:
                pipe.send_bytes(STEP)
            except OSError:
                self._receive(worker, "step")  # reads the traceback that the worker left behind

    def receive(self) -> PoolStep:
        """Wait for the step that `send` began."""
        infos: list[dict[str, Any]] = []
        ended: dict[int, EndedEpisode] = {}
        for worker, cells in enumerate(self._cells_of):
            worker_infos, worker_ended = self._receive(worker, "step")
            infos.extend(worker_infos)
            ended |= {cells.start + index: episode for index, episode in worker_ended.items()}
        self._stepping = False
        return PoolStep(
            observations=self._copy_observations(),
            rewards=self._rewards.copy(),
            terminations=self._terminations.copy(),
            truncations=self._truncations.copy(),
            infos=infos,
            ended=ended,
        )

    def close(self, **kwargs: Any) -> None:
        """End the workers; calling it again does nothing."""
        self._finalizer()
        self.closed = True

    def get_attr(self, name: str, indices: Indices = None) -> list[Any]:
        """Return attribute `name` of each cell at `indices`."""
        values = self._ask("get_attr", (name,), indices)
        for value in values:
            if isinstance(value, MissingAttribute):
                raise AttributeError(value.message)
        return values

    def set_attr(self, name: str, value: Any, indices: Indices = None) -> None:
        """Set attribute `name` of each cell at `indices` to `value`."""
        self._ask("set_attr", (name, value), indices)

    def limit_episodes(self, steps: int | None, indices: Indices = None) -> None:
        """Cut episodes of the cells at `indices` off after `steps` control steps; None ends that.

        A limit of the cell's own that comes earlier still counts.
        """
        self._ask("limit_episodes", (steps,), indices)

    def call(self, name: str, *args: Any, indices: Indices = None, **kwargs: Any) -> list[Any]:
        """Call method `name` of each cell at `indices` and return the results."""
        return self._ask("call", (name, args, kwargs), indices)

    def is_wrapped(self, wrapper: type[gym.Wrapper], indices: Indices = None) -> list[bool]:
        """Say for each cell at `indices` whether it is wrapped in `wrapper`."""
        return self._ask("is_wrapped", (wrapper,), indices)

    def render(self) -> tuple[NDArray[np.uint8], ...]:
        """Return a picture of each cell."""
        return tuple(self.call("render"))

    def listed(self, indices: Indices) -> list[int]:
        """Numbers of the cells at `indices`; negative ones count from the end."""
        chosen: Iterable[int] = (
            range(self.num_envs) if indices is None else [indices] if isinstance(indices, int) else indices
        )
        return [range(self.num_envs)[index] for index in chosen]

    def _ask(self, name: str, args: tuple[Any, ...], indices: Indices) -> list[Any]:
        """Run a worker's method on the cells at `indices` and return the results in their order."""
        listed = self.listed(indices)
        results: dict[int, Any] = {}
        asked: list[tuple[int, list[int]]] = []
        for worker, cells in enumerate(self._cells_of):
            chosen = [cell for cell in listed if cell in cells]
            if chosen:
                self._send(worker, name, *args, [cell - cells.start for cell in chosen])
                asked.append((worker, chosen))
        for worker, chosen in asked:
            answer = self._receive(worker, name) or [None] * len(chosen)
            results.update(zip(chosen, answer, strict=True))
        return [results[cell] for cell in listed]

    def _describe(self, env_fn: EnvFactory) -> tuple[spaces.Dict, spaces.Box]:
        """Take spaces, picture mode and registered description from one cell; return its spaces."""
        with contextlib.closing(env_fn()) as env:
            observation_space, action_space = _checked_spaces(env)
            self.render_mode, self.spec = env.render_mode, env.spec
        self.single_observation_space, self.single_action_space = observation_space, action_space
        self.observation_space = batch_space(observation_space, self.num_envs)
        self.action_space = batch_space(action_space, self.num_envs)
        return observation_space, action_space

    def _copy_observations(self) -> Observations:
        return {key: array.copy() for key, array in self._observations.items()}

    def _start(self, factories: Sequence[EnvFactory], first_cell: int) -> None:
        ours, theirs = CONTEXT.Pipe()
        task = WorkerTask(
            env_factories=cloudpickle.dumps(list(factories)), first_cell=first_cell, lifeline=self._lifeline
        )
        process = CONTEXT.Process(target=run_worker, args=(theirs, task, self._shared), daemon=True)
        with plain_child_environment():
            process.start()
        theirs.close()
        self._pipes.append(ours)
        self._processes.append(process)

    def _send(self, worker: int, name: str, *args: Any) -> None:
        self._require_open()
        with contextlib.suppress(OSError):  # a worker that is gone is reported when its answer is read
            self._pipes[worker].send_bytes(CALL + cloudpickle.dumps((name, args)))

    def _receive(self, worker: int, doing: str) -> Any:
        cells = self._cells_of[worker]
        failed = f"worker {worker} (cells {cells.start} to {cells.stop - 1}) failed in {doing}"
        try:
            answer = self._pipes[worker].recv_bytes()
        except (EOFError, OSError):
            self._processes[worker].join(_JOIN_TIMEOUT_S)
            code = self._processes[worker].exitcode
            self.close()
            raise CellWorkerKilledError(f"{failed}: it ended with exit code {code}") from None
        if answer[:1] == FAILED:
            self.close()
            raise CellWorkerError(f"{failed}:\n{answer[1:].decode()}")
        return pickle.loads(answer[1:])

    def _require_open(self) -> None:
        if not self._finalizer.alive:
            raise ValueError("this pool is closed")


def _checked_spaces(env: gym.Env) -> tuple[spaces.Dict, spaces.Box]:
    observation_space, action_space = env.observation_space, env.action_space
    if not isinstance(observation_space, spaces.Dict) or not all(
        isinstance(space, spaces.Box) for space in observation_space.values()
    ):
        raise ValueError(f"the observation space must be a Dict of Boxes, got {observation_space}")
    if not isinstance(action_space, spaces.Box):
        raise ValueError(f"the action space must be a Box, got {action_space}")
    return observation_space, action_space


def _allocate(cells: int, observation_space: spaces.Dict, action_space: spaces.Box) -> SharedArrays:
    def shared(shape: tuple[int, ...], dtype: Any) -> SharedArray:
        itemsize = np.dtype(dtype).itemsize
        memory = CONTEXT.RawArray("b", math.prod((cells, *shape)) * itemsize)
        return SharedArray(memory=memory, shape=(cells, *shape), dtype=np.dtype(dtype).str)

    boxes = {key: space for key, space in observation_space.items() if isinstance(space, spaces.Box)}
    return SharedArrays(
        observations={key: shared(box.shape, box.dtype) for key, box in boxes.items()},
        actions=shared(action_space.shape, action_space.dtype),
        rewards=shared((), np.float32),
        terminations=shared((), np.bool_),
        truncations=shared((), np.bool_),
    )


def _share_out(cells: int, workers: int) -> list[range]:
    """Give each worker a run of neighbouring cells, as equal in number as can be."""
    edges = [cells * worker // workers for worker in range(workers + 1)]
    return [range(first, last) for first, last in itertools.pairwise(edges)]


def _shut_down(pipes: list[Connection], processes: list[BaseProcess]) -> None:
    """Close the pipes, which ends the workers, and wait for them; one that does not end is killed."""
    for pipe in pipes:
        pipe.close()
    for process in processes:
        process.join(_JOIN_TIMEOUT_S)
        if process.is_alive():
            process.kill()
            process.join()
        process.close()
