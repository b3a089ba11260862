"""One recorded episode, and what every episode of a cell holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_train.rollout.cell import Episode, EpisodePolicy, Observation, control_rate_hz, run_episode
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.steps import Listener, Step, Watched

ROBOT = "ur10e"
"""The arm of every cell."""


@dataclass(frozen=True, kw_only=True)
class EpisodeLayout:
    """What the episodes of a cell hold, by name and in order. The true state is no part of it."""

    rate_hz: float
    """Control steps per second, each of which is one frame."""
    image_size_px: int
    """Width and height of every view."""
    views: tuple[str, ...]
    """The channels of the image."""
    groups: Mapping[str, tuple[str, ...]]
    """Components of the low-dimensional groups of the observation, which the state joins together."""
    actions: tuple[str, ...]

    @classmethod
    def of(cls, env: gymnasium.Env[Any, Any]) -> Self:
        """That of a cell."""
        cell: Any = env.unwrapped
        return cls(
            rate_hz=control_rate_hz(env),
            image_size_px=cell.layout.image_size_px,
            views=tuple(channel.name for channel in cell.observation_components["image"]),
            groups={
                group: tuple(component.name for component in components)
                for group, components in cell.layout.groups.items()
            },
            actions=tuple(component.name for component in cell.action_components),
        )

    @property
    def state(self) -> tuple[str, ...]:
        """Names of the components of the state, each after its group."""
        return tuple(f"{group}.{name}" for group, names in self.groups.items() for name in names)


@dataclass(frozen=True, kw_only=True, eq=False)
class RecordedEpisode:
    """One episode, a row per control step."""

    images: NDArray[np.uint8]
    """(steps, views, H, W) before each action."""
    state: NDArray[np.float32]
    """(steps, components) before each action."""
    actions: NDArray[np.float32]
    """(steps, actions) in [-1, 1]."""
    rewards: NDArray[np.float32]
    """(steps,) after each action, as are the next two."""
    dones: NDArray[np.bool_]
    successes: NDArray[np.bool_]
    task: str
    """What is to be done, in words."""
    facts: Mapping[str, Any]
    """What repeats the episode, and its result, as JSON has it."""

    def __len__(self) -> int:
        return len(self.actions)


def joined(observation: Observation, groups: Iterable[str]) -> NDArray[np.float32]:
    """The state: these groups of an observation one after the other."""
    return np.concatenate([observation[group] for group in groups])


def recorded(
    env: gymnasium.Env[Any, Any],
    policy: EpisodePolicy,
    episode: Episode,
    *,
    made_by: Mapping[str, str],
    listeners: Sequence[Listener] = (),
) -> RecordedEpisode:
    """Work on one part and keep every step; `made_by` says what else decides the episode."""
    steps: list[Step] = []

    def keep(_: gymnasium.Env[Any, Any], step: Step) -> None:
        steps.append(step)

    result = run_episode(Watched(env, keep, *listeners), policy, episode)
    cell: Any = env.unwrapped
    return RecordedEpisode(
        images=np.stack([step.observation["image"] for step in steps]),
        state=np.stack([joined(step.observation, cell.layout.groups) for step in steps]),
        actions=np.stack([step.action for step in steps]),
        rewards=np.array([step.reward for step in steps], np.float32),
        dones=np.array([step.done for step in steps]),
        successes=np.array([step.success for step in steps]),
        task=family_of(env).instruction.format(product=cell.product),
        facts={"made_by": dict(made_by), "good": result.good, "result": result.as_json()},
    )
