"""Control steps of an insertion, from the approach to the bottom of the hole."""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_policies.experts import make_expert
from cellwright_train.benchmark import ALL_ENV_DISTURBANCES, Effort, Figures, figure
from cellwright_train.cell import CellChoice, products_of
from cellwright_train.policies_by_name import ExpertPolicy

ENV = "cellwright/PegInsertion-v0"
TIGHT_M = 0.3e-3
"""Clearance below which the aim is lower: physics runs at twice the rate there."""
UNIT = "steps/s, two cameras"


class _Insertion(NamedTuple):
    """What the oracle did on one seed; the same actions give the same insertion again."""

    seed: int
    product: str
    actions: NDArray[np.float32]


def peg_insertion_steps(effort: Effort) -> Figures:
    """Steps of recorded insertions played again, resets left out, with both cameras and the wrist sensor."""
    names = products_of("all", ENV)
    env = CellChoice(env=ENV, products=names, disturbances=ALL_ENV_DISTURBANCES).make()
    cell: Any = env.unwrapped
    clearance_m = {part.name: part.clearance_m for part in cell.products}
    wide = [name for name in names if clearance_m[name] >= TIGHT_M]
    tight = [name for name in names if clearance_m[name] < TIGHT_M]
    try:
        return {
            "peg_insertion_steps_per_s_one_process": figure(_rates(env, wide, effort), UNIT, ">= 1000"),
            "peg_insertion_tight_steps_per_s_one_process": figure(_rates(env, tight, effort), UNIT, ">= 600"),
        }
    finally:
        env.close()


def _rates(env: gymnasium.Env[Any, Any], products: Sequence[str], effort: Effort) -> list[float]:
    """Steps per second of each repeat."""
    recorded = _record(products, effort.env_steps)
    _play(env, recorded[:1])
    return [_play(env, recorded) for _ in range(effort.repeats)]


def _record(products: Sequence[str], steps: int) -> list[_Insertion]:
    """Insertions by the oracle, product after product, until there are `steps` control steps."""
    env = CellChoice(env=ENV, disturbances=ALL_ENV_DISTURBANCES).make(privileged=True)
    oracle = ExpertPolicy("oracle", make_expert(ENV, "oracle", env.get_wrapper_attr("privileged_names")))
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
