"""One case: environment, policy, disturbances and seed, and the hashes of everything in its episode."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

import cellwright_envs  # noqa: F401 - registers the environments
from cellwright_policies import zoo
from cellwright_policies.experts import EXPERTS, make_expert
from cellwright_runtime.runtime import Runtime

Actions = NDArray[np.float32]
Observation = Mapping[str, NDArray[Any]]
Act = Callable[[Observation, int], Actions]
"""Action (n,) for an observation and the number of the step."""

LINE_CHANGE = "moved-fixture"
"""The line change in cases with the conditions `line-change`."""
ZOO = {
    "cellwright/WeldSeam-v1": "weld-seam",
    "cellwright/PegInsertion-v1": "peg-insertion",
    "cellwright/ConnectorInsertion-v1": "connector-insertion",
    "cellwright/NutFastening-v2": "nut-fastening",
    "cellwright/GearMesh-v1": "gear-mesh",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One episode of one environment under one policy."""

    env: str
    policy: str
    """An expert's name, or `zoo:NAME`."""
    conditions: str
    """A named set of disturbances, or `line-change`: the training disturbances after `LINE_CHANGE`."""
    seed: int

    @property
    def name(self) -> str:
        """Unique and readable; the key in both files of the recording."""
        return f"{self.env.removeprefix('cellwright/')} {self.policy} {self.conditions} {self.seed}"


def cases(seeds: tuple[int, ...]) -> tuple[Case, ...]:
    """Every expert and shipped policy under none, train, hard and after a line change, for each seed."""
    return tuple(
        Case(env=env, policy=policy, conditions=conditions, seed=seed)
        for env, shipped in ZOO.items()
        for policy in (*EXPERTS[env], f"zoo:{shipped}")
        for conditions in ("none", "train", "hard", "line-change")
        for seed in seeds
    )


def played(case: Case, actions: Actions | None = None) -> tuple[Actions, dict[str, str]]:
    """Actions (steps, n) of the episode and a hash of each of its outputs.

    Where `actions` (steps, n) are given they are repeated; otherwise the policy of the case decides.
    """
    env = gymnasium.make(case.env, disable_env_checker=True, privileged=True)
    try:
        return _play(env, case, actions)
    finally:
        env.close()


def _play(
    env: gymnasium.Env[Any, Any], case: Case, actions: Actions | None
) -> tuple[Actions, dict[str, str]]:
    hashes: dict[str, Any] = {}

    def add(observation: Observation) -> None:
        for group, values in observation.items():
            hashes.setdefault(group, hashlib.sha256()).update(np.ascontiguousarray(values).tobytes())

    observation, _ = env.reset(seed=case.seed, options=_options(env, case))
    add(observation)
    act = _policy(env, case) if actions is None else _recorded(actions)
    rewards, done, steps, taken = hashlib.sha256(), False, 0, []
    terminated = False
    while not done and (actions is None or steps < len(actions)):
        action = np.array(act(observation, steps), dtype=np.float32)
        observation, reward, terminated, truncated, _ = env.step(action)
        add(observation)
        rewards.update(np.float64(reward).tobytes())
        taken.append(action)
        steps, done = steps + 1, terminated or truncated
    hashes["reward"] = rewards
    # The values of all fields without their names: a renamed field is no other result, nor is the name of the
    # edition that graded it.
    cell: Any = env.unwrapped
    figures = (each for each in dataclasses.astuple(cell.scorecard()) if not isinstance(each, str))
    values = repr(tuple(figures) if terminated else None)
    hashes["scorecard"] = hashlib.sha256(values.encode())
    ended = {"steps": f"{steps}"}
    return np.array(taken, dtype=np.float32), {k: h.hexdigest()[:16] for k, h in hashes.items()} | ended


def _options(env: gymnasium.Env[Any, Any], case: Case) -> dict[str, Any]:
    if case.conditions != "line-change":
        return {"disturbances": case.conditions}
    cell: Any = env.unwrapped
    return {"disturbances": cell.line_changes[LINE_CHANGE].apply(cell.disturbances)}


def _policy(env: gymnasium.Env[Any, Any], case: Case) -> Act:
    if case.policy.startswith("zoo:"):
        runtime = Runtime(zoo.path(case.policy.removeprefix("zoo:")))
        return lambda observation, _: runtime.act(observation)
    names = env.get_wrapper_attr("privileged_names")
    expert = make_expert(case.env, case.policy, names)
    expert.reset(1)

    def act(observation: Observation, _: int) -> Actions:
        batch = {key: np.asarray(value)[np.newaxis] for key, value in observation.items()}
        return np.asarray(expert.act_batch(batch)[0], np.float32)

    return act


def _recorded(actions: Actions) -> Act:
    return lambda _, step: actions[step]
