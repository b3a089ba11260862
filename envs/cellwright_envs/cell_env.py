"""The base of every cell environment: random streams, the order of a control step, the life of an episode."""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from numpy.typing import NDArray

from cellwright_envs.conditions import conditions_hash
from cellwright_envs.disturbances.named_sets import resolve_named
from cellwright_envs.disturbances.widths import active, narrowed
from cellwright_envs.episode import EpisodeState, Streams, drawn
from cellwright_envs.rendering.true_views import KINDS, TrueViews
from cellwright_runtime.interface.groups import BoundedGroups, bounds
from cellwright_runtime.vocabulary import Component, ControllerSetup, Layout, Setting

if TYPE_CHECKING:
    from cellwright_envs.rendering.shot import Shot

Observation = dict[str, NDArray[Any]]
Measurement = TypeVar("Measurement")


class CellConfig(Protocol):
    """Fields that the configuration of every cell has."""

    @property
    def control_period_s(self) -> float: ...

    @property
    def time_limit_s(self) -> float:
        """Time after which an episode is cut off, or later where its part takes longer."""


class Scorecard(Protocol):
    """The result of an inspection, of any task."""

    def numbers(self) -> dict[str, float]:
        """Every figure by name, always the same names; true is 1."""


class _Life(Enum):
    """State of a cell between its creation and `close`."""

    NEW = "no episode has begun: call reset() first"
    RUNNING = "an episode runs"
    CLOSED = "the environment is closed: make another one"


def group_space(components: tuple[Component, ...]) -> spaces.Box:
    """The Box of one low-dimensional observation group."""
    return spaces.Box(*bounds(components), dtype=np.float32)


