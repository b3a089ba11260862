"""The task: insert one part. Scene, actions, observations, disturbances, reward and end, in this order."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from cellwright_assets.gripper import SENSOR_NOISE_N, SENSOR_NOISE_N_M
from cellwright_envs.assembly import observation as groups
from cellwright_envs.assembly.cameras import VIEWS, CameraRig, InsertionCameras
from cellwright_envs.assembly.cell import (
    NOMINAL_FIXTURE_W,
    AssemblyCell,
    CellState,
    Conditions,
    pose_matrix,
)
from cellwright_envs.assembly.compliance import ComplianceConfig, rotation_matrix
from cellwright_envs.assembly.disturbances import AssemblyDisturbances, resolve
from cellwright_envs.assembly.disturbances.fixture import shifted
from cellwright_envs.assembly.parts import InsertPart, resolve_parts
from cellwright_envs.cell_env import CellEnv, Component, Observation, Streams, group_space

Array = NDArray[np.float64]

NOMINAL = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])
SENSOR_NOISE = np.array([SENSOR_NOISE_N] * 3 + [SENSOR_NOISE_N_M] * 3)
LARGEST_OVERLAP_M = 0.1e-3
"""Where part and fixture overlap by more, nothing counts as progress."""

REWARD_WEIGHTS: dict[str, float] = {
    "depth": 10.0,
    "alignment": 3.0,
    "seated": 0.4,
    "force": 0.2,
    "pace": 0.03,
    "smoothness": 0.02,
    "success": 10.0,
    "broken": 10.0,
}
"""Depth and alignment per unit gained, success and broken once, the others per step."""


@dataclass(frozen=True, kw_only=True)
class PegInsertionConfig:
    """How the cell works; what it inserts and what goes wrong are arguments of the environment."""

    control_period_s: float = 0.05
    step_m: float = 2.0e-3
    """How far a full action moves the reference, along each axis of the tool."""
    turn_rad: float = 0.015
    """How far a full action turns it, about each axis."""
    box_m: float = 0.012
    """The reference stays within this of the nominal hole, along x and y. Factory clips to 50 mm."""
    low_m: float = -0.034
    high_m: float = 0.030
    """Range of the reference's height over the nominal mouth."""
    box_rad: float = 0.15
    """The reference leans and turns no further than this, about each axis."""
    start_height_m: float = 0.012
    """Height over the nominal mouth where the taught approach ends."""
    start_spread_m: float = 1.0e-3
    """Largest deviation of the start along each axis."""
    start_spread_rad: float = 0.01
    """Largest deviation of the start about the vertical."""
    sensor_low_pass: float = 0.6
    """Share of a new mean reading of the wrist sensor in what is observed."""
    seated_share: float = 0.95
    """Share of the hole's depth that counts as seated."""
    lateral_tolerance_m: float = 0.1e-3
    """Sideways error beyond the clearance that still counts."""
    tilt_tolerance_rad: float = float(np.deg2rad(2.0))
    hold_s: float = 0.25
    """How long the part must stay seated."""
    lost_m: float = 0.015
    """Slip in the fingers at which the part counts as lost."""
    compliance: ComplianceConfig = field(default_factory=ComplianceConfig)
    cameras: CameraRig = field(default_factory=CameraRig)

    def __post_init__(self) -> None:
        if not self.low_m < 0.0 < self.start_height_m + self.start_spread_m < self.high_m:
            raise ValueError(f"need {self.low_m=} < 0 < {self.start_height_m=} < {self.high_m=}")
        if not 0.0 < self.seated_share < 1.0:
            raise ValueError(f"need 0 < seated_share < 1, got {self.seated_share}")
        if not 0.0 < self.sensor_low_pass <= 1.0:
            raise ValueError(f"need 0 < sensor_low_pass <= 1, got {self.sensor_low_pass}")


class InsertionMeasurement(NamedTuple):
    """The truth after one control step."""

    time_s: float
    depth_m: float
    """How far the part is in; overlapping bodies do not count."""
    height_m: float
    """Of the tip over the mouth."""
    lateral_m: float
    """From the part's tip to the hole's axis."""
    tilt_rad: float
    yaw_error_rad: float
    """To the nearest turn in which the part fits."""
    overlap_m: float
    force_n: float
    """Largest contact force of this step."""
    peak_force_n: float
    """Largest contact force so far."""
    slip_m: float
    held_s: float
    """How long the part has been seated."""


