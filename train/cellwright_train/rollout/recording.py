"""The record of one part, step by step, with pictures, for `watch` and the report."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_train.results.result import Result_co
from cellwright_train.rollout.cell import Episode, EpisodePolicy, Observation, run_episode
from cellwright_train.rollout.families import family_of

Image = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class PartRecord(Generic[Result_co]):
    """The record of one policy on one part."""

    policy: str
    episode: Episode
    result: Result_co
    trace: Mapping[str, NDArray[Any]]
    """The environment's `trace()`.

    Of a weld: `time_s`, `path_position_m`, `lateral_error_m`, `current_a`, `voltage_v`, `temperature_k`,
    `gap_m` and `speed_m_s` (steps,), and per millimetre of bead `bead_position_m`, `bead_grade` (0 passes B,
    1 passes C, 2 passes D, 3 fails D, 4 not welded) and `bead_code` (ISO 6520-1, 0 for none). Of an
    insertion: the fields of its measurement (steps,) and `wrench_t` (steps, 6).
    """
    actions: NDArray[np.float32]
    """(steps, actions)."""
    product: Any = None
    """The environment's own description of the part."""
    clearance_m: float = math.nan
    """Clearance of an insertion in this episode, which may differ from the drawing's; nan for a weld."""
    pictures: tuple[Image, ...] = ()
    """The cell, (H, W, 3), evenly spaced over the episode."""
    camera: tuple[Image, ...] = ()
    """The policy's camera at the same moments, (channels, H, W)."""
    picture_steps: tuple[int, ...] = ()
    """Control steps before each of these moments."""
    picture_times_s: tuple[float, ...] = ()
    views: tuple[str, ...] = ()
    """Names of the camera's channels."""
    views_in_picture: bool = False
    """Whether the pictures show them already."""


@dataclass
class _Camera:
    """Takes a picture every `every` control steps."""

    every: int
    actions: list[NDArray[np.float32]] = field(default_factory=list)
    pictures: list[Image] = field(default_factory=list)
    camera: list[Image] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)

    def __call__(
        self, env: gymnasium.Env[Any, Any], observation: Observation, action: NDArray[np.float32]
    ) -> None:
        if self.every and len(self.actions) % self.every == 0:
            cell: Any = env.unwrapped
            picture = cell.picture()
            self.pictures.append(np.asarray(picture, np.uint8))
            self.camera.append(np.array(observation["image"]))
            self.steps.append(len(self.actions))
        self.actions.append(np.array(action))


def record_part(
    env: gymnasium.Env[Any, Any],
    policy: EpisodePolicy,
    episode: Episode,
    *,
    picture_every: int = 0,
) -> PartRecord[Any]:
    """Work on one part and keep the trace; a picture every `picture_every` control steps, none at 0.

    `env` has to be made with `trace=True`, and with `render=True` where pictures are wanted.
    """
    camera = _Camera(picture_every)
    result = run_episode(env, policy, episode, watch=camera)
    cell: Any = env.unwrapped
    trace: dict[str, Any] = dict(cell.trace())
    return PartRecord(
        policy=policy.name,
        episode=episode,
        result=result,
        trace={name: np.asarray(values) for name, values in trace.items()},
        actions=np.stack(camera.actions),
        pictures=tuple(camera.pictures),
        camera=tuple(camera.camera),
        product=cell.product,
        clearance_m=cell.conditions.clearance_m if hasattr(cell, "conditions") else math.nan,
        picture_steps=tuple(camera.steps),
        picture_times_s=tuple(step / cell.control_rate_hz for step in camera.steps),
        views=tuple(channel.name for channel in cell.observation_components["image"]),
        views_in_picture=family_of(env).views_in_picture,
    )


def pictured(env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode) -> PartRecord[Any]:
    """Work on one part and keep its trace, with a picture of its beginning and one of its end."""
    steps = len(record_part(env, policy, episode).actions)
    return record_part(env, policy, episode, picture_every=max(1, steps - 1))
