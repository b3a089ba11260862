"""A running episode in Rerun."""

from __future__ import annotations

from typing import Any, Self

import gymnasium
import numpy as np
import rerun as rr

from cellwright_train.rollout.cell import control_rate_hz, run_episode
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.steps import Step, Watched
from cellwright_train.rollout.trial import Trial

APPLICATION = "cellwright"
TIME, POSE = "time", "pose"
_JPEG_QUALITY = 80
_AXIS_M = 0.02


class Viewer:
    """Shows what the policy sees and does at every step: a listener of a `Watched` cell.

    Episodes follow one another on one line of time.
    """

    def __init__(self, stream: rr.RecordingStream) -> None:
        self._stream = stream
        self._steps = 0

    @classmethod
    def window(cls) -> Self:
        """Show it in a window of its own."""
        stream = rr.RecordingStream(APPLICATION)
        stream.spawn()
        return cls(stream)

    def __call__(self, env: gymnasium.Env[Any, Any], step: Step) -> None:
        """Show a step."""
        cell: Any = env.unwrapped
        rate_hz = control_rate_hz(env)
        if self._steps == 0:
            self._name(cell, step)
        self._stream.set_time(TIME, duration=self._steps / rate_hz)
        views = (channel.name for channel in cell.observation_components["image"])
        for view, grey in zip(views, step.observation["image"], strict=True):
            self._stream.log(f"camera/{view}", rr.Image(grey, "L"))
        for group in cell.layout.groups:
            self._stream.log(f"observation/{group}", rr.Scalars(step.observation[group]))
        self._stream.log("action", rr.Scalars(step.action))
        self._stream.log("reward", rr.Scalars(list(step.terms.values())))
        if POSE in cell.layout.groups:
            self._show_tool(step.observation[POSE])
        if self._steps % max(1, round(family_of(env).picture_period_s * rate_hz)) == 0:
            self._stream.log("cell", rr.Image(cell.render()).compress(_JPEG_QUALITY))
        if step.done:
            told = f"{cell.product.name}: {'good' if step.success else 'not good'}"
            self._stream.log("episodes", rr.TextLog(told))
        self._steps += 1

    def _name(self, cell: Any, step: Step) -> None:
        """Say once what the curves are."""
        names = {
            f"observation/{group}": [component.name for component in components]
            for group, components in cell.layout.groups.items()
        }
        names |= {"action": [component.name for component in cell.action_components]}
        for path, curves in (names | {"reward": list(step.terms)}).items():
            self._stream.log(path, rr.SeriesLines(names=curves), static=True)
        if POSE in cell.layout.groups:
            self._stream.log("tool", rr.TransformAxes3D(_AXIS_M), static=True)

    def _show_tool(self, pose: Any) -> None:
        """The tool relative to the nominal fixture: `pose` (6,) [m] and a rotation vector [rad]."""
        turn = np.asarray(pose[3:], np.float64)
        angle_rad = float(np.linalg.norm(turn))
        axis = turn / angle_rad if angle_rad > 0 else (0.0, 0.0, 1.0)
        rotation = rr.RotationAxisAngle(axis=axis, radians=angle_rad)
        self._stream.log("tool", rr.Transform3D(translation=pose[:3], rotation=rotation))


def shown(trial: Trial, viewer: Viewer) -> list[str]:
    """Work on the parts of `trial` and show every step; a line per part."""
    env, policy = trial.workplace
    watched = Watched(env, viewer)
    results = [(part.seed, run_episode(watched, policy, part)) for part in trial.plan]
    return [f"{result.product}, seed {seed}: {result.outcome}" for seed, result in results]


def recording(trial: Trial) -> tuple[bytes, list[str]]:
    """The same as the content of a file that Rerun opens."""
    stream = rr.RecordingStream(APPLICATION)
    memory = stream.memory_recording()
    told = shown(trial, Viewer(stream))
    return memory.drain_as_bytes(), told
