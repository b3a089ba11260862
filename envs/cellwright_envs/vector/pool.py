"""Many cells at once on a few cores: worker processes, shared memory, several cells a worker."""

from __future__ import annotations

import contextlib
import itertools
import math
import multiprocessing
import os
import pickle
import sys
import types
import weakref
from collections.abc import Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from cellwright_envs.vector.worker import (
    CALL,
    FAILED,
    STEP,
    EnvFactory,
    MissingAttribute,
    SharedArray,
    SharedArrays,
    WorkerTask,
    run_worker,
)

_CONTEXT = multiprocessing.get_context("spawn")
_JOIN_TIMEOUT_S = 5.0
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


class CellWorkerError(RuntimeError):
    """A worker process failed; the message ends with its traceback. The vector environment is closed."""


class CellVectorEnv(VecEnv):
    """Stable-Baselines3 `VecEnv` whose cells share memory with the trainer instead of pickling observations.

    Observation spaces must be `Dict`s of `Box`es, action spaces `Box`es. A finished cell is reset at once;
    its last observation is `info["terminal_observation"]`, `info["TimeLimit.truncated"]` tells a time limit
    from an end, and `info["episode"]` holds return, length and age as Stable-Baselines3's `Monitor` reports
    them. Observations are copies and stay valid. Workers are spawned and never see the caller's `__main__`:
    a training script needs no `if __name__ == "__main__"`, and workers do not import what only the trainer
    needs. A worker uses one thread, so `workers` should be the number of physical cores.

    Raises `CellWorkerError` where a worker fails, after shutting all of them down.
    """

    def __init__(self, env_fns: Sequence[EnvFactory], *, workers: int = 2) -> None:
        if not 1 <= workers <= len(env_fns):
            raise ValueError(f"need 1 to {len(env_fns)} workers for {len(env_fns)} cells, got {workers=}")
        observation_space, action_space, render_mode = _spaces_of(env_fns[0])
        self._render_mode = render_mode
        self._shared = _allocate(len(env_fns), observation_space, action_space)
        self._observations = {key: array.view() for key, array in self._shared.observations.items()}
        self._actions = self._shared.actions.view()
        self._rewards = self._shared.rewards.view()
        self._dones = self._shared.dones.view()
        self._cells_of = _share_out(len(env_fns), workers)
        self._pipes: list[Connection] = []
        self._processes: list[BaseProcess] = []
        self._finalizer = weakref.finalize(self, _shut_down, self._pipes, self._processes)
        self._stepping = False
        for cells in self._cells_of:
            self._start([env_fns[cell] for cell in cells], cells.start)
        for worker in range(workers):
            self._receive(worker, "construction")
        super().__init__(len(env_fns), observation_space, action_space)

    @classmethod
    def make(cls, env_id: str, *, cells: int = 16, workers: int = 2, **env_kwargs: Any) -> CellVectorEnv:
        """Build `cells` environments registered as `env_id`, each with `env_kwargs`."""

        def factory() -> gym.Env:
            return gym.make(env_id, **env_kwargs)

        return cls([factory] * cells, workers=min(workers, cells))

    def reset(self) -> dict[str, NDArray[Any]]:
        """Reset every cell; cell i gets the seed that `seed` was given, plus i."""
        if self._stepping:
            self.step_wait()
        for worker, cells in enumerate(self._cells_of):
            seeds = [self._seeds[cell] for cell in cells]
            options = [self._options[cell] for cell in cells]
            self._send(worker, "reset", seeds, options)
        infos = [self._receive(worker, "reset") for worker in range(len(self._pipes))]
        self.reset_infos = [info for worker_infos in infos for info in worker_infos]
        self._reset_seeds()
        self._reset_options()
        return self._copy_observations()

    def step_async(self, actions: NDArray[Any]) -> None:
        """Tell the workers to step their cells with `actions` (cells, action size)."""
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

    def step_wait(self) -> tuple[dict[str, NDArray[Any]], NDArray[Any], NDArray[Any], list[dict[str, Any]]]:
        """Wait for the step and return observations, rewards (cells,), dones (cells,) and infos."""
        infos: list[dict[str, Any]] = []
        for worker, cells in enumerate(self._cells_of):
            worker_infos, reset_infos = self._receive(worker, "step")
            infos.extend(worker_infos)
            for index, info in reset_infos.items():
                self.reset_infos[cells.start + index] = info
        self._stepping = False
        return self._copy_observations(), self._rewards.copy(), self._dones.copy(), infos

    def close(self) -> None:
        """End the workers; calling it again does nothing."""
        self._finalizer()

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Return attribute `attr_name` of each cell at `indices`."""
        if attr_name == "render_mode":
            return [self._render_mode] * len(self._listed(indices))
        values = self._call_cells("get_attr", (attr_name,), indices)
        for value in values:
            if isinstance(value, MissingAttribute):
                raise AttributeError(value.message)
        return values

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Set attribute `attr_name` of each cell at `indices` to `value`."""
        self._call_cells("set_attr", (attr_name, value), indices)

    def limit_episodes(self, steps: int | None, indices: VecEnvIndices = None) -> None:
        """Cut episodes of the cells at `indices` off after `steps` control steps; None ends that.

        A limit of the cell's own that comes earlier still counts.
        """
        self._call_cells("limit_episodes", (steps,), indices)

    def env_method(
        self, method_name: str, *method_args: Any, indices: VecEnvIndices = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call method `method_name` of each cell at `indices` and return the results."""
        return self._call_cells("env_method", (method_name, method_args, method_kwargs), indices)

    def env_is_wrapped(self, wrapper_class: type[gym.Wrapper], indices: VecEnvIndices = None) -> list[bool]:
        """Say for each cell at `indices` whether it is wrapped in `wrapper_class`."""
        return self._call_cells("is_wrapped", (wrapper_class,), indices)

    def get_images(self) -> Sequence[NDArray[np.uint8] | None]:
        """Return a picture of each cell."""
        return self.env_method("render")

    def _call_cells(self, name: str, args: tuple[Any, ...], indices: VecEnvIndices) -> list[Any]:
        """Run a worker method on the cells at `indices` and return the results in their order."""
        listed = self._listed(indices)
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

    def _listed(self, indices: VecEnvIndices) -> list[int]:
        cells = range(self._cells_of[-1].stop)
        chosen: Iterable[int] = (
            cells if indices is None else [indices] if isinstance(indices, int) else indices
        )
        return [cells[index] for index in chosen]

    def _copy_observations(self) -> dict[str, NDArray[Any]]:
        return {key: array.copy() for key, array in self._observations.items()}

    def _start(self, factories: Sequence[EnvFactory], first_cell: int) -> None:
        ours, theirs = _CONTEXT.Pipe()
        task = WorkerTask(env_factories=cloudpickle.dumps(list(factories)), first_cell=first_cell)
        process = _CONTEXT.Process(target=run_worker, args=(theirs, task, self._shared), daemon=True)
        with _plain_child_environment():
            process.start()
        theirs.close()
        self._pipes.append(ours)
        self._processes.append(process)

    def _send(self, worker: int, name: str, *args: Any) -> None:
        self._require_open()
        with contextlib.suppress(OSError):  # a worker that is gone is reported when its answer is read
            self._pipes[worker].send_bytes(CALL + cloudpickle.dumps((name, args)))

    def _receive(self, worker: int, doing: str) -> Any:
        try:
            answer = self._pipes[worker].recv_bytes()
        except (EOFError, OSError):
            self._processes[worker].join(_JOIN_TIMEOUT_S)
            answer = FAILED + f"it ended with exit code {self._processes[worker].exitcode}".encode()
        if answer[:1] == FAILED:
            cells = self._cells_of[worker]
            self.close()
            where = f"worker {worker} (cells {cells.start} to {cells.stop - 1})"
            raise CellWorkerError(f"{where} failed in {doing}:\n{answer[1:].decode()}")
        return pickle.loads(answer[1:])

    def _require_open(self) -> None:
        if not self._finalizer.alive:
            raise ValueError("this vector environment is closed")


def _spaces_of(env_fn: EnvFactory) -> tuple[spaces.Dict, spaces.Box, str | None]:
    env = env_fn()
    observation_space, action_space, render_mode = env.observation_space, env.action_space, env.render_mode
    env.close()
    if not isinstance(observation_space, spaces.Dict) or not all(
        isinstance(space, spaces.Box) for space in observation_space.values()
    ):
        raise ValueError(f"the observation space must be a Dict of Boxes, got {observation_space}")
    if not isinstance(action_space, spaces.Box):
        raise ValueError(f"the action space must be a Box, got {action_space}")
    return observation_space, action_space, render_mode


def _allocate(cells: int, observation_space: spaces.Dict, action_space: spaces.Box) -> SharedArrays:
    def shared(shape: tuple[int, ...], dtype: Any) -> SharedArray:
        itemsize = np.dtype(dtype).itemsize
        memory = _CONTEXT.RawArray("b", math.prod((cells, *shape)) * itemsize)
        return SharedArray(memory=memory, shape=(cells, *shape), dtype=np.dtype(dtype).str)

    boxes = {key: space for key, space in observation_space.items() if isinstance(space, spaces.Box)}
    return SharedArrays(
        observations={key: shared(box.shape, box.dtype) for key, box in boxes.items()},
        actions=shared(action_space.shape, action_space.dtype),
        rewards=shared((), np.float32),
        dones=shared((), np.bool_),
    )


def _share_out(cells: int, workers: int) -> list[range]:
    """Give each worker a run of neighbouring cells, as equal in number as can be."""
    edges = [cells * worker // workers for worker in range(workers + 1)]
    return [range(first, last) for first, last in itertools.pairwise(edges)]


@contextlib.contextmanager
def _plain_child_environment() -> Iterator[None]:
    """Start a process that neither imports the caller's `__main__` nor does arithmetic on many threads."""
    main = sys.modules["__main__"]
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    sys.modules["__main__"] = types.ModuleType("__main__")
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


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
