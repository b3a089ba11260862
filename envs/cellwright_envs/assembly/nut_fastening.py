"""The task: start a nut on a bolt, run it down and tighten it. Scene, actions, observations, reward and end.

The cell is that of every `Insertion`; the behaviour of a thread is in `thread.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.cell import Resistance, pose_matrix
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.measurement import InsertionMeasurement, InsertionScorecard
from cellwright_envs.assembly.parts.nuts import NUTS, RUN_TURNS, Nut
from cellwright_envs.assembly.parts.thread import SPIN_UP_REV_S2, TURN_RAD, Bite, BoltedJoint, NutRunner
from cellwright_envs.assembly.reward import alignment
from cellwright_envs.physics.transforms import product
from cellwright_runtime.vocabulary import Component, Setting

Array = NDArray[np.float64]

REWARD_WEIGHTS: dict[str, float] = {
    "depth": 10.0,
    "alignment": 3.0,
    "engaged": 2.0,
    "torque": 3.0,
    "crossed": 0.2,
    "seated": 0.4,
    "force": 0.2,
    "pace": 0.03,
    "smoothness": 0.02,
    "success": 10.0,
    "broken": 10.0,
}
"""Depth, alignment, engaged and torque per unit gained, success and broken once, the others per step."""
SPINDLE_REV_S = 2.0
"""Full speed: 120 rpm. Nut-runners start threads at 50 to 150 rpm and run down faster (assumption)."""
_FULL_RAD_S = TURN_RAD * SPINDLE_REV_S


@dataclass(frozen=True, kw_only=True)
class NutFasteningConfig(InsertionConfig):
    """The cell of every insertion, stiffer against turning, with a nut-runner in its fingers."""

    compliance: ComplianceConfig = field(
        default_factory=lambda: ComplianceConfig(rotational_stiffness_n_m_rad=30.0)
    )
    """Stiff enough for the arm to hold against the spindle: 0.1 rad of leash are 3 N m."""
    spindle_torque_n_m: float = 2.2
    """The most that the motor can."""
    spindle_setting: tuple[float, float] = (0.95, 1.05)
    """Torque at which the nut-runner holds, set for the part, over the middle of its torque window: a range
    over episodes (assumption)."""
    spindle_noise_n_m: float = 0.01
    """Noise of its torque sensor, standard deviation (assumption)."""
    joint_rad: float = float(np.pi / 2)
    """Turn from the flange to the middle of the torque window, at the friction as drawn. From a tenth to the
    whole torque a hard joint takes up to 27 degrees and a soft one 324 or more: ISO 5393:2017 (secondary
    source)."""
    joint_factor: tuple[float, float] = (0.8, 1.25)
    """Range of the bolted joint's stiffness in an episode over that on the drawing."""
    prevailing_fraction: tuple[float, float] = (0.02, 0.08)
    """Torque of a freely running nut, as a fraction of the window's middle (assumption)."""


@dataclass(frozen=True, kw_only=True)
class NutMeasurement(InsertionMeasurement):
    """The truth about a nut after one control step."""

    engaged: bool
    """Whether the threads have caught straight."""
    crossed: bool
    """Whether they have caught askew."""
    turns: float
    """Since they caught."""
    tightness_n_m: float
    """Torque with which the nut is tightened."""
    spindle_torque_n_m: float
    peak_torque_n_m: float
    """Largest torque of the spindle so far."""


@dataclass(frozen=True, kw_only=True)
class NutScorecard(InsertionScorecard):
    """The result of one fastening."""

    engaged: bool
    """Whether the threads had caught straight."""
    cross_threaded: bool
    """Whether they ever caught askew."""
    turns: float
    """Turned since the threads caught."""
    tightness_n_m: float
    """Torque with which the nut was tightened."""
    peak_torque_n_m: float
    """Largest torque of the spindle."""


