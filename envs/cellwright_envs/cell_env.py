"""What every cell environment shares: random streams, the control step's order, episode bookkeeping."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

Observation = dict[str, NDArray[Any]]
Measurement = TypeVar("Measurement")


@dataclass(frozen=True, kw_only=True)
class Component:
    """One number of an observation group or an action, as a bundle's manifest documents it."""

    name: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Independent generators, so that switching one consumer off leaves the others' draws as they were."""

    task: np.random.Generator
    disturbance: np.random.Generator
    process: np.random.Generator
    sensors: np.random.Generator


def group_space(components: tuple[Component, ...]) -> spaces.Box:
    """The Box of one low-dimensional observation group."""
    return spaces.Box(
        np.array([component.low for component in components], dtype=np.float32),
        np.array([component.high for component in components], dtype=np.float32),
        dtype=np.float32,
    )


class CellEnv(gymnasium.Env[Observation, NDArray[np.float32]], Generic[Measurement]):
    """One control step in the order of docs/control-step.md; a task fills in the named hooks.

    Subclasses set `action_components`, `observation_components` and the spaces before they return from
    their constructor.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012 - as Gymnasium has it

    action_components: tuple[Component, ...]
    observation_components: dict[str, tuple[Component, ...]]
    control_rate_hz: float

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options` may name what differs in this one, see the task's page."""
        super().reset(seed=seed)
        streams = Streams(**dict(zip(Streams.__dataclass_fields__, self.np_random.spawn(4), strict=True)))
        self._begin_episode(streams, options or {})
        return self._observe(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control period. Truncation is the TimeLimit wrapper's business."""
        # Half the time of np.clip, which matters at a few hundred microseconds a step.
        self._act(np.minimum(np.maximum(action, -1.0), 1.0))
        measurement = self._measure()
        terms = self._reward_terms(measurement)
        terminated = self._terminated(measurement)
        info: dict[str, Any] = {"reward_terms": terms}
        if terminated:
            info |= self._episode_info(measurement)
        return self._observe(), float(sum(terms.values())), terminated, False, info

    def __getstate__(self) -> dict[str, Any]:
        """What travels in a pickle: the physics engine cannot, so a restored cell waits for its `reset`."""
        return {
            "arguments": self.constructor_arguments(),
            "spec": self.spec,
            "generator": self._np_random,
            "seed": self._np_random_seed,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        type(self).__init__(self, **state["arguments"])
        self.spec = state["spec"]
        self._np_random, self._np_random_seed = state["generator"], state["seed"]

    @abstractmethod
    def constructor_arguments(self) -> dict[str, Any]:
        """Arguments that make another cell like this one."""

    @abstractmethod
    def _begin_episode(self, streams: Streams, options: dict[str, Any]) -> None:
        """Draw and place everything that this episode fixes."""

    @abstractmethod
    def _act(self, action: NDArray[np.float32]) -> None:
        """Actuators, physics and process for one control period; `action` is within [-1, 1]."""

    @abstractmethod
    def _measure(self) -> Measurement:
        """The truth that reward, termination and info all read."""

    @abstractmethod
    def _reward_terms(self, measurement: Measurement) -> dict[str, float]: ...

    @abstractmethod
    def _terminated(self, measurement: Measurement) -> bool: ...

    @abstractmethod
    def _episode_info(self, measurement: Measurement) -> dict[str, Any]:
        """What `info` carries at the end, `scorecard` and `is_success` among it."""

    @abstractmethod
    def _observe(self) -> Observation:
        """Sensors, their disturbances, and the observation dict."""
