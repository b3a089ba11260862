"""The task: weld one seam. Scene, actions, observations, disturbances, reward and end, in this order."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.cell_env import CellEnv, Component, Observation, Streams
from cellwright_envs.disturbances import NAMED, WeldDisturbances, WeldDisturbanceState
from cellwright_envs.welding import observation as groups
from cellwright_envs.welding.ideal import IdealTrims
from cellwright_envs.welding.inspection import BeadRecord
from cellwright_envs.welding.margin import risk
from cellwright_envs.welding.observation import History, LookAhead, SeamTracker
from cellwright_envs.welding.privileged import PRIVILEGED, privileged_state
from cellwright_envs.welding.process import Input, Signal, WeldConditions, WeldProcess, draw_constants
from cellwright_envs.welding.product import JOINTS, WeldProduct, resolve_products
from cellwright_envs.welding.quality import Joint
from cellwright_envs.welding.seam import LEAD_IN_M, STEP_M, SeamDeviation, deviate, seam_mesh
from cellwright_envs.welding.trace import WeldTrace
from cellwright_envs.welding.weld_camera import WeldCamera, WeldLighting
from cellwright_envs.welding.weld_cell import ORIGIN_W, WeldCell
from cellwright_envs.world import PHYSICS_PERIOD_S
from cellwright_perception.geometry import SeamSensorGeometry

Array = NDArray[np.float64]

PROCESS_PERIOD_S = 0.01
LONGEST_SEAM_M = 0.6
STRIKE_EARLY_M = 0.4e-3
SLOW_DOWN_M = 2e-3
"""Before this distance to the start the torch approaches fast, behind it at welding speed."""
IDEAL_PREVIEW_M = 3e-3
"""How far ahead of the wire the teacher sets trims, to cover slew and latency."""

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


@dataclass(frozen=True, kw_only=True)
class WeldSeamConfig:
    """How the cell works; what it welds and what goes wrong are arguments of the environment."""

    control_period_s: float = 0.04
    lateral_rate_m_s: float = 5e-3
    """Path correction speed at a full action; tracking systems allow 0.1-20 mm/s."""
    height_rate_m_s: float = 5e-3
    lateral_range_m: float = 8e-3
    height_range_m: float = 6e-3
    speed_trim: float = 0.30
    """Share of the travel speed that the policy may add or take away."""
    wire_trim: float = 0.25
    voltage_trim_v: float = 3.0
    trim_slew_1_s: float = 2.0
    """Full scales of a trim that the controller changes per second; an engineering assumption."""
    approach_speed_m_s: float = 0.02
    """Speed over the lead-in, arc off, while the sensor sees the joint for the first time."""
    approach_m: float = 0.025
    scrap_m: float = 5e-3
    """Wire placement error at which the part is scrap and the episode ends."""
    tolerance_m: float = 0.5e-3
    """Placement error that robotic fillets stand: half a wire diameter (shop rule)."""
    stand_off_tolerance_m: float = 2e-3
    """Contact-tip distance error that tables allow (about +-2 mm)."""
    sensor: SeamSensorGeometry = field(default_factory=SeamSensorGeometry)
    lighting: WeldLighting = field(default_factory=WeldLighting)

    def __post_init__(self) -> None:
        for name, period_s in (("physics", PHYSICS_PERIOD_S), ("process", PROCESS_PERIOD_S)):
            steps = self.control_period_s / period_s
            if abs(steps - round(steps)) > 1e-9 or steps < 1:
                raise ValueError(f"{self.control_period_s=} is no whole multiple of the {name}'s {period_s}")
        if not 0 < self.approach_m <= LEAD_IN_M - 5e-3:
            raise ValueError(f"approach_m={self.approach_m} must be within 0..{LEAD_IN_M - 5e-3}")
        if not 0 < self.tolerance_m < self.scrap_m:
            raise ValueError(f"need 0 < {self.tolerance_m=} < {self.scrap_m=}")


class WeldMeasurement(NamedTuple):
    """The truth after one control step."""

    time_s: float
    path_position_m: float
    progress_m: float
    """Seam welded in this step."""
    lateral_error_m: float
    """Seam minus wire, + where the torch should move left."""
    height_error_m: float
    """Seam minus torch height, + where the torch should move up."""
    speed_m_s: float
    arc_on: bool
    violations: tuple[int, int, int]
    """ISO 6520-1 bit masks of the bead laid now that miss level B, C and D."""
    risk: float
    """Sum of exp(-margin) over the limits of level C, see `margin.risk`."""
    touching: str | None


def on_seam(lateral_m: float, *, tolerance_m: float) -> float:
    """Score wire placement: 1 on the seam, 0.1 at `tolerance_m`, towards 0 beyond."""
    return float(10.0 ** -((lateral_m / tolerance_m) ** 2))


def grade_score(violations: tuple[int, int, int]) -> float:
    """Score the bead laid now: 1 at level B, 0.7 at C, -3 at D, -4 below: one bad millimetre fails a part."""
    level_b, level_c, level_d = violations
    if level_d:
        return -4.0
    if level_c:
        return -3.0
    return 0.7 if level_b else 1.0


class WeldSeam(CellEnv[WeldMeasurement]):
    """Weld one disturbed seam with corrections to a taught path; see docs/environments/weld-seam.md."""

    disturbance_sets = NAMED
    config: WeldSeamConfig
    disturbed: WeldDisturbanceState

    def __init__(
        self,
        *,
        product: str | WeldProduct | tuple[str | WeldProduct, ...] = "train",
        disturbances: str | WeldDisturbances = "train",
        privileged: bool = False,
        record_trace: bool = False,
        render_mode: str | None = None,
        config: WeldSeamConfig = WeldSeamConfig(),
    ) -> None:
        super().__init__(
            product=product,
            disturbances=disturbances,
            privileged=privileged,
            record_trace=record_trace,
            render_mode=render_mode,
            config=config,
        )
        self.ideal = IdealTrims() if privileged else None
        self._process_steps = round(config.control_period_s / PROCESS_PERIOD_S)

        # Scene
        self.cell = WeldCell(round(config.control_period_s / PHYSICS_PERIOD_S))
        self.process = WeldProcess(1, PROCESS_PERIOD_S)
        self.record = BeadRecord(1, LONGEST_SEAM_M)
        self.camera = WeldCamera(config.sensor, config.lighting)
        self._tracker = SeamTracker(config.sensor)
        self._look_aheads: dict[WeldProduct, LookAhead] = {}
        self.trace_record = WeldTrace(self.record) if record_trace else None

        # Actions
        self._scale = np.array(
            [
                config.lateral_rate_m_s,
                config.height_rate_m_s,
                config.speed_trim,
                config.wire_trim,
                config.voltage_trim_v,
            ]
        )
        actions = tuple(
            Component(name=name, unit=unit, low=-scale, high=scale)
            for name, unit, scale in zip(
                ("lateral_rate", "height_rate", "travel_speed_trim", "wire_feed_trim", "voltage_trim"),
                ("m/s", "m/s", "1", "1", "V"),
                self._scale.tolist(),
                strict=True,
            )
        )

        # Observations
        size = config.sensor.image_size_px
        self._declare(
            actions=actions,
            views=("overview", "stripe"),
            image_size_px=size,
            groups=groups.COMPONENTS,
            privileged=PRIVILEGED,
        )
        self._signals = History(len(groups.SIGNALS), groups.SIGNAL_LAGS)
        self._motion = History(len(groups.MOTION), groups.MOTION_LAGS)
        self._magnification = (1.0, config.sensor.stripe.fx / config.sensor.overview.fx)
        self._clean = np.zeros((2, size, size), dtype=np.uint8)
        self._inputs = np.zeros((2, 1, len(Input)))

    def _resolve_products(self, choice: Any) -> tuple[WeldProduct, ...]:
        return resolve_products(choice)

    # Disturbances and placement

    def _begin_episode(self, streams: Streams, options: dict[str, Any]) -> None:
        product, self.disturbed = self._draw(streams, options)
        self._load(product)
        self._sensor_rng = streams.sensors
        self._place()
        self._begin_process(streams.process)
        procedure = product.procedure
        self._nominal = (procedure.wire_feed_m_s, procedure.voltage_v, procedure.travel_speed_m_s)
        self._time_s = self._arc_time_s = 0.0
        self._correction = [0.0, 0.0]
        self._reached = [0.0, 0.0]
        self._trims = [0.0, 0.0, 0.0]
        self._command_m = -self.config.approach_m
        self._shift_m = (0.0, 0.0)
        self._pose_w = self.cell.start(self.deviation, self._command_m)
        self._locate_wire()
        latency = self.disturbed.actuator_latency.steps
        self._pending: deque[list[float]] = deque([[0.0] * 5] * latency)
        self._errors_m: list[float] = []
        self._touching: str | None = None
        self._progress_m = self._speed_m_s = 0.0
        self._last_action: NDArray[np.floating] = np.zeros(5)
        self._frames: deque[tuple[NDArray[np.uint8], float, tuple[float, float], float, float]] = deque(
            maxlen=9
        )
        self._frame_number = self._measured_frame = -1
        self._tracker.reset()
        self._signals.reset(self.process.signals[0])
        self._motion.reset(self._motion_now())
        self._programme[9:] = 0.0
        if self.trace_record:
            self.trace_record.reset()

    def _load(self, product: WeldProduct) -> None:
        self.product = product
        self.cell.load(product)
        if product not in self._look_aheads:
            self._look_aheads[product] = LookAhead(
                self.cell.frames, self.cell.torch_rotations_w, self.config.sensor
            )
        look_ahead = self._look_aheads[product]
        self._tracker.load(product, self.cell.frames, look_ahead)
        procedure = product.procedure
        self._programme = np.zeros(len(groups.PROGRAMME))
        self._programme[JOINTS.index(product.joint)] = 1.0
        self._programme[3:9] = (
            product.thickness_m,
            procedure.wire_feed_m_s,
            procedure.voltage_v,
            procedure.travel_speed_m_s,
            procedure.contact_tip_distance_m,
            product.gap_m,
        )

    def _place(self) -> None:
        """Lay the part into the fixture as it is this time, and calibrate the camera as badly as it is."""
        product, frames, disturbed = self.product, self.cell.frames, self.disturbed
        position = frames.path_position_m
        thickness_m = product.thickness_m * disturbed.thickness_batch.scale
        translation_w, yaw_rad = disturbed.fixture_offset.pose()
        self.deviation: SeamDeviation = deviate(
            frames,
            ORIGIN_W,
            translation_w=translation_w,
            yaw_rad=yaw_rad,
            warp_m=disturbed.part_warp.offset_m(position),
            gap_m=disturbed.gap_m(
                position,
                seam_length_m=frames.length_m,
                nominal_gap_m=product.gap_m,
                thickness_m=product.thickness_m,
            ),
            misalignment_m=(
                disturbed.misalignment.step_m(position, product.thickness_m)
                if product.joint == "butt"
                else np.zeros_like(position)
            ),
            tack_m=np.minimum(
                disturbed.tack_welds.height_m(position),
                disturbed.tack_welds.ground_to_of_thickness * product.thickness_m,
            ),
            thickness_m=thickness_m,
        )
        self.camera.set_part(seam_mesh(product, frames, self.deviation, ORIGIN_W))
        self.camera.set_calibration(disturbed.camera_calibration.true_from_calibrated())

    def _begin_process(self, rng: np.random.Generator) -> None:
        product, procedure = self.product, self.product.procedure
        joint = Joint(JOINTS.index(product.joint))
        conditions = WeldConditions(
            joint=joint,
            thickness_m=product.thickness_m,
            gap_m=product.gap_m,
            wire_feed_m_s=procedure.wire_feed_m_s,
            voltage_v=procedure.voltage_v,
            travel_speed_m_s=procedure.travel_speed_m_s,
            contact_tip_distance_m=procedure.contact_tip_distance_m,
            push_angle_rad=procedure.push_angle_rad,
            work_angle_rad=procedure.work_angle_rad,
            plate_temperature_k=self.disturbed.plate_temperature.start_k,
        )
        constants = draw_constants(rng, self.disturbed.process_spread.scale)
        self.process.reset(0, constants, conditions, rng)
        self.record.reset(0, joint, product.path.length_m)
        self._inputs[:] = conditions.inputs()
        self._inputs[:, :, Input.ARC_ON] = 0.0
        if self.ideal is not None:
            self.ideal.reset(self.process)

    # Actuators, physics and process

    def _act(self, action: NDArray[np.float32]) -> None:
        config, dt = self.config, self.config.control_period_s
        self._last_action = action
        self._pending.append(action.tolist())
        command = self._pending.popleft()
        for axis, (rate, limit) in enumerate(
            (
                (config.lateral_rate_m_s, config.lateral_range_m),
                (config.height_rate_m_s, config.height_range_m),
            )
        ):
            moved = self._correction[axis] + command[axis] * rate * dt
            self._correction[axis] = min(max(moved, -limit), limit)
            self._reached[axis] = self.disturbed.backlash.apply(self._correction[axis], self._reached[axis])
        slew = config.trim_slew_1_s * dt
        for trim in range(3):
            change = command[2 + trim] - self._trims[trim]
            self._trims[trim] += min(max(change, -slew), slew)
        # The arc strikes just before the seam, so that its first millimetre is full.
        arc_on = self._wire_m >= -STRIKE_EARLY_M
        changed = self.disturbed.procedure_change.procedure(self._wire_m / self.cell.frames.length_m)
        speed = self._nominal[2] * changed.travel_speed_factor * (1.0 + config.speed_trim * self._trims[0])
        if self._wire_m < -SLOW_DOWN_M:
            speed = config.approach_speed_m_s
        self._command_m += speed * dt
        self._time_s += dt
        self._arc_time_s += dt * arc_on
        self._wire_feed_m_s = (
            self._nominal[0] * changed.wire_feed_factor * (1.0 + config.wire_trim * self._trims[1])
        )
        self._voltage_v = self._nominal[1] + changed.voltage_offset_v + config.voltage_trim_v * self._trims[2]
        self._pose_w = self.cell.move(self._command_m, *self._reached)
        self._touching = self.cell.world.touching()
        before_m = self._wire_m
        self._locate_wire()
        self._weld(before_m, arc_on)

    def _locate_wire(self) -> None:
        """Where the torch and the bent wire are relative to the seam as it lies now."""
        pose, length_m = self._pose_w, self.cell.frames.length_m
        self._torch_m, self._torch_lateral_m, self._torch_height_m = self.cell.across_seam(
            pose[:3, 3], self._command_m
        )
        self._tip_t = self.disturbed.tool_centre_point.offset_t(self._time_s)
        self._wire_m = self._torch_m + float(self._tip_t[0])
        bump = self.disturbed.fixture_bump.offset_m(self._wire_m / length_m)
        drift_m = self.disturbed.heat_drift.offset_m(self._arc_time_s, max(self._wire_m, 0.0))
        self._shift_m = (bump[0] + drift_m, bump[1])
        self._lateral_error_m = (
            self._seam_lateral_m(self._wire_m) - self._torch_lateral_m - float(self._tip_t[1])
        )
        self._height_error_m = (
            self._seam_height_m(self._wire_m) - self._torch_height_m - float(self._tip_t[2])
        )

    def _seam_lateral_m(self, path_position_m: float) -> float:
        return self._along(self.deviation.lateral_m, path_position_m) + self._shift_m[0]

    def _seam_height_m(self, path_position_m: float) -> float:
        return self._along(self.deviation.height_m, path_position_m) + self._shift_m[1]

    @staticmethod
    def _along(profile: Array, path_position_m: float) -> float:
        """Value of a per-sample profile at a path position, linear between samples."""
        position = (path_position_m + LEAD_IN_M) / STEP_M
        index = min(max(int(position), 0), len(profile) - 2)
        share = position - index
        return float((1.0 - share) * profile.item(index) + share * profile.item(index + 1))

    def _weld(self, before_m: float, arc_on: bool) -> None:
        """Run the process over the seam covered in this step and lay its bead."""
        self._inputs[0] = self._inputs[1]
        row, deviation, disturbed = self._inputs[1, 0], self.deviation, self.disturbed
        self._progress_m = max(self._wire_m - before_m, 0.0) * arc_on
        self._speed_m_s = (self._wire_m - before_m) / self.config.control_period_s
        row[Input.WIRE_FEED_M_S] = self._wire_feed_m_s
        row[Input.VOLTAGE_V] = self._voltage_v
        row[Input.TRAVEL_SPEED_M_S] = self._speed_m_s
        row[Input.ARC_ON] = arc_on
        nominal_m = self.product.procedure.contact_tip_distance_m
        row[Input.CONTACT_TIP_DISTANCE_M] = nominal_m - self._height_error_m
        row[Input.LATERAL_OFFSET_M] = -self._lateral_error_m
        row[Input.GAP_M] = self._along(deviation.gap_m, self._wire_m)
        row[Input.MISALIGNMENT_M] = self._along(deviation.misalignment_m, self._wire_m)
        row[Input.THICKNESS_M] = deviation.thickness_m
        row[Input.TACK_HEIGHT_M] = self._along(deviation.tack_m, self._wire_m)
        row[Input.WIRE_SLIP] = disturbed.wire_feed_slip.factor(self._time_s)
        row[Input.SUPPLY_OFFSET_V] = disturbed.supply_voltage.offset_v(self._time_s)
        row[Input.GAS_FLOW_L_MIN] = disturbed.gas_flow.flow_l_min(self._time_s)
        row[Input.DRAUGHT_M_S] = disturbed.draught.speed_m_s(self._time_s)
        if not self.process.signals[0, Signal.CURRENT_MEAN_A] and arc_on:
            self._inputs[0] = self._inputs[1]  # the arc strikes: nothing to interpolate from
        self.process.advance(self._inputs[0], self._inputs[1], self._process_steps)
        self._signals.push(self.process.signals[0])
        if arc_on:
            self._errors_m.append(self._lateral_error_m)
            self.record.add(np.array([before_m]), np.array([self._wire_m]), np.ones(1), self.process.features)

    # Reward and end

    def _measure(self) -> WeldMeasurement:
        arc_on, process = self._progress_m > 0.0, self.process
        violations = self.record.violations_now(self.process.features)[0].tolist() if arc_on else (0, 0, 0)
        measurement = WeldMeasurement(
            time_s=self._time_s,
            path_position_m=self._wire_m,
            progress_m=self._progress_m,
            lateral_error_m=self._lateral_error_m,
            height_error_m=self._height_error_m,
            speed_m_s=self._speed_m_s,
            arc_on=arc_on,
            violations=tuple(violations),
            risk=risk(self._inputs[1, 0], process.state[0], process.features[0], process.constants[0])
            if arc_on
            else 0.0,
            touching=self._touching,
        )
        if self.trace_record:
            self.trace_record.add(measurement, self._inputs[1, 0], self.process)
        return measurement

    def _reward_terms(self, m: WeldMeasurement) -> dict[str, float]:
        config, weights = self.config, REWARD_WEIGHTS
        welded_mm = m.progress_m * 1e3
        pace = m.speed_m_s / self._nominal[2] - 1.0 if m.arc_on else 0.0
        lateral_rate, height_rate = self._last_action[:2]
        rate = float((abs(lateral_rate) + abs(height_rate)) / 2)
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
            "smoothness": -weights["smoothness"] * rate,
            "crash": -weights["crash"] * self._failed(m),
        }

    def _failed(self, m: WeldMeasurement) -> bool:
        """Whether the torch touched something or the part is scrap."""
        return m.touching is not None or bool(m.arc_on and abs(m.lateral_error_m) > self.config.scrap_m)

    def _terminated(self, m: WeldMeasurement) -> bool:
        return bool(m.path_position_m >= self.cell.frames.length_m) or self._failed(m)

    def _episode_info(self, m: WeldMeasurement) -> dict[str, Any]:
        scorecard = self.record.scorecard(
            0,
            tracking_errors_m=np.array(self._errors_m),
            cycle_time_s=m.time_s,
            crashed=self._failed(m),
        )
        return {
            "scorecard": scorecard,
            "is_success": scorecard.passed["C"],
            "product": self.product.name,
            "touching": m.touching,
        }

    # Sensors

    def _motion_now(self) -> Array:
        config = self.config
        return np.array(
            [
                *self._correction,
                config.speed_trim * self._trims[0],
                config.wire_trim * self._trims[1],
                config.voltage_trim_v * self._trims[2],
                *self._last_action,
            ]
        )

    def _observe(self) -> Observation:
        image = self._take_frame()
        self._motion.push(self._motion_now())
        self._programme[9:] = (
            self._torch_m / self.cell.frames.length_m,
            self.cell.frames.curvature_1_m[self.cell.frames.index(self._torch_m)],
            self._torch_m >= 0.0,
        )
        values: dict[str, NDArray[Any]] = {
            "seam": self._tracker.profile(self._torch_m, self._torch_lateral_m, self._torch_height_m),
            "signals": self._signals.sample(),
            "programme": self._programme.astype(np.float32),
            "motion": self._motion.sample(),
        }
        if self.ideal is not None:
            self._search_ideal(self.ideal)
            values["privileged"] = privileged_state(self)
        for name, group in values.items():
            box = self._boxes[name]
            np.maximum(group, box.low, out=group)
            np.minimum(group, box.high, out=group)
        return {"image": image, **values}

    def _search_ideal(self, ideal: IdealTrims) -> None:
        """Tell the teacher's trims a look ahead of the wire, where a change made now takes effect."""
        changed = self.disturbed.procedure_change.procedure(self._wire_m / self.cell.frames.length_m)
        ahead_m = max(self._wire_m, 0.0) + IDEAL_PREVIEW_M
        inputs = self._inputs[1, 0].copy()
        for column, profile in (
            (Input.GAP_M, self.deviation.gap_m),
            (Input.MISALIGNMENT_M, self.deviation.misalignment_m),
            (Input.TACK_HEIGHT_M, self.deviation.tack_m),
        ):
            inputs[column] = self._along(profile, ahead_m)
        inputs[Input.THICKNESS_M] = self.deviation.thickness_m
        inputs[Input.CONTACT_TIP_DISTANCE_M] = self.product.procedure.contact_tip_distance_m
        nominal = (
            self._nominal[0] * changed.wire_feed_factor,
            self._nominal[1] + changed.voltage_offset_v,
            self._nominal[2] * changed.travel_speed_factor,
        )
        ideal.update(inputs, nominal, self._scale[2:], self.process)

    def _take_frame(self) -> NDArray[np.uint8]:
        """Expose a frame, deliver the newest one that has arrived, and measure the seam on it if new."""
        disturbed, frames = self.disturbed, self.cell.frames
        arc_on = self.process.signals[0, Signal.CURRENT_MEAN_A] > 0.0
        rotation = frames.rotations_w[frames.index(self._wire_m)]
        window_px = self._tracker.window_px(self._torch_m)
        self.camera.render(
            self._clean,
            world_from_tool=self._pose_w,
            path_position_m=self._torch_m,
            wire_tip_t=self._tip_t,
            arc_on=arc_on,
            part_shift_w=rotation[:, 1] * self._shift_m[0] + rotation[:, 2] * self._shift_m[1],
            window_px=window_px,
        )
        frame = disturbed.corrupt(
            self._clean,
            self.camera.arc_px(self._tip_t, window_px),
            arc_on=arc_on,
            time_s=self._time_s,
            magnification=self._magnification,
            rng=self._sensor_rng,
        )
        self._frame_number += 1
        self._frames.appendleft(
            (frame, self._torch_m, window_px, self._torch_lateral_m, self._torch_height_m)
        )
        number = max(disturbed.frame_delivery.delivered(self._frame_number), 0)
        age = min(self._frame_number - number, len(self._frames) - 1)
        delivered, torch_m, window_px, lateral_m, height_m = self._frames[age]
        if number > self._measured_frame:
            # Measured again, one outlier would agree with itself and look like a joint that moved.
            self._measured_frame = number
            self._tracker.update(delivered[1], torch_m, window_px, lateral_m, height_m)
        return delivered.copy()  # a frame that is delivered twice must not be one object

    def trace(self) -> dict[str, Any]:
        """Arrays of the episode so far; needs `record_trace=True`, see `WeldTrace`."""
        if self.trace_record is None:
            raise ValueError("no trace was recorded: make the environment with record_trace=True")
        return self.trace_record.as_dict()

    def render(self) -> NDArray[np.uint8]:
        """A picture of the cell, (480, 640, 3) uint8."""
        from cellwright_envs.welding.picture import picture

        return picture(self)

    def close(self) -> None:
        self.cell.close()
