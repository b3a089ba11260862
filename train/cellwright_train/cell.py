"""The environments as the commands use them: made by name, described for a manifest, run for one episode."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_policies.bundle import Component, ObservationGroup
from cellwright_train.errors import UsageError, one_line, unknown

DEFAULT_ENV = "cellwright/WeldSeam-v0"
LEVELS = ("B", "C", "D")

Observation = Mapping[str, NDArray[Any]]
Watcher = Callable[[gymnasium.Env[Any, Any], Observation, NDArray[np.float32]], None]
"""Called after each decision with environment, observation and action."""


class EpisodePolicy(Protocol):
    """Anything that can weld: a bundle, a training run's policy, an expert."""

    name: str

    def reset(self) -> None:
        """Forget the last episode."""

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Action (actions,) in [-1, 1]."""


class Episode(NamedTuple):
    """One part to weld."""

    seed: int
    product: str | None = None
    """None: the environment draws one."""
    line_change: str | None = None
    """Name in `cellwright_envs.disturbances.LINE_CHANGES`: the part comes after this change of the line."""


@dataclass(frozen=True, kw_only=True)
class EpisodeResult:
    """One part, inspected."""

    seed: int
    product: str
    passed: dict[str, bool]
    """Quality level of ISO 5817 to verdict."""
    defect_mm: float
    """Length that fails level C, whatever the code, unwelded length included."""
    defect_mm_by_code: dict[str, float]
    """The same by ISO 6520-1 code; lengths of different codes may overlap."""
    seam_mm: float
    tracking_mean_mm: float
    tracking_p95_mm: float
    cycle_time_s: float
    crashed: bool

    def as_json(self) -> dict[str, Any]:
        """The entry of `per_episode`."""
        return {
            "seed": self.seed,
            "product": self.product,
            "passed": dict(self.passed),
            "defect_mm": {"total": self.defect_mm, "by_code": dict(self.defect_mm_by_code)},
            "seam_mm": self.seam_mm,
            "tracking_error_mm": {"mean": self.tracking_mean_mm, "p95": self.tracking_p95_mm},
            "cycle_time_s": self.cycle_time_s,
            "crashed": self.crashed,
        }


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
        _require_env(self.env)
        try:
            return gymnasium.make(self.env, disable_env_checker=True, **keywords)
        except (ValueError, TypeError) as error:
            raise UsageError(f"{self.env}: {one_line(error)}") from error


def products_of(split: str) -> tuple[str, ...]:
    """Names of the products in `train`, `held-out` or `all`, or one product; raises `UsageError`."""
    from cellwright_envs.welding.product import PRODUCTS, SPLITS

    if split in SPLITS:
        return tuple(SPLITS[split])
    if split in PRODUCTS:
        return (split,)
    raise unknown("products", split, [*SPLITS, *PRODUCTS])


def run_episode(
    env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode, *, watch: Watcher | None = None
) -> EpisodeResult:
    """Weld one part to the end and return what inspection says."""
    observation, _ = env.reset(seed=episode.seed, options=_options(env, episode))
    policy.reset()
    over = False
    info: dict[str, Any] = {}
    while not over:
        action = policy.act(observation)
        if watch is not None:
            watch(env, observation, action)
        observation, _, terminated, truncated, info = env.step(action)
        over = terminated or truncated
    return _result(info, episode)


def _options(env: gymnasium.Env[Any, Any], episode: Episode) -> dict[str, Any]:
    options: dict[str, Any] = {} if episode.product is None else {"product": episode.product}
    if episode.line_change is not None:
        from cellwright_envs.disturbances import LINE_CHANGES

        change = LINE_CHANGES[episode.line_change]
        options["disturbances"] = change.apply(env.unwrapped.disturbances)  # type: ignore[attr-defined]
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


def _require_env(env_id: str) -> None:
    import cellwright_envs

    register = getattr(cellwright_envs, "register_environments", None)
    ours = [name for name in gymnasium.registry if name.startswith("cellwright/")]
    if not ours and register is not None:
        register()
        ours = [name for name in gymnasium.registry if name.startswith("cellwright/")]
    if env_id not in gymnasium.registry:
        raise unknown("environment", env_id, ours)


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


def _result(info: Mapping[str, Any], episode: Episode) -> EpisodeResult:
    if "scorecard" not in info:
        raise UsageError("the episode was cut off before its end, so there is no scorecard to read")
    card = info["scorecard"]
    return EpisodeResult(
        seed=episode.seed,
        product=str(info.get("product", episode.product or "")),
        passed={level: bool(card.passed[level]) for level in LEVELS},
        defect_mm=1e3 * float(card.defect_length_m["C"]),
        defect_mm_by_code={
            str(code): 1e3 * float(length) for code, length in sorted(card.defect_length_by_code_m.items())
        },
        seam_mm=1e3 * float(card.weld_length_m),
        tracking_mean_mm=1e3 * float(card.tracking_error_mean_m),
        tracking_p95_mm=1e3 * float(card.tracking_error_p95_m),
        cycle_time_s=float(card.cycle_time_s),
        crashed=bool(card.crashed),
    )
