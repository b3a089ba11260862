"""The task: weld one seam. Scene, actions, observations, disturbances, reward and end, in this order."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.cell_env import CellEnv, Observation
from cellwright_envs.episode import Streams
from cellwright_envs.physics.world import ARM_PHYSICS_PERIOD_S
from cellwright_envs.welding import observation as groups
from cellwright_envs.welding.config import PROCESS_PERIOD_S, WeldSeamConfig
from cellwright_envs.welding.controller_settings import controller_settings
from cellwright_envs.welding.disturbances import LINE_CHANGES, NAMED, WeldDisturbances, WeldDisturbanceState
from cellwright_envs.welding.inspection.bead_record import BeadRecord, Scorecard
from cellwright_envs.welding.measurement import WeldMeasurement
from cellwright_envs.welding.part.product import WeldProduct, resolve_products
from cellwright_envs.welding.part.seam import seam_mesh
from cellwright_envs.welding.pool_camera import PoolCamera
from cellwright_envs.welding.privileged import PRIVILEGED, privileged_state
from cellwright_envs.welding.process.constants import draw_constants
from cellwright_envs.welding.process.ideal import IdealTrims
from cellwright_envs.welding.process.margin import risk, toe_limit_rad
from cellwright_envs.welding.process.weld_process import Input, Signal, WeldProcess
from cellwright_envs.welding.reward import grade_score, on_seam
from cellwright_envs.welding.sensor_head import SensorHead
from cellwright_envs.welding.taught_seam import taught_seam
from cellwright_envs.welding.trace import WeldTrace
from cellwright_envs.welding.weld_camera import SEGMENTATION_NAMES
from cellwright_envs.welding.weld_cell import ORIGIN_W, WeldCell, part_in_fixture
from cellwright_envs.welding.wire_placement import WirePlacement, locate_wire, put_place
from cellwright_runtime.interface.path_correction import SensorFrame, WeldCommand, WeldInterface
from cellwright_runtime.interface.torch_path import SLOW_DOWN_M, welding

if TYPE_CHECKING:
    from cellwright_envs.rendering.shot import Shot

Array = NDArray[np.float64]

LONGEST_SEAM_M = 0.6
TIME_RESERVE = 1.1
"""Time until an episode is cut off, over the time of a weld at the slowest speed allowed."""

REWARD_WEIGHTS: dict[str, float] = {
    "grade": 1.0,
    "margin": 0.5,
    "placement": 0.3,
    "stand_off": 0.1,
    "pace": 0.05,
    "smoothness": 0.02,
    "crash": 50.0,
}
"""Per millimetre welded for grade, margin, placement and stand-off; per step for pace and smoothness."""


class WeldSeam(CellEnv[WeldMeasurement]):
    """Weld one disturbed seam beside a controller that follows it; see docs/environments/weld-seam.md."""

    family = "welding"
    disturbance_sets = NAMED
    line_changes = LINE_CHANGES
    segmentation_names = SEGMENTATION_NAMES
    default_config: ClassVar[WeldSeamConfig] = WeldSeamConfig()
    """Settings of the cell where none are given."""
    config: WeldSeamConfig
    disturbed: WeldDisturbanceState
    wire: WirePlacement
    """Where the wire is, as the process last had it."""

    def __init__(
        self,
        *,
        product: str | WeldProduct | tuple[str | WeldProduct, ...] = "train",
        disturbances: str | WeldDisturbances = "train",
        privileged: bool = False,
        record_trace: bool = False,
        render_mode: str | None = None,
        config: WeldSeamConfig | None = None,
        views: tuple[str, ...] = ("image",),
    ) -> None:
        config = self.default_config if config is None else config
        super().__init__(
            product=product,
            disturbances=disturbances,
            privileged=privileged,
            record_trace=record_trace,
            render_mode=render_mode,
            config=config,
            views=views,
        )
        self.ideal = IdealTrims(config.iso_edition) if privileged else None
        self._process_steps = round(config.control_period_s / PROCESS_PERIOD_S)

        # Scene
        sub_steps = round(config.control_period_s / ARM_PHYSICS_PERIOD_S)
        self.cell = WeldCell(sub_steps)
        self.process = WeldProcess(1, PROCESS_PERIOD_S)
        self.record = BeadRecord(1, LONGEST_SEAM_M, config.iso_edition)
        self.sensor = SensorHead(config.sensor, config.lighting, config.line)
        self.pool = (
            PoolCamera(config.sensor.image_size_px, config.pool_lighting) if config.pool_camera else None
        )
        self.trace_record = WeldTrace(self.record) if record_trace else None

        # Actions and observations
        self._declare(
            actions=groups.actions(config),
            views=("overview", "stripe", *(("pool",) if config.pool_camera else ())),
            image_size_px=config.sensor.image_size_px,
            groups=groups.COMPONENTS,
            privileged=PRIVILEGED,
            settings=controller_settings(config),
        )
        self.sensor.camera.true_views = self._true_views
        self.interface = WeldInterface(self.layout, guard_m=config.guard_m)
        self._inputs = np.zeros((2, 1, len(Input)))

    def _resolve_products(self, choice: Any) -> tuple[WeldProduct, ...]:
        return resolve_products(choice)

    # Disturbances and placement

    def _begin_episode(self, streams: Streams, product: WeldProduct, disturbed: WeldDisturbanceState) -> None:
        self.disturbed = disturbed
        self._load(product)
        self._sensor_rng = streams.sensors
        self.deviation = part_in_fixture(product, self.cell.frames, self.disturbed)
        frames = self.cell.frames
        part = seam_mesh(product, frames, self.deviation, ORIGIN_W)
        self.sensor.begin(part, frames, self.disturbed, streams.sensors)
        if self.pool is not None:
            self.pool.begin(self.disturbed)
        self._begin_process(streams.process)
        procedure = product.procedure
        self._nominal = (procedure.wire_feed_m_s, procedure.voltage_v, procedure.travel_speed_m_s)
        self._time_s = self._arc_time_s = 0.0
        self._reached = [0.0, 0.0]
        self._command_m = -self.config.approach_m
        self._pose_w = self.cell.start(self.deviation, self._command_m)
        self._locate_wire()
        latency = self.disturbed.actuator_latency.steps
        self._pending: deque[list[float]] = deque([[0.0] * 5] * latency)
        self._errors_m: list[float] = []
        self._touching: str | None = None
        self._progress_m = self._speed_m_s = 0.0
        self._last_action: NDArray[np.floating] = np.zeros(5)
        self._action_before: NDArray[np.floating] = self._last_action
        self.interface.begin(self._seam, self.process.signals[0])
        if self.trace_record:
            self.trace_record.reset()
        self.measurement = self._measurement_now()

    def _needed_s(self) -> float:
        config, procedure = self.config, self.product.procedure
        changed = self.disturbed.procedure_change.procedure(1.0).travel_speed_factor
        slowest_m_s = procedure.travel_speed_m_s * (1.0 - config.speed_trim) * min(changed, 1.0)
        approach_s = config.approach_m / config.approach_speed_m_s + SLOW_DOWN_M / slowest_m_s
        return TIME_RESERVE * (approach_s + self.cell.frames.length_m / slowest_m_s)

    def _load(self, product: WeldProduct) -> None:
        self.product = product
        self.cell.load(product)
        self._seam = taught_seam(product, self.interface.geometry)

    def _begin_process(self, rng: np.random.Generator) -> None:
        product = self.product
        conditions = product.procedure.conditions(
            product.joint,
            product.thickness_m,
            gap_m=product.gap_m,
            plate_temperature_k=self.disturbed.plate_temperature.start_k,
        )
        constants = draw_constants(rng, self.disturbed.process_spread.scale)
        self.process.reset(0, constants, conditions, rng)
        self.record.reset(0, conditions.joint, product.path.length_m)
        self._toe_limit_rad = toe_limit_rad(self.config.iso_edition, conditions.joint, product.thickness_m)
        self._inputs[:] = conditions.inputs()
        self._inputs[:, :, Input.ARC_ON] = 0.0
        if self.ideal is not None:
            self.ideal.reset(self.process)

    # Actuators, physics and process

    def _act(self, action: NDArray[np.float32]) -> None:
        self._action_before, self._last_action = self._last_action, action
        self._pending.append(self.interface.accept(action))
        self._carry_out(self.interface.correct(self._pending.popleft()))

    def _carry_out(self, command: WeldCommand) -> None:
        """Everything below the interface, for one control period."""
        config, dt = self.config, self.config.control_period_s
        reached_m = self.with_play(command.lateral_m, command.height_m)
        changed = self.disturbed.procedure_change.procedure(self.wire.wire_m / self.cell.frames.length_m)
        nominal = self._nominal
        done = welding(
            command,
            self.wire.wire_m,
            wire_feed_m_s=nominal[0] * changed.wire_feed_factor,
            voltage_v=nominal[1] + changed.voltage_offset_v,
            travel_speed_m_s=nominal[2] * changed.travel_speed_factor,
            approach_speed_m_s=config.approach_speed_m_s,
        )
        commanded_m = self._command_m + done.travel_speed_m_s * dt
        self._pose_w = self.cell.move(commanded_m, *reached_m)
        self.weld(
            commanded_m=commanded_m,
            time_s=self._time_s + dt,
            arc_on=done.arc_on,
            wire_feed_m_s=done.wire_feed_m_s,
            voltage_v=done.voltage_v,
        )

    # Below the interface: also for a robot's own loop, at the rate of its controller

    @property
    def pose_w(self) -> Array:
        """Pose (4, 4) of the torch's tool in the world that was reached."""
        return self._pose_w

    def with_play(self, lateral_m: float, height_m: float) -> tuple[float, float]:
        """Where the torch is beside the path, (lateral, height) [m], when it is sent there with its play."""
        for axis, wanted_m in enumerate((lateral_m, height_m)):
            self._reached[axis] = self.disturbed.backlash.apply(wanted_m, self._reached[axis])
        return self._reached[0], self._reached[1]

    def move_torch(self, point_w: Array, rotation_w: Array) -> None:
        """One step of the cell towards a tool at a point (3,), turned (3, 3), of the period of `cell`."""
        self._pose_w = self.cell.move_to(point_w, rotation_w)

    def weld(
        self, *, commanded_m: float, time_s: float, arc_on: bool, wire_feed_m_s: float, voltage_v: float
    ) -> None:
        """The process of one control period, which ends at `time_s`, after the torch has moved.

        `commanded_m` is where along the path it was sent, `wire_feed_m_s` and `voltage_v` are the source's.
        """
        self._command_m, self._time_s = commanded_m, time_s
        self._arc_time_s += self.config.control_period_s * arc_on
        self._wire_feed_m_s, self._voltage_v = wire_feed_m_s, voltage_v
        self._touching = self.cell.world.touching()
        before_m = self.wire.wire_m
        self._locate_wire()
        self._weld(before_m, arc_on)

    def expose(self, window_px: tuple[float, float]) -> SensorFrame:
        """Expose a frame where the torch is now, which may have moved since the process was there."""
        welded = self.wire
        self._locate_wire()
        frame = self._take_frame(window_px)
        self.wire = welded
        return frame

    def _locate_wire(self) -> None:
        self.wire = locate_wire(
            self._pose_w,
            self._command_m,
            self.cell,
            self.deviation,
            self.disturbed,
            time_s=self._time_s,
            arc_time_s=self._arc_time_s,
        )

    def _weld(self, before_m: float, arc_on: bool) -> None:
        """Run the process over the seam covered in this step and lay its bead."""
        self._inputs[0] = self._inputs[1]
        row, wire, disturbed = self._inputs[1, 0], self.wire, self.disturbed
        self._progress_m = max(wire.wire_m - before_m, 0.0) * arc_on
        self._speed_m_s = (wire.wire_m - before_m) / self.config.control_period_s
        row[Input.WIRE_FEED_M_S] = self._wire_feed_m_s
        row[Input.VOLTAGE_V] = self._voltage_v
        row[Input.TRAVEL_SPEED_M_S] = self._speed_m_s
        row[Input.ARC_ON] = arc_on
        put_place(row, wire, self.deviation, self.product.procedure.contact_tip_distance_m)
        row[Input.WIRE_SLIP] = disturbed.wire_feed_slip.factor(self._time_s)
        row[Input.SUPPLY_OFFSET_V] = disturbed.supply_voltage.offset_v(self._time_s)
        row[Input.GAS_FLOW_L_MIN] = disturbed.gas_flow.flow_l_min(self._time_s)
        row[Input.DRAUGHT_M_S] = disturbed.draught.speed_m_s(self._time_s)
        if not self.process.signals[0, Signal.CURRENT_MEAN_A] and arc_on:
            self._inputs[0] = self._inputs[1]  # the arc strikes: nothing to interpolate from
        self.process.advance(self._inputs[0], self._inputs[1], self._process_steps)
        if arc_on:
            self._errors_m.append(wire.lateral_error_m)
            self.record.add(np.array([before_m]), np.array([wire.wire_m]), np.ones(1), self.process.features)

    # Reward and end

    def _measure(self) -> WeldMeasurement:
        measurement = self._measurement_now()
        if self.trace_record:
            self.trace_record.add(measurement, self._inputs[1, 0], self.process)
        return measurement

    def _measurement_now(self) -> WeldMeasurement:
        arc_on = self._progress_m > 0.0
        violations = self.record.violations_now(self.process.features)[0].tolist() if arc_on else (0, 0, 0)
        return WeldMeasurement(
            time_s=self._time_s,
            path_position_m=self.wire.wire_m,
            progress_m=self._progress_m,
            lateral_error_m=self.wire.lateral_error_m,
            height_error_m=self.wire.height_error_m,
            speed_m_s=self._speed_m_s,
            arc_on=arc_on,
            violations=tuple(violations),
            risk=self._risk() if arc_on else 0.0,
            touching=self._touching,
        )

    def _risk(self) -> float:
        process = self.process
        state, features, constants = process.state[0], process.features[0], process.constants[0]
        return float(risk(self._inputs[1, 0], state, features, constants, self._toe_limit_rad))

    def _reward_terms(self, m: WeldMeasurement) -> dict[str, float]:
        config, weights = self.config, REWARD_WEIGHTS
        welded_mm = m.progress_m * 1e3
        pace = m.speed_m_s / self._nominal[2] - 1.0 if m.arc_on else 0.0
        # An offset that stays costs nothing: only its change moves the torch.
        moved = self._last_action[:2] - self._action_before[:2]
        change = float((abs(moved[0]) + abs(moved[1])) / 2)
        return {
            "grade": weights["grade"] * welded_mm * grade_score(m.violations),
            "margin": weights["margin"] * welded_mm * math.exp(-m.risk),
            "placement": weights["placement"]
            * welded_mm
            * on_seam(m.lateral_error_m, tolerance_m=2.0 * config.tolerance_m),
            "stand_off": weights["stand_off"]
            * welded_mm
            * on_seam(m.height_error_m, tolerance_m=2.0 * config.stand_off_tolerance_m),
            "pace": weights["pace"] * min(max(pace, -0.3), 0.3),
            "smoothness": -weights["smoothness"] * change,
            "crash": -weights["crash"] * self._failed(m),
        }

    def _failed(self, m: WeldMeasurement) -> bool:
        """Whether the torch touched something or the part is scrap."""
        return m.touching is not None or bool(m.arc_on and abs(m.lateral_error_m) > self.config.scrap_m)

    def _terminated(self, m: WeldMeasurement) -> bool:
        return bool(m.path_position_m >= self.cell.frames.length_m) or self._failed(m)

    def _is_success(self) -> bool:
        return self._inspect().passed["C"]

    def _own_info(self, m: WeldMeasurement) -> dict[str, Any]:
        return {"touching": m.touching or ""}

    def _inspect(self) -> Scorecard:
        """The inspection of the seam so far; length that is not welded yet counts as defective."""
        m = self.measurement
        return self.record.scorecard(
            0,
            tracking_errors_m=np.array(self._errors_m),
            cycle_time_s=m.time_s,
            crashed=self._failed(m),
        )

    # Sensors

    def _observe(self) -> Observation:
        frame = self._take_frame(self.interface.window_px(self.wire.torch.path_position_m))
        shown = self.disturbed.meter_error.shown(self.process.signals[0])
        observed = self.interface.observe(self.wire.torch, frame, shown, pool=self.take_pool())
        if self.ideal is not None:
            observed |= self._true_state.hold({"privileged": self._privileged(self.ideal)})
        return observed

    def _take_frame(self, window_px: tuple[float, float]) -> SensorFrame:
        """Expose a frame, the sensor's window at `window_px`; the newest frame that has arrived."""
        self.frame = self.sensor.take(
            self._pose_w,
            self.wire,
            window_px=window_px,
            arc_on=bool(self.process.signals[0, Signal.CURRENT_MEAN_A] > 0.0),
            time_s=self._time_s,
            rng=self._sensor_rng,
        )
        return self.frame

    def take_pool(self) -> NDArray[np.uint8] | None:
        """Expose the pool camera where there is one; its newest picture that has arrived."""
        if self.pool is None:
            return None
        self.pool_picture = self.pool.take(
            self.process.state[0],
            self.process.constants[0],
            lateral_m=float(self.wire.tip_t[1]),
            arc_on=bool(self.process.signals[0, Signal.CURRENT_MEAN_A] > 0.0),
            time_s=self._time_s,
        )
        return self.pool_picture.image

    def _privileged(self, ideal: IdealTrims) -> NDArray[np.float32]:
        wire, inputs = self.wire, self._inputs[1, 0]
        changed = self.disturbed.procedure_change.procedure(wire.wire_m / self.cell.frames.length_m)
        return privileged_state(
            ideal,
            wire,
            self.deviation,
            self.process,
            inputs,
            procedure=self.product.procedure,
            changed=changed,
            trim_scale=self.layout.reach[2:],
            fails=self.record.violations_now(self.process.features)[0].tolist(),
            speed_m_s=self._speed_m_s,
        )

    def _recorded(self) -> dict[str, Any]:
        return {} if self.trace_record is None else self.trace_record.as_dict()

    def _shot(self) -> Shot:
        from cellwright_envs.welding.picture import WeldMoment, shot

        return shot(
            WeldMoment(
                cell=self.cell,
                product=self.product,
                deviation=self.deviation,
                wire=self.wire,
                pose_w=self._pose_w,
                record=self.record,
                sensor=self.sensor,
                tracking_errors_m=self._errors_m,
                arc_on=self._progress_m > 0.0,
            )
        )

    def close(self) -> None:
        super().close()
        self.cell.close()


class WeldSeamWithoutPool(WeldSeam):
    """The same for shops that have no pool camera."""

    default_config: ClassVar[WeldSeamConfig] = replace(WeldSeam.default_config, pool_camera=False)
