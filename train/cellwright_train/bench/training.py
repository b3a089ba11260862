"""PPO over whole iterations, against Stable-Baselines3's own vector environment, and the memory it takes."""

import dataclasses
import math
import os
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import gymnasium
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from cellwright_policies.networks import CellActorCritic
from cellwright_policies.ppo import CellPPO
from cellwright_train.bench.figures import ALL_ENV_DISTURBANCES, Effort, Figures, figure, missing
from cellwright_train.learning.presets import PRESETS
from cellwright_train.learning.vec_env import PoolVecEnv
from cellwright_train.rollout.cell import CellChoice

CELLS = 16
_PRESET = PRESETS["weld-seam"]
_WHOLE_UPDATES = dataclasses.replace(_PRESET.ppo, warmup_rollouts=0, target_kl=math.inf)
"""The actor is trained on every sample from the first rollout on: the largest cost of an update."""


def untrained_policy(env: gymnasium.Env[Any, Any]) -> CellActorCritic:
    """The preset's network with its first weights."""
    return CellActorCritic(
        env.observation_space, env.action_space, lambda _: 1e-4, network=_PRESET.network, aux_indices=()
    )


def ppo_throughput(effort: Effort) -> Figures:
    """Environment steps per second over whole PPO iterations, rollout and update, camera included."""
    cores = min(os.cpu_count() or 1, 2)
    ours = PoolVecEnv.make(
        _PRESET.env_id, cells=CELLS, workers=cores, privileged=True, disturbances=ALL_ENV_DISTURBANCES
    )
    with PeakMemory() as memory:
        rates = _rates(ours, effort.training_iterations)
    figures = {
        "ppo_steps_per_s_two_cores": figure(rates, "steps/s", ">= 1200"),
        "training_memory_gib_16_cells": memory.figure(),
    }
    key, aim = "ppo_speed_up_over_subproc_vec_env", ">= 2"
    if effort.training_iterations < 2:
        return figures | {
            key: missing("left out by --quick: its 16 processes take minutes to start", "x", aim)
        }
    theirs = SubprocVecEnv([_make_cell] * CELLS, start_method="spawn")
    peer = _rates(theirs, effort.training_iterations)
    return figures | {
        "subproc_vec_env_steps_per_s": figure(peer, "steps/s"),
        key: figure([own / other for own, other in zip(rates, peer, strict=True)], "x", aim),
    }


class PeakMemory:
    """Largest memory of this process and its children while the block runs, shared pages counted once."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def figure(self) -> dict[str, Any]:
        """The figure in GiB; missing where the system has no /proc."""
        if not self.peak_bytes:
            return missing("needs /proc (Linux)", "GiB", "<= 4")
        return figure([self.peak_bytes / 2**30], "GiB", "<= 4")

    def _watch(self) -> None:
        while not self._stop.wait(0.5):
            self.peak_bytes = max(self.peak_bytes, sum(_proportional_bytes(pid) for pid in _family()))


def _make_cell() -> gymnasium.Env[Any, Any]:
    return CellChoice(disturbances=ALL_ENV_DISTURBANCES).make(privileged=True)


def _rates(env: VecEnv, iterations: int) -> list[float]:
    """Steps per second of each iteration after the first."""
    try:
        model = CellPPO(
            CellActorCritic,
            env,
            config=_WHOLE_UPDATES,
            policy_kwargs={"network": _PRESET.network, "aux_indices": ()},
            seed=0,
        )
        model.set_logger(Logger(None, []))
        size = _WHOLE_UPDATES.rollout_steps * env.num_envs
        rates = []
        for index in range(iterations + 1):
            begin = time.perf_counter()
            model.learn(size, reset_num_timesteps=index == 0)
            rates.append(size / (time.perf_counter() - begin))
        return rates[1:]
    finally:
        env.close()


def _family() -> list[int]:
    """This process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it ended while we looked
        parents[int(entry.parent.name)] = int(fields[1])
    family = {os.getpid()}
    while grown := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= grown
    return sorted(family)


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
