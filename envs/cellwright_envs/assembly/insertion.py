"""The base of all insertions; a task adds its parts, its reward, its end and its own extensions.

Read `peg_insertion.py` first: it is the smallest task.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections import deque
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.gripper import SENSOR_NOISE_N, SENSOR_NOISE_N_M
from cellwright_envs.assembly import observation as groups
from cellwright_envs.assembly.cameras import SEGMENTATION_NAMES, VIEWS, InsertionCameras
from cellwright_envs.assembly.cell import (
    NOMINAL_FIXTURE_W,
    AssemblyCell,
    CellState,
    Conditions,
    Resistance,
    pose_matrix,
)
from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.controller_settings import FRAMES, controller_settings
from cellwright_envs.assembly.disturbances import (
    LINE_CHANGES,
    NAMED,
    AssemblyDisturbances,
    AssemblyDisturbanceState,
)
from cellwright_envs.assembly.disturbances.fixture import shifted
from cellwright_envs.assembly.disturbances.mechanics import GRIP_N
from cellwright_envs.assembly.measurement import (
    LARGEST_OVERLAP_M,
    InsertionMeasurement,
    InsertionScorecard,
    measure,
)
from cellwright_envs.assembly.parts.catalogue import Catalogue
from cellwright_envs.assembly.parts.part import Part
from cellwright_envs.assembly.reward import over_force
from cellwright_envs.assembly.robot_conditions import scaled_grip, servo_of
from cellwright_envs.cell_env import CellEnv, Observation
from cellwright_envs.episode import Streams
from cellwright_envs.physics.transforms import product
from cellwright_runtime.interface.compliant_reference import MOTION, InsertionInterface
from cellwright_runtime.interface.force_loop import approach_speed_m_s
from cellwright_runtime.vocabulary import Component, Setting

if TYPE_CHECKING:
    from cellwright_envs.rendering.shot import Shot

Array = NDArray[np.float64]
Measured = TypeVar("Measured", bound=InsertionMeasurement)

NOMINAL = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])
SENSOR_NOISE = np.array([SENSOR_NOISE_N] * 3 + [SENSOR_NOISE_N_M] * 3)


class Insertion(CellEnv[Measured], Generic[Measured]):
    """Bring a part in compliant fingers into a disturbed fixture by sight and touch."""

    metadata = {**CellEnv.metadata, "render_fps": 21}  # noqa: RUF012 (as declared by Gymnasium)
    family = "assembly"
    disturbance_sets = NAMED
    line_changes = LINE_CHANGES
    segmentation_names = SEGMENTATION_NAMES
    frames = FRAMES

    catalogue: ClassVar[Catalogue[Any]]
    """The parts of the task."""
    own_actions: ClassVar[tuple[Component, ...]] = ()
    """Actions after the six of the reference, for `_drive`; `low` must be -`high`."""
    own_groups: ClassVar[dict[str, tuple[Component, ...]]] = {}
    """Low-dimensional groups of the observation, from `_observe_own`."""
    own_privileged: ClassVar[tuple[Component, ...]] = ()
    """Components at the end of the `privileged` group, from `_privileged_own`."""

    default_config: ClassVar[InsertionConfig] = InsertionConfig()
    """Settings of the cell where none are given."""

    config: InsertionConfig
    product: Part
    disturbed: AssemblyDisturbanceState

    def __init__(
        self,
        *,
        product: str | Part | tuple[str | Part, ...] = "train",
        disturbances: str | AssemblyDisturbances = "train",
        privileged: bool = False,
        record_trace: bool = False,
        render_mode: str | None = None,
        config: InsertionConfig | None = None,
        views: tuple[str, ...] = ("image",),
    ) -> None:
        config = self.default_config if config is None else config
        if not isinstance(config, wanted := type(self.default_config)):
            task, given = type(self).__name__, type(config).__name__
            raise ValueError(f"{task} takes a {wanted.__name__}, not a {given}")
        super().__init__(
            product=product,
            disturbances=disturbances,
            privileged=privileged,
            record_trace=record_trace,
            render_mode=render_mode,
            config=config,
            views=views,
        )
        # Scene
        self.cell = AssemblyCell(config.control_period_s, config.compliance)
        self.cameras = InsertionCameras(config.cameras)

        # Actions
        actions = (*groups.motion(config.step_m, config.turn_rad), *self.own_actions)

        # Observations
        size = config.cameras.image_size_px
        self._declare(
            actions=actions,
            views=VIEWS,
            image_size_px=size,
            groups={
                **groups.components([action.name for action in actions], config.observed_force_n),
                **self.own_groups,
            },
            privileged=(*groups.PRIVILEGED, *self.own_privileged),
            settings=(*controller_settings(config, self._resolve_products("train")), *self._own_settings()),
        )
        self.cameras.true_views = self._true_views
        self.interface = InsertionInterface(self.layout, origin=NOMINAL_FIXTURE_W)
        self._clean = np.zeros((2, size, size), dtype=np.uint8)

    def _resolve_products(self, choice: Any) -> tuple[Part, ...]:
        parts: tuple[Part, ...] = self.catalogue.resolve(choice)
        arm = self.config.compliance
        pushed_n = arm.stiffness_n_m * arm.leash_m + arm.dead_band_n
        for part in parts:
            try:
                approach_speed_m_s(part.force_limit_n, damping_n_s_m=arm.damping_n_s_m, pushed_n=pushed_n)
            except ValueError as error:
                raise ValueError(f"{part.name}: {error}") from None
        return parts

    # Disturbances and placement

    def _begin_episode(self, streams: Streams, product: Part, disturbed: AssemblyDisturbanceState) -> None:
        config = self.config
        self.product, self.disturbed, self._sensor_rng = product, disturbed, streams.sensors
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
            grip=scaled_grip(disturbed.grip_strength.grip, config.grip_force_n / GRIP_N),
            grasp=disturbed.grasp_offset.grasp,
            stiffness_scale=gain.stiffness_factor,
            dead_band_n=config.compliance.dead_band_n + gain.extra_dead_band_n,
            servo=servo_of(disturbed),
        )
        resistance = self._resistance(streams.process)
        self._state = self.cell.begin(self.product, self.conditions, start, self._fixture_w, resistance)
        self._tare, self._peak_n = self._state.wrench_t, 0.0
        self._played_m = start[:3].copy()
        # The sensor is tared first: its errors are added after that and before the interface.
        self.interface.begin(self._state.tool, np.zeros(6), reference=start)
        at_rest = self.interface.last_action
        self._pending = deque([at_rest] * disturbed.actuator_latency.steps)
        self._time_s, self._bumped_s, self._action_change = 0.0, float("inf"), 0.0
        self.measurement = self._measure_state(self._state, before=None)
        self._before = self.measurement
        self._trace: list[tuple[float, ...]] = []
        self._begin_sensing()

    def _resistance(self, rng: np.random.Generator) -> Resistance | None:
        """Load of the fixture on the part beside contact in this episode; None for none.

        Product, disturbances and conditions of the episode are known when this is called.
        """
        return None

    def _begin_sensing(self) -> None:
        disturbed, rig = self.disturbed, self.config.cameras
        light, knock = disturbed.room_light, disturbed.camera_knock
        self.cameras.begin(
            self.product,
            pose_matrix(NOMINAL),
            hand_error=product(
                pose_matrix(np.array([*knock.translation_m, *knock.rotation_rad])),
                disturbed.hand_camera.true_from_calibrated(),
            ),
            fixed_error=disturbed.fixed_camera.true_from_calibrated(),
            lamp_direction_w=light.direction_w(rig.lamp_direction_w),
            lamp_factor=light.lamp_factor,
            room_factor=light.room_factor,
        )
        self._transmission = disturbed.lens_dirt.transmission(rig.image_size_px)
        self._frames: deque[NDArray[np.uint8]] = deque(maxlen=9)
        self._frame_number = -1

    def _own_settings(self) -> tuple[Setting, ...]:
        """Settings of a controller that only this task has."""
        return ()

    # Actuators and physics

    def _act(self, action: NDArray[np.float32]) -> None:
        self._action_change = float(np.abs(action - self.interface.last_action).mean())
        self._pending.append(self.interface.command(action))
        commands = self._pending.popleft()
        self._drive(commands[MOTION:])
        delta = commands[:MOTION] * self.disturbed.controller_gain.motion_factor
        reference = self.interface.move(self._state.tool, delta)
        self.follow(reference, time_s=self._time_s + self.config.control_period_s)

    # Below the interface: also for a robot's own loop, at the rate of its controller

    @property
    def reached(self) -> CellState:
        """What the cell is like after the last step."""
        return self._state

    @property
    def tare(self) -> Array:
        """What the wrist sensor (6,) [N] and [N m] reads at rest, which is taken off its readings."""
        return self._tare

    def follow(self, reference: Array, *, time_s: float) -> CellState:
        """One step of the cell towards a reference (6,), with the play of the arm; it ends at `time_s`.

        The step takes the period of `cell`. The forces of all steps since the last `measure` count for the
        next one.
        """
        self._played_m = self.disturbed.backlash.apply(reference[:3], self._played_m)
        self._time_s = time_s
        target = np.concatenate([self._played_m, reference[3:]])
        self._state = self.cell.move(target, self._fixture_now())
        self._peak_n = max(self._peak_n, self._state.peak_force_n)
        return self._state

    def _drive(self, commands: Array) -> None:
        """Pass on the commands behind `own_actions`, in their units and after latency, before the physics."""

    def _fixture_now(self) -> Array:
        disturbed = self.disturbed
        fraction = -self.measurement.height_m / self.product.depth_m
        if self._bumped_s > self._time_s and disturbed.fixture_bump.starts(fraction):
            self._bumped_s = self._time_s - self.config.control_period_s
        return shifted(
            self._fixture_w,
            disturbed.conveyor_creep.offset_m(self._time_s),
            disturbed.fixture_bump.offset_m(self._time_s - self._bumped_s),
        )

    # Measurement and success

    def _measure(self) -> Measured:
        self._before = self.measurement
        self._state = self._state._replace(peak_force_n=self._peak_n)
        self._peak_n = 0.0
        measured = self._measure_state(self._state, before=self._before)
        if self.record_trace:
            self._trace.append((*vars(measured).values(), *self._state.wrench_t - self._tare))
        return measured

    def _measure_state(self, state: CellState, before: Measured | None) -> Measured:
        slip_m = float(np.hypot(*(self.cell.grasp[1:] - self.conditions.grasp[1:])))
        shared = measure(state, self.product, before, time_s=self._time_s, slip_m=slip_m)
        measured = self._measure_own(shared, before)
        if before is None or not self._seated(measured):
            return measured
        return replace(measured, held_s=before.held_s + self.config.control_period_s)

    @abstractmethod
    def _measure_own(self, shared: InsertionMeasurement, before: Measured | None) -> Measured:
        """The task's measurement; `shared` is that of all tasks, and `before` is None at the start."""

    def _seated(self, m: Measured) -> bool:
        """Whether the part is seated now; seated for `hold_s`, it is a success."""
        config, part = self.config, self.product
        corner_m = math.sqrt(2.0) * self.conditions.clearance_m  # a part in the corner of a square hole
        return (
            m.depth_m >= config.seated_fraction * part.depth_m
            and m.lateral_m <= corner_m + config.lateral_tolerance_m
            and m.tilt_rad < config.tilt_tolerance_rad
            and m.overlap_m <= LARGEST_OVERLAP_M
        )

    def _shared_terms(self, m: Measured, weights: Mapping[str, float]) -> dict[str, float]:
        """Reward terms that are the same in every task, for costs and for the end."""
        return {
            "seated": weights["seated"] * (m.held_s > 0.0),
            "force": -weights["force"] * over_force(m.force_n, limit_n=self.product.force_limit_n),
            "pace": -weights["pace"],
            "smoothness": -weights["smoothness"] * self._action_change,
            "success": weights["success"] * self._succeeded(m),
            "broken": -weights["broken"] * self._failed(m),
        }

    def _terminated(self, m: Measured) -> bool:
        return self._succeeded(m) or self._failed(m)

    def _succeeded(self, m: Measured) -> bool:
        return m.held_s >= self.config.hold_s - 1e-9 and not self._failed(m)

    def _failed(self, m: Measured) -> bool:
        return self._broken(m) or self._lost(m)

    def _broken(self, m: Measured) -> bool:
        return m.peak_force_n > self.product.force_limit_n

    def _lost(self, m: Measured) -> bool:
        return m.slip_m > self.config.lost_m

    def _is_success(self) -> bool:
        return self._succeeded(self.measurement)

    def _inspect(self) -> InsertionScorecard:
        """The result so far; an episode that is cut off has no other."""
        m = self.measurement
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
        return pose_matrix(self.cell.hand)

    @property
    def part_w(self) -> Array:
        """Pose (4, 4) of the part in the world."""
        return product(self.cell.fixture_w, self._state.part_f)

    def _observe(self) -> Observation:
        image, wrench = self.take_frame(), self._feel()
        observed = self.interface.observe(
            self._state.tool,
            wrench,
            image,
            force_limit_n=self.product.force_limit_n,
            own=self._observe_own(),
        )
        if self.privileged:
            observed |= self._true_state.hold({"privileged": self._privileged()})
        return observed

    def _observe_own(self) -> dict[str, Array]:
        """The values of `own_groups` now, before clipping."""
        return {}

    def _feel(self) -> Array:
        """Reading of the wrist sensor (6,): the mean over the control period, tared, with errors and
        noise."""
        sensor = self.disturbed.force_sensor
        reading = self._state.wrench_t - self._tare + np.array(sensor.error(self._time_s))
        return reading + sensor.noise_factor * SENSOR_NOISE * self._sensor_rng.standard_normal(6)

    def take_frame(self) -> NDArray[np.uint8]:
        """Expose both cameras and deliver the newest pair of frames that has arrived."""
        disturbed = self.disturbed
        self.cameras.take(self.tool_w, self.part_w, self.cell.fixture_w, self._clean)
        frame = disturbed.corrupt(self._clean, self._transmission, time_s=self._time_s, rng=self._sensor_rng)
        self._frame_number += 1
        self._frames.appendleft(frame)
        number = max(disturbed.frame_delivery.delivered(self._frame_number), 0)
        # A frame that is delivered twice must not be one object.
        self.delivered_frame = self._frames[min(self._frame_number - number, len(self._frames) - 1)].copy()
        return self.delivered_frame

    def _privileged(self) -> Array:
        """The components of the `privileged` group now, before clipping."""
        m, tip, part, conditions = self.measurement, self._state.part_f, self.product, self.conditions
        fixture = self.cell.fixture_w
        return np.array(
            [
                *tip[:3, 3],
                *tip[:2, 2],
                m.yaw_error_rad,
                *(fixture[:3, 3] - NOMINAL_FIXTURE_W),
                math.atan2(fixture[1, 0], fixture[0, 0]),
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
                *self._privileged_own(),
            ]
        )

    def _privileged_own(self) -> tuple[float, ...]:
        """The values of `own_privileged` now."""
        return ()

    def _recorded(self) -> dict[str, Array]:
        """The fields of the measurement, and `wrench_t` (n, 6), tared and without the sensor's errors."""
        names = [each.name for each in fields(self.measurement)]
        table = np.array(self._trace).reshape(-1, len(names) + 6)
        columns = {name: table[:, column] for column, name in enumerate(names)}
        return {**columns, "wrench_t": table[:, len(names) :]}

    def _shot(self) -> Shot:
        from cellwright_envs.assembly.picture import InsertionMoment, shot

        return shot(
            InsertionMoment(
                cell=self.cell,
                product=self.product,
                conditions=self.conditions,
                cameras=self.config.cameras,
                tool_w=self.tool_w,
                part_w=self.part_w,
                delivered_frame=self.delivered_frame,
            )
        )

    def close(self) -> None:
        super().close()
        self.cell.close()
