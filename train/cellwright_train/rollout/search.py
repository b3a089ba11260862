"""A search for what can be done with a part at all: tries beside a policy's own decisions."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import Episode, EpisodePolicy, Observation, run_episode

FIRST_STEP, SMALLEST_STEP = 0.3, 0.03
"""Standard deviation of a try from the best one so far, in full actions. It grows by half after a better try
and shrinks by a tenth after another, as in a (1+1) evolution strategy."""
_OTHER_MOMENT = 0.3
"""Fraction of tries whose moment is drawn anew."""


def searched(
    env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode, *, tries: int
) -> EpisodeResult:
    """Work on one part up to `tries` times, until it is good, and return the best result.

    The first try is the policy's own. Each later one adds two deviations to every action, one before and one
    after a moment that is drawn too, near those of the best try so far. With an expert that knows the true
    state this finds parts that some sequence of actions makes good, if not all of them.
    """
    counted = _Deviating(policy)
    best = run_episode(env, counted, episode)
    step, length, around = FIRST_STEP, counted.steps, np.zeros((2, *(env.action_space.shape or ())))
    moment = length // 2
    for number in range(1, tries):
        if best.good:
            break
        rng = np.random.default_rng([episode.seed, number])
        deviation = around + step * rng.standard_normal(around.shape)
        change = int(rng.integers(length + 1)) if rng.random() < _OTHER_MOMENT else moment
        tried = run_episode(env, _Deviating(policy, deviation, change), episode)
        step = max(0.9 * step, SMALLEST_STEP)
        if tried.good or tried.shortfall < best.shortfall:
            best, around, moment, step = tried, deviation, change, 1.5 * step
    return best


class _Deviating:
    """The policy, with a constant added to its actions before a step, and another from then on."""

    def __init__(
        self, policy: EpisodePolicy, deviation: NDArray[np.float64] | None = None, change: int = 0
    ) -> None:
        self.name = policy.name
        self._policy, self._deviation, self._change = policy, deviation, change
        self.steps = 0
        """Decisions in this episode."""

    def reset(self) -> None:
        self._policy.reset()
        self.steps = 0

    def act(self, observation: Observation) -> NDArray[np.float32]:
        action = self._policy.act(observation)
        if self._deviation is not None:
            added = self._deviation[int(self.steps >= self._change)]
            action = np.clip(action + added, -1.0, 1.0).astype(np.float32)
        self.steps += 1
        return action