@dataclass(frozen=True, kw_only=True)
class InsertionScorecard:
    """What is known about one finished insertion."""

    success: bool
    """Seated, held and nothing broken."""
    broken: bool
    """Whether the contact force went over the part's limit."""
    lost: bool
    """Whether the part slipped out of the fingers."""
    cycle_time_s: float
    depth_share: float
    lateral_m: float
    tilt_rad: float
    peak_force_n: float
    slip_m: float
    loose_success: bool
    """Tip within 10 mm of the axis and 100 mm of the mouth, as the nearest published PyBullet task tests."""

    def as_dict(self) -> dict[str, object]:
        """Return the fields as plain containers."""
        return asdict(self)


def alignment(lateral_m: float, yaw_error_rad: float) -> float:
    """Score where the part points: 1 over the hole, 0.5 beside it by 2 mm or turned by 0.1 rad, towards 0."""
    return 1.0 / (1.0 + (lateral_m / 2e-3) ** 2 + (yaw_error_rad / 0.1) ** 2)


def over_force(force_n: float, *, limit_n: float) -> float:
    """Penalise contact force: 0 up to 40 % of the limit, 1 at the limit and beyond."""
    return min(max((force_n / limit_n - 0.4) / 0.6, 0.0), 1.0)


class PegInsertion(CellEnv[InsertionMeasurement]):
    """Insert one part into a disturbed fixture by sight and touch; see docs/environments/peg-insertion.md."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}  # noqa: RUF012 (as declared by Gymnasium)

    def __init__(
        self,
        *,
        product: str | InsertPart | tuple[str | InsertPart, ...] = "train",
        disturbances: str | AssemblyDisturbances = "train",
        privileged: bool = False,
        record_trace: bool = False,
        render_mode: str | None = None,
        config: PegInsertionConfig = PegInsertionConfig(),
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ValueError(f"render_mode must be None or 'rgb_array', got {render_mode!r}")
        self.config = config
        self.render_mode = render_mode
        self.products = resolve_parts(product)
        self.disturbances = resolve(disturbances)
        self.privileged = privileged
        self.record_trace = record_trace
        self.control_rate_hz = 1.0 / config.control_period_s

        # Scene
        self.cell = AssemblyCell(config.control_period_s, config.compliance)
        self.cameras = InsertionCameras(config.cameras)

        # Actions
        self._scale = np.array([config.step_m] * 3 + [config.turn_rad] * 3)
        self.action_components = tuple(
            Component(name=name, unit=unit, low=-scale, high=scale)
            for name, unit, scale in zip(
                groups.ACTIONS, ("m",) * 3 + ("rad",) * 3, self._scale.tolist(), strict=True
            )
        )
        self.action_space = spaces.Box(-1.0, 1.0, (6,), np.float32)
        self._low = NOMINAL + np.array([-config.box_m] * 2 + [config.low_m] + [-config.box_rad] * 3)
        self._high = NOMINAL + np.array([config.box_m] * 2 + [config.high_m] + [config.box_rad] * 3)

        # Observations
        size = config.cameras.image_size_px
        self.observation_components = {
            "image": tuple(Component(name=name, unit="grey level", low=0.0, high=255.0) for name in VIEWS),
            **groups.COMPONENTS,
        }
        if privileged:
            self.observation_components["privileged"] = groups.PRIVILEGED
        self._boxes = {
            name: group_space(components)
            for name, components in self.observation_components.items()
            if name != "image"
        }
        image = spaces.Box(0, 255, (2, size, size), np.uint8)
        observed: spaces.Space[Any] = spaces.Dict({"image": image, **self._boxes})
        self.observation_space = observed
        self._clean = np.zeros((2, size, size), dtype=np.uint8)

    @property
    def privileged_names(self) -> tuple[str, ...]:
        """Names of the components of the `privileged` group."""
        return tuple(component.name for component in groups.PRIVILEGED)

    def set_disturbances(self, disturbances: str | AssemblyDisturbances) -> None:
        """Draw from other disturbances from the next reset on."""
        self.disturbances = resolve(disturbances)

    def constructor_arguments(self) -> dict[str, Any]:
        return {
            "product": self.products,
            "disturbances": self.disturbances,
            "privileged": self.privileged,
            "record_trace": self.record_trace,
            "render_mode": self.render_mode,
            "config": self.config,
        }

    # Disturbances and placement

    def _begin_episode(self, streams: Streams, options: dict[str, Any]) -> None:
        if unknown := set(options) - {"product", "disturbances"}:
            raise ValueError(f"unknown reset options {sorted(unknown)}; known: product, disturbances")
        config = self.config
        products = resolve_parts(options["product"]) if "product" in options else self.products
        self.product = products[int(streams.task.integers(len(products)))]
        disturbed = resolve(options.get("disturbances", self.disturbances)).draw(streams.disturbance)
        self.disturbed, self._sensor_rng = disturbed, streams.sensors
        spread = streams.task.uniform(-1.0, 1.0, 4)
        start = NOMINAL.copy()
        start[:3] += [0.0, 0.0, config.start_height_m] + config.start_spread_m * spread[:3]
        start[5] += config.start_spread_rad * spread[3]
        self._fixture_w = pose_matrix(NOMINAL + np.array(disturbed.fixture_pose.offset))
        gain = disturbed.controller_gain
        self.conditions = Conditions(
            clearance_m=disturbed.part_fit.clearance_m(self.product.clearance_m),
            chamfer_m=disturbed.chamfer_damage.chamfer_m(self.product.chamfer_m),
            friction=disturbed.contact_friction.friction(self.product.friction),
            grip=disturbed.grip_strength.grip,
            grasp=disturbed.grasp_offset.grasp,
            stiffness_scale=gain.stiffness_factor,
            dead_band_n=config.compliance.dead_band_n + gain.extra_dead_band_n,
        )
        self._state = self.cell.begin(self.product, self.conditions, start, self._fixture_w)
        self._tare = self._state.wrench_t
        self._reference, self._played_m = start.copy(), start[:3].copy()
        self._pending = deque([np.zeros(6)] * disturbed.actuator_latency.steps)
        self._time_s, self._bumped_s = 0.0, float("inf")
        self._wrench, self._last_action, self._action_change = np.zeros(6), np.zeros(6), 0.0
        self._measured = self._measure_state(self._state, before=None)
        self._before = self._measured
        self._trace: list[tuple[float, ...]] = []
        self._begin_sensing()

    def _begin_sensing(self) -> None:
        disturbed, rig = self.disturbed, self.config.cameras
        light, knock = disturbed.room_light, disturbed.camera_knock
        self.cameras.begin(
            self.product,
            pose_matrix(NOMINAL),
            hand_error=pose_matrix(np.array([*knock.translation_m, *knock.rotation_rad]))
            @ disturbed.hand_camera.true_from_calibrated(),
            fixed_error=disturbed.fixed_camera.true_from_calibrated(),
            lamp_direction_w=light.direction_w(rig.lamp_direction_w),
            lamp_factor=light.lamp_factor,
            room_factor=light.room_factor,
        )
        self._transmission = disturbed.lens_dirt.transmission(rig.image_size_px)
        self._frames: deque[NDArray[np.uint8]] = deque(maxlen=9)
        lags = groups.HISTORY_LAGS
        self._past = deque([self._motion_now()] * (lags[-1] + 1), maxlen=lags[-1] + 1)
        self._frame_number = -1

    # Actuators and physics

    def _act(self, action: NDArray[np.float32]) -> None:
        self._action_change = float(np.abs(action - self._last_action).mean())
        self._last_action = np.asarray(action, dtype=np.float64)
        self._pending.append(self._last_action)
        delta = self._pending.popleft() * self._scale * self.disturbed.controller_gain.motion_factor
        turned = rotation_matrix(self._reference[3:])
        self._reference[:3] += turned @ delta[:3]
        self._reference[3:] += turned @ delta[3:]
        self._reference = self._leashed(np.clip(self._reference, self._low, self._high))
        self._played_m = self.disturbed.backlash.apply(self._reference[:3], self._played_m)
        self._time_s += self.config.control_period_s
        target = np.concatenate([self._played_m, self._reference[3:]])
        self._state = self.cell.move(target, self._fixture_now())

    def _leashed(self, reference: Array) -> Array:
        """The reference, led back until it is no further ahead of the tool than the leash."""
        compliance, tool = self.config.compliance, self._state.tool
        lead = reference - tool
        for span, leash in ((slice(0, 3), compliance.leash_m), (slice(3, 6), compliance.leash_rad)):
            length = float(np.sqrt(lead[span] @ lead[span]))
            if length > leash:
                lead[span] *= leash / length
        return np.asarray(tool + lead)

    def _fixture_now(self) -> Array:
        disturbed = self.disturbed
        share = -self._measured.height_m / self.product.depth_m
        if self._bumped_s > self._time_s and disturbed.fixture_bump.starts(share):
            self._bumped_s = self._time_s - self.config.control_period_s
        return shifted(
            self._fixture_w,
            disturbed.conveyor_creep.offset_m(self._time_s),
            disturbed.fixture_bump.offset_m(self._time_s - self._bumped_s),
        )

    # Reward and end

    def _measure(self) -> InsertionMeasurement:
        self._before = self._measured
        self._measured = self._measure_state(self._state, before=self._before)
        if self.record_trace:
            self._trace.append((*self._measured, *self._state.wrench_t - self._tare))
        return self._measured

    def _measure_state(self, state: CellState, before: InsertionMeasurement | None) -> InsertionMeasurement:
        config, part, tip = self.config, self.product, state.part_f
        x_m, y_m, height_m = tip[:3, 3].tolist()
        lateral_m, tilt_rad = float(np.hypot(x_m, y_m)), float(np.arccos(min(tip[2, 2], 1.0)))
        depth_m = min(max(-height_m, 0.0), part.depth_m)
        if state.overlap_m > LARGEST_OVERLAP_M:
            depth_m = min(depth_m, before.depth_m if before else 0.0)
        yaw_rad = float(np.arctan2(tip[1, 0] - tip[0, 1], tip[0, 0] + tip[1, 1]))
        turn_rad = part.symmetry_rad
        seated = (
            depth_m >= config.seated_share * part.depth_m
            and lateral_m <= self.conditions.clearance_m + config.lateral_tolerance_m
            and tilt_rad < config.tilt_tolerance_rad
            and state.overlap_m <= LARGEST_OVERLAP_M
        )
        return InsertionMeasurement(
            time_s=self._time_s,
            depth_m=depth_m,
            height_m=height_m,
            lateral_m=lateral_m,
            tilt_rad=tilt_rad,
            yaw_error_rad=yaw_rad - turn_rad * round(yaw_rad / turn_rad) if turn_rad else 0.0,
            overlap_m=state.overlap_m,
            force_n=state.peak_force_n,
            peak_force_n=max(state.peak_force_n, before.peak_force_n if before else 0.0),
            slip_m=float(np.hypot(*(self.cell.grasp[1:] - self.conditions.grasp[1:]))),
            held_s=before.held_s + config.control_period_s if seated and before else 0.0,
        )

    def _reward_terms(self, m: InsertionMeasurement) -> dict[str, float]:
        weights, before = REWARD_WEIGHTS, self._before
        aligned = alignment(m.lateral_m, m.yaw_error_rad)
        gained = aligned - alignment(before.lateral_m, before.yaw_error_rad)
        return {
            "depth": weights["depth"] * (m.depth_m - before.depth_m) / self.product.depth_m,
            "alignment": weights["alignment"] * gained,
            "seated": weights["seated"] * (m.held_s > 0.0),
            "force": -weights["force"] * over_force(m.force_n, limit_n=self.product.force_limit_n),
            "pace": -weights["pace"],
            "smoothness": -weights["smoothness"] * self._action_change,
            "success": weights["success"] * self._succeeded(m),
            "broken": -weights["broken"] * (self._broken(m) or self._lost(m)),
        }

    def _broken(self, m: InsertionMeasurement) -> bool:
        return m.peak_force_n > self.product.force_limit_n

    def _lost(self, m: InsertionMeasurement) -> bool:
        return m.slip_m > self.config.lost_m

    def _succeeded(self, m: InsertionMeasurement) -> bool:
        return m.held_s >= self.config.hold_s - 1e-9 and not (self._broken(m) or self._lost(m))

    def _terminated(self, m: InsertionMeasurement) -> bool:
        return self._succeeded(m) or self._broken(m) or self._lost(m)

    def _episode_info(self, m: InsertionMeasurement) -> dict[str, Any]:
        return {
            "scorecard": self.scorecard(),
            "is_success": self._succeeded(m),
            "product": self.product.name,
        }

    def scorecard(self) -> InsertionScorecard:
        """What is known about the insertion so far; an episode that is cut off has no other."""
        m = self._measured
        return InsertionScorecard(
            success=self._succeeded(m),
            broken=self._broken(m),
            lost=self._lost(m),
            cycle_time_s=m.time_s,
            depth_share=m.depth_m / self.product.depth_m,
            lateral_m=m.lateral_m,
            tilt_rad=m.tilt_rad,
            peak_force_n=m.peak_force_n,
            slip_m=m.slip_m,
            loose_success=m.lateral_m < 0.01 and abs(m.height_m) < 0.1,
        )

    # Sensors

    @property
    def tool_w(self) -> Array:
        """Pose (4, 4) of the tool in the world."""
        return pose_matrix(self._state.tool)

    @property
    def part_w(self) -> Array:
        """Pose (4, 4) of the part in the world."""
        return self.cell.fixture_w @ self._state.part_f

    def _motion_now(self) -> Array:
        return np.concatenate([self._state.tool - NOMINAL, self._wrench, self._last_action])

    def _observe(self) -> Observation:
        image = self._take_frame()
        self._feel()
        self._past.appendleft(self._motion_now())
        values = {
            "pose": self._state.tool - NOMINAL,
            "wrench": self._wrench,
            "leash": self._reference - self._state.tool,
            "last_action": self._last_action,
            "history": np.concatenate([self._past[lag] for lag in groups.HISTORY_LAGS]),
            "limit": np.array([self.product.force_limit_n]),
        }
        if self.privileged:
            values["privileged"] = self._privileged()
        limited = {
            name: np.clip(group.astype(np.float32), self._boxes[name].low, self._boxes[name].high)
            for name, group in values.items()
        }
        return {"image": image, **limited}

    def _feel(self) -> None:
        """Read the wrist sensor: the mean over the control period, tared, off, noisy and low-passed."""
        sensor = self.disturbed.force_sensor
        reading = self._state.wrench_t - self._tare + np.array(sensor.error(self._time_s))
        reading += sensor.noise_factor * SENSOR_NOISE * self._sensor_rng.standard_normal(6)
        self._wrench = self._wrench + self.config.sensor_low_pass * (reading - self._wrench)

    def _take_frame(self) -> NDArray[np.uint8]:
        """Expose both cameras and deliver the newest pair of frames that has arrived."""
        disturbed = self.disturbed
        self.cameras.take(self.tool_w, self.part_w, self.cell.fixture_w, self._clean)
        frame = disturbed.corrupt(self._clean, self._transmission, time_s=self._time_s, rng=self._sensor_rng)
        self._frame_number += 1
        self._frames.appendleft(frame)
        number = max(disturbed.frame_delivery.delivered(self._frame_number), 0)
        self.delivered_frame = self._frames[min(self._frame_number - number, len(self._frames) - 1)]
        return self.delivered_frame

    def _privileged(self) -> Array:
        """The components of `groups.PRIVILEGED` now, before clipping."""
        m, tip, part, conditions = self._measured, self._state.part_f, self.product, self.conditions
        fixture = self.cell.fixture_w
        return np.array(
            [
                *tip[:3, 3],
                *tip[:2, 2],
                m.yaw_error_rad,
                *(fixture[:3, 3] - NOMINAL_FIXTURE_W),
                np.arctan2(fixture[1, 0], fixture[0, 0]),
                *self.cell.grasp,
                conditions.clearance_m,
                conditions.chamfer_m,
                conditions.friction,
                part.size_m,
                part.depth_m,
                part.symmetry_rad,
                conditions.stiffness_scale,
                conditions.dead_band_n,
                self.disturbed.actuator_latency.steps,
                m.force_n,
                m.peak_force_n,
                m.overlap_m,
                m.held_s,
            ]
        )

    def trace(self) -> dict[str, Array]:
        """Arrays of the episode so far, one entry a control step; needs `record_trace=True`.

        The fields of `InsertionMeasurement`, and `wrench_t` (n, 6), tared and without the sensor's errors.
        """
        if not self.record_trace:
            raise ValueError("no trace was recorded: make the environment with record_trace=True")
        names = InsertionMeasurement._fields
        table = np.array(self._trace).reshape(-1, len(names) + 6)
        columns = {name: table[:, column] for column, name in enumerate(names)}
        return {**columns, "wrench_t": table[:, len(names) :]}

    def render(self) -> NDArray[np.uint8]:
        """A picture of the cell, (480, 640, 3) uint8."""
        from cellwright_envs.assembly.picture import picture

        return picture(self)

    def close(self) -> None:
        self.cell.close()
