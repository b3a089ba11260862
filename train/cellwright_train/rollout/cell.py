"""The environments as the commands use them: made by name, described for a manifest, run for one episode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_envs.disturbances.line_change import LineChange
from cellwright_envs.disturbances.named_sets import resolve_named
from cellwright_runtime.bundle.cameras import TrainedView
from cellwright_runtime.bundle.cameras import trained_views as views_of
from cellwright_runtime.bundle.policy import ObservationGroup, PolicySpec
from cellwright_runtime.vocabulary import Component, ControllerSetup
from cellwright_train.environments import canonical_env
from cellwright_train.errors import UsageError, one_line
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.families import family_of

DEFAULT_ENV = "cellwright/WeldSeam-v1"

Observation = Mapping[str, NDArray[Any]]
Watcher = Callable[[gymnasium.Env[Any, Any], Observation, NDArray[np.float32]], None]
"""Called after each decision with environment, observation and action."""


class EpisodePolicy(Protocol):
    """What acts in a cell: a bundle, a run's policy, or an expert."""

    name: str

    def reset(self) -> None:
        """Forget the last episode."""

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Action (actions,) in [-1, 1]."""


class Episode(NamedTuple):
    """One part to work on."""

    seed: int
    product: str | None = None
    """None: the environment draws one."""
    changes: tuple[LineChange, ...] = ()
    """Lasting changes of the line that came before the part, in their order."""
    disturbances: str | None = None
    """Named set of disturbances; None: the cell's."""


@dataclass(frozen=True, kw_only=True)
class CellChoice:
    """Which cell to run, by names that travel to worker processes."""

    env: str = DEFAULT_ENV
    products: tuple[str, ...] = ()
    """Products to cycle through; none: the environment's own choice."""
    disturbances: str = "train"

    def make(
        self, *, privileged: bool = False, trace: bool = False, render: bool = False
    ) -> gymnasium.Env[Any, Any]:
        """The environment; raises `UsageError` where a name is unknown."""
        keywords: dict[str, Any] = {"disturbances": self.disturbances, "privileged": privileged}
        if trace:
            keywords["record_trace"] = True
        if self.products:
            keywords["product"] = self.products
        if render:
            keywords["render_mode"] = "rgb_array"
        env_id = canonical_env(self.env)
        try:
            return gymnasium.make(env_id, disable_env_checker=True, **keywords)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.env}: {one_line(error)}") from error


def products_of(split: str, env: str = DEFAULT_ENV) -> tuple[str, ...]:
    """Names of an environment's products in `train`, `held-out` or `all`, or one, or several joined by `+`;
    raises `UsageError`."""
    made = CellChoice(env=env, products=tuple(split.split("+")), disturbances="none").make()
    try:
        return product_names(made)
    finally:
        made.close()


def product_names(env: gymnasium.Env[Any, Any]) -> tuple[str, ...]:
    """What an environment makes, by name."""
    return tuple(product.name for product in env.unwrapped.products)  # type: ignore[attr-defined]


def run_episode(
    env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode, *, watch: Watcher | None = None
) -> EpisodeResult:
    """Work on one part to the end, or until the time is up, and return its result."""
    observation, _ = env.reset(seed=episode.seed, options=reset_options(env, episode))
    policy.reset()
    terminated = truncated = False
    while not (terminated or truncated):
        action = policy.act(observation)
        if watch is not None:
            watch(env, observation, action)
        observation, _, terminated, truncated, _ = env.step(action)
    return inspected(env, episode, cut_off=truncated and not terminated)


def inspected(env: gymnasium.Env[Any, Any], episode: Episode, *, cut_off: bool) -> EpisodeResult:
    """The result of the part in the cell; `cut_off` where the time limit came before the end."""
    cell: Any = env.unwrapped
    return family_of(env).result.read(
        cell.scorecard(),
        seed=episode.seed,
        product=cell.product.name,
        conditions=cell.conditions_hash(),
        cut_off=cut_off,
    )


def reset_options(env: gymnasium.Env[Any, Any], episode: Episode) -> dict[str, Any]:
    """What `reset` has to be given for `episode`."""
    cell: Any = env.unwrapped
    options: dict[str, Any] = {} if episode.product is None else {"product": episode.product}
    if episode.disturbances is not None:
        options["disturbances"] = resolve_named(episode.disturbances, cell.disturbance_sets)
    for change in episode.changes:
        options["disturbances"] = change.apply(options.get("disturbances", cell.disturbances))
        if change.product is not None:
            options["product"] = change.product
    return options


def observation_groups(env: gymnasium.Env[Any, Any], keys: tuple[str, ...]) -> tuple[ObservationGroup, ...]:
    """The groups `keys` of the observation, described for a manifest."""
    space = env.observation_space
    described = getattr(env.unwrapped, "observation_components", {})
    if not isinstance(space, gymnasium.spaces.Dict):
        raise UsageError(
            f"{env.spec and env.spec.id} has no dict observation, so a bundle cannot name its inputs"
        )
    return tuple(_group(key, space[key], described.get(key)) for key in keys)


def action_components(env: gymnasium.Env[Any, Any]) -> tuple[Component, ...]:
    """The physical commands behind the actions, in order."""
    return tuple(_component(entry) for entry in env.unwrapped.action_components)  # type: ignore[attr-defined]


def control_rate_hz(env: gymnasium.Env[Any, Any]) -> float:
    """Control steps per second."""
    return float(env.unwrapped.control_rate_hz)  # type: ignore[attr-defined]


def controller(env: gymnasium.Env[Any, Any]) -> ControllerSetup:
    """What the environment's policies expect of a controller."""
    cell: Any = env.unwrapped
    setup: ControllerSetup = cell.layout.controller
    return setup


def trained_views(spec: PolicySpec) -> tuple[TrainedView, ...]:
    """Pinholes and places of the views that a policy of this description takes."""
    images = [group for group in spec.observation if group.dtype == "uint8"]
    names = tuple(part.name for group in images for part in group.components)
    return views_of(spec.controller, names, images[0].shape[-1]) if images else ()


def _group(key: str, space: Any, described: Any) -> ObservationGroup:
    if space.dtype == np.uint8:
        names = [entry.name for entry in described] if described else range(space.shape[0])
        parts = tuple(Component(name=f"{name}", unit="1", low=0.0, high=255.0) for name in names)
    else:
        parts = tuple(_component(entry) for entry in described)
    return ObservationGroup(name=key, dtype=str(space.dtype), shape=tuple(space.shape), components=parts)


def _component(entry: Any) -> Component:
    # float32, so that the manifest's bounds are those of the space the policy was trained in
    low, high = float(np.float32(entry.low)), float(np.float32(entry.high))
    return Component(name=entry.name, unit=entry.unit, low=low, high=high)
