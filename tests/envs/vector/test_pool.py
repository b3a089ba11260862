"""The vector environment: the same numbers as stepping in turn, and nothing left behind."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import DictInfoToList, RecordEpisodeStatistics
from numpy.typing import NDArray

from cellwright_envs.probe import PROBE_ID, ColumnTracking
from cellwright_envs.vector.pool import CellPool, CellWorkerError

make_probe = partial(gym.make, PROBE_ID, privileged=True, episode_steps=7)


def random_actions(steps: int, cells: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1, 1, (steps, cells, 5)).astype(np.float32)


def step_through(vector: CellPool, actions: NDArray[np.float32]) -> None:
    for action in actions:
        vector.step(action)


def failing_factory(fails_at_step: int) -> Any:
    def make() -> gym.Env:
        class Failing(ColumnTracking):
            def step(self, action: NDArray[np.float32]) -> Any:
                if self._step == fails_at_step:
                    raise ZeroDivisionError("the torch hit the clamp")
                return super().step(action)

        return Failing(privileged=True)

    return make


@pytest.mark.parametrize(("cells", "workers"), [(5, 2), (2, 1)])
def test_steps_are_those_of_gymnasiums_own_vector_environment(cells: int, workers: int) -> None:
    """Spaces, observations, rewards, ends and infos: `final_obs` and `final_info` among them."""
    theirs = SyncVectorEnv([make_probe] * cells, autoreset_mode=AutoresetMode.SAME_STEP)
    pool = CellPool([make_probe] * cells, workers=workers)
    assert pool.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert pool.observation_space == theirs.observation_space
    assert pool.single_observation_space == theirs.single_observation_space
    assert pool.action_space == theirs.action_space
    assert pool.single_action_space == theirs.single_action_space
    assert data_equivalence(pool.reset(seed=11), theirs.reset(seed=11), exact=True)
    ended = 0
    for actions in random_actions(20, cells):
        (observations, rewards, *ends, infos), expected = pool.step(actions), theirs.step(actions)
        assert observations in pool.observation_space
        assert data_equivalence((observations, *ends, infos), (expected[0], *expected[2:]), exact=True)
        np.testing.assert_array_equal(rewards, expected[1].astype(np.float32))
        ended += "final_obs" in infos
    assert ended == 2, "every seventh step"
    assert data_equivalence(pool.reset(seed=[3] * cells), theirs.reset(seed=[3] * cells), exact=True)
    pool.close()
    theirs.close()


def test_gymnasiums_wrappers_for_vectors_take_it() -> None:
    with contextlib.closing(CellPool([make_probe] * 2, workers=2)) as pool:
        counted = RecordEpisodeStatistics(DictInfoToList(pool).env)
        counted.reset(seed=0)
        infos = [counted.step(action)[-1] for action in random_actions(7, 2)]
    assert infos[-1]["episode"]["l"].tolist() == [7, 7]


def test_one_seed_is_one_rollout_across_numbers_of_workers() -> None:
    def rollout(workers: int, seed: int) -> NDArray[np.uint8]:
        vector = CellPool([make_probe] * 4, workers=workers)
        vector.reset(seed=seed)
        images = [vector.step(action)[0]["image"] for action in random_actions(10, 4)]
        vector.close()
        return np.stack(images)

    np.testing.assert_array_equal(rollout(1, seed=3), rollout(2, seed=3))
    assert not np.array_equal(rollout(2, seed=3), rollout(2, seed=4))


def test_observations_stay_valid_after_the_next_step() -> None:
    vector = CellPool.make(PROBE_ID, cells=2, workers=1)
    first = vector.reset()[0]["image"]
    before = first.copy()
    vector.step(np.ones((2, 5), dtype=np.float32))
    np.testing.assert_array_equal(first, before)
    vector.close()


@pytest.mark.parametrize("shape", [(5,), (2, 1), (1, 5)])
def test_actions_of_another_shape_are_refused_and_not_spread(shape: tuple[int, ...]) -> None:
    vector = CellPool.make(PROBE_ID, cells=2, workers=1)
    vector.reset()
    with pytest.raises(ValueError, match=r"need actions of shape \(2, 5\)"):
        vector.step(np.zeros(shape, dtype=np.float32))
    vector.close()


def test_cells_are_called_read_and_set_by_index() -> None:
    vector = CellPool.make(PROBE_ID, cells=4, workers=2, privileged=True)
    vector.call("set_disturbances", "hard", indices=[3, 1])
    assert vector.get_attr("_next_glare") == [0.0, 80.0, 0.0, 80.0]
    vector.set_attr("_next_glare", 5.0, indices=2)
    assert vector.get_attr("_next_glare", indices=[2, 1]) == [5.0, 80.0]
    assert vector.get_attr("spec", indices=0)[0].id == "cellwright-probe/ColumnTracking-v0"
    assert vector.is_wrapped(gym.wrappers.OrderEnforcing) == [True] * 4
    assert vector.is_wrapped(gym.wrappers.TimeLimit) == [False] * 4
    vector.close()


def test_episodes_of_some_cells_are_cut_off_early_until_they_no_longer_are() -> None:
    vector = CellPool([make_probe] * 3, workers=2)
    vector.limit_episodes(3, indices=[0, 2])
    vector.reset()
    done = [vector.step(action)[3:] for action in random_actions(7, 3)]
    ends = [np.flatnonzero(truncations).tolist() for truncations, _ in done]
    assert ends == [[], [], [0, 2], [], [], [0, 2], [1]]
    assert done[2][1]["final_obs"][0]["image"].shape == vector.single_observation_space["image"].shape
    vector.limit_episodes(None)
    vector.limit_episodes(100, indices=[1])
    vector.reset()
    ends = [np.flatnonzero(vector.step(action)[3]).tolist() for action in random_actions(7, 3)]
    assert ends == [*[[]] * 6, [0, 1, 2]], "a cell's own end still counts"
    vector.close()


def test_a_failing_cell_is_reported_with_its_traceback_and_leaves_no_process() -> None:
    vector = CellPool([make_probe, make_probe, failing_factory(3), make_probe], workers=2)
    vector.reset()
    actions = random_actions(5, 4)
    with pytest.raises(CellWorkerError, match=r"cells 2 to 3.*\n(.*\n)*.*the torch hit the clamp"):
        step_through(vector, actions)
    assert not multiprocessing.active_children()
    with pytest.raises(ValueError, match="closed"):
        vector.step(actions[0])


def test_a_cell_that_cannot_be_built_in_its_worker_is_reported() -> None:
    def broken() -> gym.Env:
        raise FileNotFoundError("no such product")

    with pytest.raises(CellWorkerError, match=r"construction.*\n(.*\n)*.*no such product"):
        CellPool([make_probe, broken], workers=2)
    assert not multiprocessing.active_children()


def test_an_unknown_attribute_is_reported() -> None:
    vector = CellPool.make(PROBE_ID, cells=2, workers=1)
    with pytest.raises(AttributeError, match="no_such_thing"):
        vector.get_attr("no_such_thing")
    vector.reset()
    vector.close()


def test_a_killed_worker_is_reported() -> None:
    vector = CellPool.make(PROBE_ID, cells=2, workers=2)
    vector.reset()
    victim = multiprocessing.active_children()[0].pid
    assert victim is not None
    os.kill(victim, signal.SIGKILL)
    with pytest.raises(CellWorkerError, match="exit code -9"):
        step_through(vector, random_actions(100, 2))
    assert not multiprocessing.active_children()


def test_closing_twice_or_in_the_middle_of_a_step_leaves_no_process() -> None:
    vector = CellPool.make(PROBE_ID, cells=2, workers=2)
    vector.reset()
    vector.send(np.zeros((2, 5), dtype=np.float32))
    vector.close()
    vector.close()
    assert not multiprocessing.active_children()


def test_workers_end_when_the_trainer_is_killed() -> None:
    script = (
        "import multiprocessing, os, signal\n"
        "from cellwright_envs.probe import PROBE_ID\n"
        "from cellwright_envs.vector.pool import CellPool\n"
        "vector = CellPool.make(PROBE_ID, cells=2, workers=2)\n"
        "print(*[child.pid for child in multiprocessing.active_children()], flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    workers = [int(word) for word in done.stdout.split()]
    assert len(workers) == 2, done.stderr
    deadline_s = time.monotonic() + 5
    while any(is_running(pid) for pid in workers) and time.monotonic() < deadline_s:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in workers)


def is_running(pid: int) -> bool:
    """Say whether a process exists and is more than a zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_workers_outlive_the_thread_that_started_them() -> None:
    pools: list[CellPool] = []
    thread = threading.Thread(target=lambda: pools.append(CellPool.make(PROBE_ID, cells=2, workers=1)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    pools[0].reset()
    pools[0].close()


def test_cells_and_the_pool_of_them_import_neither_torch_nor_stable_baselines() -> None:
    heavy = "{'torch', 'stable_baselines3'}"
    script = (
        "import sys, cellwright_envs\n"
        "from cellwright_envs.probe import PROBE_ID\n"
        "from cellwright_envs.vector.pool import CellPool\n"
        "pool = CellPool.make(PROBE_ID, cells=2, workers=1)\n"
        "pool.reset()\n"
        "import gymnasium; gymnasium.make('cellwright/WeldSeam-v1').close()\n"
        f"print({heavy} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


@pytest.mark.parametrize("workers", [0, 3])
def test_a_number_of_workers_that_cannot_work_is_refused(workers: int) -> None:
    with pytest.raises(ValueError, match=f"workers={workers}"):
        CellPool([make_probe] * 2, workers=workers)


def test_cells_survive_pickling_of_their_factories() -> None:
    factory = pickle.loads(pickle.dumps(make_probe))
    assert factory().observation_space == make_probe().observation_space