class NutFastening(Insertion[NutMeasurement]):
    """Start a nut on a bolt, run it down and tighten it; see docs/environments/nut-fastening.md."""

    # Scene: nuts in the socket of a nut-runner, and bolts

    catalogue = NUTS
    default_config = NutFasteningConfig()
    config: NutFasteningConfig
    product: Nut

    # Actions and observations: the spindle on top of those of every insertion

    own_actions = (Component(name="spindle", unit="rad/s", low=-_FULL_RAD_S, high=_FULL_RAD_S),)
    own_groups = {  # noqa: RUF012 (read by `Insertion` only)
        "spindle": (
            Component(name="spindle_turn", unit="rad", low=-250.0, high=250.0),
            Component(name="spindle_speed", unit="rad/s", low=-_FULL_RAD_S, high=_FULL_RAD_S),
            Component(name="spindle_torque", unit="N.m", low=-2.5, high=2.5),
            Component(name="torque_low", unit="N.m", low=0.0, high=2.5),
            Component(name="torque_high", unit="N.m", low=0.0, high=2.5),
        )
    }
    own_privileged = (
        Component(name="engaged", unit="1", low=0.0, high=1.0),
        Component(name="crossed", unit="1", low=0.0, high=1.0),
        Component(name="pitch", unit="m", low=0.0, high=3e-3),
        Component(name="point", unit="m", low=0.0, high=6e-3),
        Component(name="push", unit="N", low=-40.0, high=40.0),
        Component(name="turns_left", unit="rev", low=-5.0, high=10.0),
        Component(name="tightness", unit="N.m", low=0.0, high=2.5),
        Component(name="torque_rate", unit="N.m/rad", low=0.0, high=10.0),
    )

    def _own_settings(self) -> tuple[Setting, ...]:
        stall, spin_up = (self.config.spindle_torque_n_m,), (TURN_RAD * SPIN_UP_REV_S2,)
        set_to = "smallest and largest torque that stops it, over the middle of the part's window"
        return (
            Setting(name="spindle_stall", unit="N.m", value=stall, meaning="the most of its motor"),
            Setting(name="spindle_setting", unit="1", value=self.config.spindle_setting, meaning=set_to),
            Setting(name="spindle_spin_up", unit="rad/s^2", value=spin_up, meaning="its acceleration"),
        )

    def _resistance(self, rng: np.random.Generator) -> Resistance:
        config, nut = self.config, self.product
        ranges = [(0.0, TURN_RAD), config.joint_factor, config.prevailing_fraction, config.spindle_setting]
        start, stiffness, prevailing, setting = rng.uniform(*np.array(ranges).T).tolist()
        drawn = BoltedJoint(
            form=nut.form,
            first_thread_m=nut.point_m,
            run_m=nut.run_m,
            bearing_diameter_m=nut.bearing_diameter_m,
            stiffness_n_m=1.0,
            friction=nut.friction,
            prevailing_n_m=prevailing * self._target_n_m,
            start_rad=start,
        )
        as_drawn_n_m = self._target_n_m / (drawn.torque_rate_n_m_rad * config.joint_rad)
        joint = replace(drawn, stiffness_n_m=stiffness * as_drawn_n_m, friction=self.conditions.friction)
        most_n_m = min(setting * self._target_n_m, config.spindle_torque_n_m)
        self.runner = NutRunner(joint, torque_limit_n_m=most_n_m)
        return self.runner

    def _needed_s(self) -> float:
        # The usual limit is for a few turns; a longer thread gets twice the time that full speed takes.
        turns = self.product.run_m / self.product.pitch_m
        return self.config.time_limit_s + 2.0 * max(turns - RUN_TURNS, 0.0) / SPINDLE_REV_S

    @property
    def _target_n_m(self) -> float:
        return float(np.mean(self.product.torque_window_n_m))

    def _drive(self, commands: Array) -> None:
        self.runner.command_rev_s = float(commands.item()) / TURN_RAD

    def _observe_own(self) -> dict[str, Array]:
        runner, noise = self.runner, self.config.spindle_noise_n_m
        felt_n_m = runner.torque_n_m + noise * self._sensor_rng.standard_normal()
        speed_rad_s = TURN_RAD * runner.speed_rev_s
        window = self.product.torque_window_n_m
        return {"spindle": np.array([runner.spindle_rad, speed_rad_s, felt_n_m, *window])}

    def _privileged_own(self) -> tuple[float, ...]:
        thread, nut = self.runner.thread, self.product
        return (
            float(thread.bite is Bite.ENGAGED),
            float(thread.bite is Bite.CROSSED),
            nut.pitch_m,
            nut.point_m,
            self.runner.push_n,
            thread.left_to_turn_rad(self._target_n_m) / TURN_RAD,
            thread.tightness_n_m,
            thread.joint.torque_rate_n_m_rad,
        )

    @property
    def part_w(self) -> Array:
        """Pose (4, 4) in the world of the parts that the spindle turns; only nut and mark are not round."""
        return product(super().part_w, pose_matrix(np.array([0.0] * 5 + [-self.runner.spindle_rad])))

    # Reward and end

    def _measure_own(self, shared: InsertionMeasurement, before: NutMeasurement | None) -> NutMeasurement:
        runner, thread = self.runner, self.runner.thread
        return NutMeasurement(
            **vars(shared),
            engaged=thread.bite is Bite.ENGAGED,
            crossed=thread.bite is Bite.CROSSED,
            turns=thread.caught_turn_rad / TURN_RAD,
            tightness_n_m=thread.tightness_n_m,
            spindle_torque_n_m=runner.torque_n_m,
            peak_torque_n_m=runner.peak_torque_n_m,
        )

    def _seated(self, m: NutMeasurement) -> bool:
        low, high = self.product.torque_window_n_m
        return super()._seated(m) and low <= m.tightness_n_m <= high

    def _broken(self, m: NutMeasurement) -> bool:
        return super()._broken(m) or m.peak_torque_n_m > self.product.torque_limit_n_m

    def _reward_terms(self, m: NutMeasurement) -> dict[str, float]:
        weights, before, nut = REWARD_WEIGHTS, self._before, self.product
        aligned = alignment(m.lateral_m, 0.0) - alignment(before.lateral_m, 0.0)
        tighter = tightened(m.tightness_n_m, nut) - tightened(before.tightness_n_m, nut)
        return {
            "depth": weights["depth"] * (m.depth_m - before.depth_m) / nut.depth_m,
            "alignment": weights["alignment"] * aligned,
            "engaged": weights["engaged"] * (float(m.engaged) - float(before.engaged)),
            "torque": weights["torque"] * tighter,
            "crossed": -weights["crossed"] * m.crossed,
            **self._shared_terms(m, weights),
        }

    def _inspect(self) -> NutScorecard:
        m, shared = self.measurement, vars(super()._inspect())
        return NutScorecard(
            **shared,
            engaged=m.engaged,
            cross_threaded=self.runner.thread.was_crossed,
            turns=m.turns,
            tightness_n_m=m.tightness_n_m,
            peak_torque_n_m=m.peak_torque_n_m,
        )


def tightened(torque_n_m: float, nut: Nut) -> float:
    """Score how tight a nut is: 0 loose, 1 in the torque window, back to 0 at the limit."""
    low, high = nut.torque_window_n_m
    if torque_n_m <= high:
        return min(torque_n_m / low, 1.0)
    return max((nut.torque_limit_n_m - torque_n_m) / (nut.torque_limit_n_m - high), 0.0)
