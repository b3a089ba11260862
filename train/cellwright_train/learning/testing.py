"""The test of a policy in training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cellwright_policies.networks import CellActorCritic
from cellwright_train.learning.presets import EvaluationConfig
from cellwright_train.learning.vec_env import PoolVecEnv


def evaluate_in_training(
    policy: CellActorCritic, env: PoolVecEnv, config: EvaluationConfig, names: Sequence[str]
) -> dict[str, float]:
    """Run the deterministic policy over the first episodes of each cell, always from the same seeds.

    What the cells meet was set before; `names` is the name of each cell's set. Where there are several, each
    has a success rate of its own. Counting the same number of episodes in every cell keeps short episodes,
    which are often the failures, from counting more than long ones.
    """
    each = max(1, config.episodes // env.num_envs)
    env.seed(config.seed)
    observations: Any = env.reset()
    outcomes: list[list[tuple[float, float, float]]] = [[] for _ in range(env.num_envs)]
    while any(len(done) < each for done in outcomes):
        observations, _, _, infos = env.step(policy.act_batch(observations))
        for info, done in zip(infos, outcomes, strict=True):
            if "episode" in info and len(done) < each:
                success = float(info.get("is_success", False))
                done.append((success, info["episode"]["r"], info["episode"]["l"]))
    success_rate, mean_return, length = np.mean([outcome for done in outcomes for outcome in done], axis=0)
    scores = {"success_rate": float(success_rate), "return": float(mean_return), "length": float(length)}
    for name in dict.fromkeys(names) if len(set(names)) > 1 else ():
        own = [outcome[0] for done, of in zip(outcomes, names, strict=True) if of == name for outcome in done]
        scores[f"success_rate_{name}"] = float(np.mean(own))
    return scores
