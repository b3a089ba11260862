"""Control steps of an insertion, from the approach to the bottom of the hole."""

import re
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

import cellwright_envs
from cellwright_policies.experts import make_expert
from cellwright_train.bench.figures import ALL_ENV_DISTURBANCES, Effort, Figures, figure
from cellwright_train.rollout.cell import CellChoice
from cellwright_train.rollout.families import FAMILIES, family_of
from cellwright_train.rollout.policies import ExpertPolicy

TIGHT_M = 0.3e-3
"""Clearance below which the aim is lower, because physics mostly runs at twice the rate there."""
UNIT = "steps/s, two cameras"


class _Insertion(NamedTuple):
    """The actions of the oracle on one seed; repeated, they give the same insertion."""

    seed: int
    product: str
    actions: NDArray[np.float32]


def insertion_steps(effort: Effort) -> Figures:
    """Steps of recorded insertions that are replayed, without resets, with both cameras and the wrist
    sensor."""
    tasks = [env_id for env_id in cellwright_envs.ENVIRONMENTS if family_of(env_id) is FAMILIES["assembly"]]
    return {name: each for env_id in tasks for name, each in _task_steps(env_id, effort).items()}


def _task_steps(env_id: str, effort: Effort) -> Figures:
    task = re.sub(r"cellwright/|-v\d+", "", env_id)
    name = "_".join(word.lower() for word in re.findall("[A-Z][a-z]+", task))
    env = CellChoice(env=env_id, disturbances=ALL_ENV_DISTURBANCES).make()
    cell: Any = env.unwrapped
    clearance_m = {part.name: part.clearance_m for part in cell.catalogue.resolve("all")}
    wide = [part for part in clearance_m if clearance_m[part] >= TIGHT_M]
    tight = [part for part in clearance_m if clearance_m[part] < TIGHT_M]
    figures = {}
    try:
        for kind, parts, aim in (("", wide, ">= 1000"), ("tight_", tight, ">= 600")):
            if parts:
                rates = _rates(env, env_id, parts, effort)
                figures[f"{name}_{kind}steps_per_s_one_process"] = figure(rates, UNIT, aim)
    finally:
        env.close()
    return figures


def _rates(env: gymnasium.Env[Any, Any], env_id: str, products: Sequence[str], effort: Effort) -> list[float]:
    """Steps per second of each repeat."""
    recorded = _record(env_id, products, effort.env_steps)
    _play(env, recorded[:1])
    return [_play(env, recorded) for _ in range(effort.repeats)]


def _record(env_id: str, products: Sequence[str], steps: int) -> list[_Insertion]:
    """Insertions by the oracle, product after product, until there are `steps` control steps."""
    env = CellChoice(env=env_id, disturbances=ALL_ENV_DISTURBANCES).make(privileged=True)
    oracle = ExpertPolicy("oracle", make_expert(env_id, "oracle", env.get_wrapper_attr("privileged_names")))
    recorded: list[_Insertion] = []
    try:
        while sum(len(each.actions) for each in recorded) < steps:
            seed, product = len(recorded), products[len(recorded) % len(products)]
            observation, _ = env.reset(seed=seed, options={"product": product})
            oracle.reset()
            actions, over = [], False
            while not over:
                actions.append(oracle.act(observation))
                observation, _, terminated, truncated, _ = env.step(actions[-1])
                over = terminated or truncated
            recorded.append(_Insertion(seed, product, np.stack(actions)))
    finally:
        env.close()
    return recorded


def _play(env: gymnasium.Env[Any, Any], insertions: Sequence[_Insertion]) -> float:
    """Control steps per second."""
    spent_s, steps = 0.0, 0
    for insertion in insertions:
        env.reset(seed=insertion.seed, options={"product": insertion.product})
        begin = time.perf_counter()
        for action in insertion.actions:
            env.step(action)
        spent_s += time.perf_counter() - begin
        steps += len(insertion.actions)
    return steps / spent_s
