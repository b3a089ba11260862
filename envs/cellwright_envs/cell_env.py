"""The base of every cell environment: random streams, the order of a control step, the life of an episode."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from cellwright_envs.disturbances.named_sets import resolve_named
from cellwright_envs.disturbances.widths import factors, narrowed
from cellwright_runtime.interface.groups import BoundedGroups, bounds
from cellwright_runtime.vocabulary import Component, ControllerSetup, Layout, Setting

Observation = dict[str, NDArray[Any]]
Measurement = TypeVar("Measurement")


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Independent generators, so that switching one consumer off leaves the others' draws as they were."""

    task: np.random.Generator
    disturbance: np.random.Generator
    process: np.random.Generator
    sensors: np.random.Generator


class CellConfig(Protocol):
    """Fields that the configuration of every cell has."""

    @property
    def control_period_s(self) -> float: ...


def group_space(components: tuple[Component, ...]) -> spaces.Box:
    """The Box of one low-dimensional observation group."""
    return spaces.Box(*bounds(components), dtype=np.float32)


class CellEnv(gymnasium.Env[Observation, NDArray[np.float32]], Generic[Measurement]):
    """One control step in the order of docs/control-step.md; a task fills in the named hooks.

    Subclasses call `_declare` before they return from their constructor.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 25}  # noqa: RUF012 - as Gymnasium has it
    family: ClassVar[str]
    """Kind of work, which decides how results are summarised: `welding` or `assembly`."""
    disturbance_sets: ClassVar[Mapping[str, Any]]
    """Sets of disturbances by name."""
    line_changes: ClassVar[Mapping[str, Any]]
    """Lasting changes of the line by name."""

    action_components: tuple[Component, ...]
    observation_components: dict[str, tuple[Component, ...]]
    control_rate_hz: float
    measurement: Measurement
    """The truth after the last control step, or at the start of the episode."""
    layout: Layout
    """What the interface between policy and controller has to know."""
    frames: ClassVar[Mapping[str, str]] = {}
    """Frame of each group of the observation, and of the `action`, that has one."""

    def __init__(
        self,
        *,
        product: Any,
        disturbances: Any,
        privileged: bool,
        record_trace: bool,
        render_mode: str | None,
        config: CellConfig,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.config = config
        self.render_mode = render_mode
        self.products = self._resolve_products(product)
        self.set_disturbances(disturbances)
        self.privileged = privileged
        self.record_trace = record_trace
        self.control_rate_hz = 1.0 / config.control_period_s

    def _declare(
        self,
        *,
        actions: tuple[Component, ...],
        views: tuple[str, ...],
        image_size_px: int,
        groups: dict[str, tuple[Component, ...]],
        privileged: tuple[Component, ...],
        settings: tuple[Setting, ...],
    ) -> None:
        """Describe actions, observations and what a controller is set to; make the spaces."""
        self.action_components = actions
        self.action_space = spaces.Box(-1.0, 1.0, (len(actions),), np.float32)
        self._privileged_components = privileged
        low_dimensional = {**groups, "privileged": privileged} if self.privileged else groups
        levels = tuple(Component(name=view, unit="grey value", low=0.0, high=255.0) for view in views)
        self.observation_components = {"image": levels, **low_dimensional}
        boxes = {name: group_space(components) for name, components in low_dimensional.items()}
        image = spaces.Box(0, 255, (len(views), image_size_px, image_size_px), np.uint8)
        observed: spaces.Space[Any] = spaces.Dict({"image": image, **boxes})
        self.observation_space = observed
        self._true_state = BoundedGroups({"privileged": privileged})
        self.layout = Layout(
            control_period_s=self.config.control_period_s,
            image_size_px=image_size_px,
            actions=actions,
            groups=groups,
            controller=ControllerSetup(settings=settings, frames=self.frames),
        )

    @property
    def privileged_names(self) -> tuple[str, ...]:
        """Names of the components of the `privileged` group."""
        return tuple(component.name for component in self._privileged_components)

    def set_disturbances(self, disturbances: Any) -> None:
        """Draw from other disturbances, a set or its name, from the next reset on."""
        self.disturbances = resolve_named(disturbances, self.disturbance_sets)

    def constructor_arguments(self) -> dict[str, Any]:
        """Arguments that make another cell like this one."""
        return {
            "product": self.products,
            "disturbances": self.disturbances,
            "privileged": self.privileged,
            "record_trace": self.record_trace,
            "render_mode": self.render_mode,
            "config": self.config,
        }

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options` may name what differs in this one, see the task's page."""
        super().reset(seed=seed)
        streams = Streams(**dict(zip(Streams.__dataclass_fields__, self.np_random.spawn(4), strict=True)))
        self._begin_episode(streams, options or {})
        return self._observe(), {}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control period. Truncation is the TimeLimit wrapper's business.

        Raises ValueError for an action of another shape or with a value that is not finite.
        """
        if np.shape(action) != self.action_space.shape or not np.isfinite(action).all():
            raise ValueError(f"need {self.action_space.shape} finite numbers as action, got {action}")
        # Half the time of np.clip, which matters at a few hundred microseconds a step.
        self._act(np.minimum(np.maximum(action, -1.0), 1.0))
        measurement = self.measurement = self._measure()
        terms = self._reward_terms(measurement)
        terminated = self._terminated(measurement)
        info: dict[str, Any] = {"reward_terms": terms}
        if terminated:
            info |= self._episode_info(measurement)
        return self._observe(), float(sum(terms.values())), terminated, False, info

    def disturbance_factors(self, level: str) -> tuple[str, ...]:
        """Names of the disturbances that are on in the set called `level`."""
        return factors(resolve_named(level, self.disturbance_sets))

    def narrow_disturbances(self, level: str, widths: Mapping[str, float]) -> None:
        """Draw from the set called `level` from the next reset on, at the widths named: 0 off, 1 full."""
        self.disturbances = narrowed(resolve_named(level, self.disturbance_sets), widths)

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

    def _draw(self, streams: Streams, options: dict[str, Any]) -> tuple[Any, Any]:
        """Product and disturbances of this episode, as `options` or the constructor's arguments have them."""
        if unknown := set(options) - {"product", "disturbances"}:
            raise ValueError(f"unknown reset options {sorted(unknown)}; known: product, disturbances")
        products = self._resolve_products(options["product"]) if "product" in options else self.products
        product = products[int(streams.task.integers(len(products)))]
        disturbances = resolve_named(options.get("disturbances", self.disturbances), self.disturbance_sets)
        return product, disturbances.draw(streams.disturbance)

    @abstractmethod
    def scorecard(self) -> Any:
        """What is known about the part so far; at the end of the episode, its inspection."""

    @abstractmethod
    def trace(self) -> dict[str, NDArray[Any]]:
        """Arrays of the episode so far; raises ValueError without `record_trace=True`."""

    @abstractmethod
    def _resolve_products(self, choice: Any) -> tuple[Any, ...]:
        """Products behind a name, a product or several; ValueError where a name is unknown."""

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