class CellEnv(gymnasium.Env[Observation, NDArray[np.float32]], Generic[Measurement]):
    """One control step in the order of docs/control-step.md; a task fills in the named hooks.

    Subclasses call `_declare` before they return from their constructor.
    """

    metadata = {"render_modes": ["rgb_array", "depth_array"], "render_fps": 25}  # noqa: RUF012 - as Gymnasium has it
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
    limit_steps: int
    """Control steps after which the present episode is cut off."""
    product: Any
    """The product of the present episode."""
    _time_s: float
    segmentation_names: ClassVar[tuple[str, ...]]
    """What each number of the group `segmentation` stands for; 0 is nothing."""
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
        views: tuple[str, ...],
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            known = ", ".join(map(repr, self.metadata["render_modes"]))
            raise ValueError(f"render_mode must be None or one of {known}, got {render_mode!r}")
        known_views = ("image", *KINDS)
        if "image" not in views or not set(views) <= set(known_views) or len(set(views)) < len(views):
            raise ValueError(f"views must be 'image' and any of {', '.join(KINDS)}, got {views}")
        self.config = config
        self.views = views
        self.render_mode = render_mode
        self.products = self._resolve_products(product)
        self.set_disturbances(disturbances)
        self.privileged = privileged
        self.record_trace = record_trace
        self.control_rate_hz = 1.0 / config.control_period_s
        self._life = _Life.NEW

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
        self._true_views = TrueViews(len(views), image_size_px) if len(self.views) > 1 else None
        shown = {} if self._true_views is None else self._true_views.spaces()
        for kind, unit in zip(KINDS, ("m", "1"), strict=True):
            if kind in self.views:
                boxes[kind] = box = shown[kind]
                low, high = float(box.low.min()), float(box.high.max())
                self.observation_components[kind] = tuple(
                    Component(name=view, unit=unit, low=low, high=high) for view in views
                )
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

    def set_products(self, product: Any) -> None:
        """Make other products, given as to the constructor, from the next reset on."""
        self.products = self._resolve_products(product)

    def constructor_arguments(self) -> dict[str, Any]:
        """Arguments that make another cell like this one."""
        return {
            "product": self.products,
            "disturbances": self.disturbances,
            "privileged": self.privileged,
            "record_trace": self.record_trace,
            "render_mode": self.render_mode,
            "config": self.config,
            "views": self.views,
        }

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode; `options` may name what differs in this one, see the task's page."""
        self._require_open()
        super().reset(seed=seed)
        given = options or {}
        if unknown := set(given) - {"product", "disturbances"}:
            raise ValueError(f"unknown reset options {sorted(unknown)}; known: product, disturbances")
        products = self._resolve_products(given["product"]) if "product" in given else self.products
        chosen = given.get("disturbances", self.disturbances)
        return self._begin(products, resolve_named(chosen, self.disturbance_sets))

    def _begin(self, products: tuple[Any, ...], disturbances: Any) -> tuple[Observation, dict[str, Any]]:
        self._life = _Life.NEW
        self._beginning = copy.deepcopy(self.np_random), products, disturbances
        self._taken: list[NDArray[np.float32]] = []
        streams, product, disturbed = drawn(self.np_random, products, disturbances)
        self._begin_episode(streams, product, disturbed)
        limit_s = max(self.config.time_limit_s, self._needed_s())
        self.limit_steps = math.ceil(limit_s / self.config.control_period_s - 1e-6)
        self._life = _Life.RUNNING
        self._no_terms = dict.fromkeys(self._reward_terms(self.measurement), 0.0)
        self._not_judged = dict.fromkeys(self.scorecard().numbers(), 0.0)
        return self._seen(), self._info(self._no_terms, ended=False)

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """One control period. An episode is truncated after `limit_steps`, which follow from its part.

        Raises ValueError for an action of another shape or with a value that is not finite, ResetNeeded
        before the first `reset`, ClosedEnvironmentError after `close`.
        """
        if self._life is not _Life.RUNNING:
            raise self._refusal()
        if np.shape(action) != self.action_space.shape or not np.isfinite(action).all():
            raise ValueError(f"need {self.action_space.shape} finite numbers as action, got {action}")
        # Half the time of np.clip, which matters at a few hundred microseconds a step.
        clipped = np.minimum(np.maximum(action, -1.0), 1.0)
        self._taken.append(clipped)
        self._act(clipped)
        measurement = self.measure()
        terms = self._reward_terms(measurement)
        terminated = self._terminated(measurement)
        truncated = len(self._taken) >= self.limit_steps
        observation, info = self._seen(), self._info(terms, ended=terminated or truncated)
        return observation, float(sum(terms.values())), terminated, truncated, info

    def _seen(self) -> Observation:
        observation = self._observe()
        if self._true_views is None:
            return observation
        shown = self._true_views.groups()
        return observation | {kind: shown[kind] for kind in self.views if kind in shown}

    def _info(self, terms: dict[str, float], *, ended: bool) -> dict[str, Any]:
        """The same keys and types at every step; the scorecard's figures are 0 before the end."""
        return {
            "reward_terms": dict(terms),
            "product": self.product.name,
            "is_success": ended and self._is_success(),
            "scorecard": self.scorecard().numbers() if ended else dict(self._not_judged),
            **self._own_info(self.measurement),
        }

    @property
    def time_s(self) -> float:
        """Since the episode began, as its process and its disturbances have it."""
        return self._time_s

    @property
    def succeeded(self) -> bool:
        """Whether the part is good as it is now, by the last measurement."""
        return self._is_success()

    @property
    def failed(self) -> bool:
        """Whether the part is spoilt, or the tool has touched what it must not, by the last measurement."""
        return self._failed(self.measurement)

    def measure(self) -> Measurement:
        """Take the `measurement` of a control period that is over.

        `step` does it; a robot's own loop, which moves the cell by the steps below the interface, calls it.
        """
        self.measurement = self._measure()
        return self.measurement

    def conditions_hash(self) -> str:
        """Hash of what this episode meets, whatever the policy does: 16 hexadecimal digits.

        It covers task, configuration, product, everything that each disturbance drew, and the generators
        from which process and sensors draw. Episodes with one hash begin alike, bit for bit, and differ by
        their actions alone.
        """
        self._require_episode()
        generator, products, disturbances = self._beginning
        streams, product, disturbed = drawn(copy.deepcopy(generator), products, disturbances)
        return conditions_hash(
            task=type(self).__name__, config=self.config, product=product, drawn=disturbed, streams=streams
        )

    def state(self) -> EpisodeState:
        """The episode up to now, for `restore` here or in another cell with the same arguments."""
        self._require_episode()
        generator, products, disturbances = self._beginning
        return EpisodeState(
            task=type(self).__name__,
            config=self.config,
            generator=copy.deepcopy(generator),
            products=products,
            disturbances=disturbances,
            actions=tuple(self._taken),
        )

    def restore(self, state: EpisodeState) -> tuple[Observation, dict[str, Any]]:
        """Go to the moment at which `state` was taken, and return the observation of that moment.

        The episode is repeated from its beginning, which is exact to the last bit. Snapshots of the physics
        engine are not, because contacts have more state than a snapshot holds.

        Raises ValueError for a state of another task or another `config`.
        """
        self._require_open()
        if (state.task, state.config) != (type(self).__name__, self.config):
            raise ValueError(f"the state is of a {state.task} with {state.config}, not of this cell")
        self._np_random = copy.deepcopy(state.generator)
        seen = self._begin(state.products, state.disturbances)
        for action in state.actions:
            observation, *_, info = self.step(action)
            seen = observation, info
        return seen

    def scorecard(self) -> Any:
        """The inspection of the part so far; at the end of the episode, its result."""
        self._require_episode()
        return self._inspect()

    def trace(self) -> dict[str, NDArray[Any]]:
        """Arrays of the episode so far; raises ValueError without `record_trace=True`."""
        if not self.record_trace:
            raise ValueError("no trace was recorded: make the environment with record_trace=True")
        self._require_episode()
        return self._recorded()

    def render(self) -> NDArray[Any]:
        """A quick picture of the cell (480, 640, 3) uint8, or with `depth_array` its depth (480, 640) [m]."""
        self._require_episode()
        shot = self._shot()
        return shot.depth_m() if self.render_mode == "depth_array" else shot.quick()

    def picture(self) -> NDArray[np.uint8]:
        """A fine picture of the cell (480, 640, 3), with shadows: takes a second or two, for reports."""
        self._require_episode()
        return self._shot().fine()

    def close(self) -> None:
        """Give the physics engine back; harmless when repeated."""
        self._life = _Life.CLOSED

    def _require_open(self) -> None:
        if self._life is _Life.CLOSED:
            raise self._refusal()

    def _require_episode(self) -> None:
        if self._life in (_Life.NEW, _Life.CLOSED):
            raise self._refusal()

    def _refusal(self) -> Exception:
        kind = ClosedEnvironmentError if self._life is _Life.CLOSED else ResetNeeded
        return kind(f"{type(self).__name__}: {self._life.value}")

    def disturbance_names(self, name: str) -> tuple[str, ...]:
        """Names of the disturbances that are on in the set called `name`."""
        return active(resolve_named(name, self.disturbance_sets))

    def narrow_disturbances(self, name: str, widths: Mapping[str, float]) -> None:
        """Draw from the set called `name` from the next reset on, at the widths named: 0 off, 1 full."""
        self.disturbances = narrowed(resolve_named(name, self.disturbance_sets), widths)

    def __getstate__(self) -> dict[str, Any]:
        """The content of a pickle, without the physics engine: a restored cell needs a `reset`."""
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
    def _resolve_products(self, choice: Any) -> tuple[Any, ...]:
        """Products behind a name, a product or several; ValueError where a name is unknown."""

    @abstractmethod
    def _begin_episode(self, streams: Streams, product: Any, disturbed: Any) -> None:
        """Place `product`, `disturbed` as drawn, and draw everything else that this episode fixes."""

    def _needed_s(self) -> float:
        """Time for this episode's part in the slowest way allowed; 0 where the usual limit is enough."""
        return 0.0

    @abstractmethod
    def _act(self, action: NDArray[np.float32]) -> None:
        """Actuators, physics and process for one control period; `action` is within [-1, 1]."""

    @abstractmethod
    def _measure(self) -> Measurement:
        """The truth that reward, termination and info all read."""

    @abstractmethod
    def _reward_terms(self, measurement: Measurement) -> dict[str, float]: ...

    @abstractmethod
    def _failed(self, measurement: Measurement) -> bool:
        """Whether nothing good can come of the episode any more."""

    @abstractmethod
    def _terminated(self, measurement: Measurement) -> bool: ...

    @abstractmethod
    def _is_success(self) -> bool:
        """Whether the part, at the end of the episode, is good."""

    def _own_info(self, measurement: Measurement) -> dict[str, Any]:
        """Further values of `info` at every step: numbers or text, always of one type."""
        return {}

    @abstractmethod
    def _inspect(self) -> Any:
        """The scorecard now, a `Scorecard`."""

    @abstractmethod
    def _recorded(self) -> dict[str, NDArray[Any]]:
        """The arrays of `trace`."""

    @abstractmethod
    def _shot(self) -> Shot:
        """The cell as people see it now."""

    @abstractmethod
    def _observe(self) -> Observation:
        """Sensors, their disturbances, and the observation dict."""
