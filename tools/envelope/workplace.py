"""A robot, cameras and a policy that break when they are told to, in time that passes in the driver alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_assets.assembly_cell import GRASP_HEIGHT_M
from cellwright_assets.gripper import tcp_from_flange
from cellwright_envs.physics.robot import Arm
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle, PolicySpec
from cellwright_runtime.bundle.safety import (
    Bound,
    Interventions,
    JointLimits,
    ObservedRange,
    ObservedView,
    Safety,
    Timing,
    ToolLimits,
    WorkspaceBox,
)
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotState, Status
from cellwright_runtime.drivers.sim import SimDriver
from cellwright_runtime.envelope.declared import limits_of, observation_guard_of
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.fences import JointSpace, PoseSpace
from cellwright_runtime.envelope.inference import Answer, InstantInference, Observation
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.policy_guard import PolicyGuard
from cellwright_runtime.interface.force_loop import approach_speed
from cellwright_runtime.kinematics import tool_and_jacobian
from cellwright_runtime.operation.insertion_task import InsertionTask
from cellwright_runtime.operation.session import Session
from cellwright_runtime.operation.task import Frame
from cellwright_runtime.runtime import Decision

Array = NDArray[np.float64]

CYCLE_S = 0.002
CAMERA_S = 0.04
"""Period of the cameras: 25 Hz."""
ORIGIN = (0.60, 0.0, 0.15)
FIXTURE_B = np.eye(4)
FIXTURE_B[:3, 3] = ORIGIN
TOOL = tcp_from_flange(GRASP_HEIGHT_M)
SPEC = Bundle.load(zoo.path("peg-insertion")).spec
FORCE_LIMIT_N = 25.0
"""Of the part that is inserted."""
SPEED_M_S = min(
    float(SPEC.layout.reach[2]) / SPEC.layout.control_period_s,
    approach_speed(SPEC.layout.controller)(FORCE_LIMIT_N),
)
"""At which the policy moves: a full action, or what the part's force limit allows."""
FOLLOWS_M = 0.003
"""An arm that takes positions is no farther from its setpoint. It has to be less than the leash, at which
the reference waits for an arm that stands."""


@dataclass
class Faults:
    """What is broken now."""

    state: Callable[[RobotState], RobotState] | None = None
    """Changes what the controller reports."""
    silent: bool = False
    lost: bool = False
    """The connection is gone."""
    refuses: bool = False
    """Setpoints cannot be sent."""
    stuck: bool = False
    """Setpoints are taken, and the robot stands."""
    unplugged: bool = False
    frozen: bool = False
    picture: Callable[[NDArray[np.uint8]], NDArray[Any]] | None = None
    late_s: float = 0.0
    preclip: float | None = None
    raises: Exception | None = None
    stall_s: float = 0.0
    """Of this computer, once."""


class Workplace:
    """A session of an insertion's policy that goes up and down as fast as it may."""

    def __init__(self, mode: Mode = Mode.TOOL_POSE, limits: Limits | None = None) -> None:
        self.faults, self.now_s, self._way = Faults(), 50.0, -1.0
        self.limits = limits or limits_of(safety(SPEC), fixture_b=FIXTURE_B).tightened(tracking_m=FOLLOWS_M)
        self.driver = _Driver(self, mode)
        self.sent: list[Array] = []
        task = InsertionTask(
            SPEC.layout, _Camera(self), fixture_b=FIXTURE_B, force_limit_n=FORCE_LIMIT_N, cycle_s=CYCLE_S
        )
        space = (
            PoseSpace(self.limits, CYCLE_S)
            if mode is Mode.TOOL_POSE
            else JointSpace(self.limits, CYCLE_S, TOOL)
        )
        self.envelope = Envelope(self.limits, space, CYCLE_S, lag_s=0.02)
        guard = PolicyGuard(
            _Inference(self),
            observation_guard_of(SPEC, safety(SPEC), self.limits),
            deadline_s=self.limits.inference_s,
            preclip=self.limits.preclip,
        )
        self.session = Session(task, guard, self.envelope, self.driver, clock=lambda: self.now_s)

    def run(self, seconds: float) -> None:
        """Cycles for so long, or until the session is over."""
        until_s = self.now_s + seconds
        while self.now_s < until_s and not self.session.over:
            self.session.cycle()

    def speed_m_s(self) -> float:
        """Of the setpoints, along z."""
        if len(self.sent) < 2:
            return 0.0
        last, now = (self.driver.tool_of(each) for each in self.sent[-2:])
        return float(now[2] - last[2]) / CYCLE_S

    def decide(self, observation: Observation) -> Decision:
        """Down until low, up until high."""
        height_m = float(observation["pose"][2])
        if height_m > 0.02:
            self._way = -1.0
        elif height_m < -0.02:
            self._way = 1.0
        action = np.zeros(len(SPEC.action), np.float32)
        action[2] = self._way
        return Decision(action=action, action_preclip=action.copy(), command=action)


class _Driver(SimDriver):
    """Of a UR10e, whose controller lies, falls silent and refuses on demand."""

    def __init__(self, place: Workplace, mode: Mode) -> None:
        pose = np.eye(4)
        pose[:3, 3] = np.array(ORIGIN) + np.array([0.0, 0.0, 0.012])
        start_rad = Arm(tool=TOOL).plan(pose[None])[0]
        super().__init__(KinematicArm(period_s=CYCLE_S, start_rad=start_rad, tool_from_flange=TOOL), mode)
        self._place = place
        self._last: RobotState = self.connect()

    def tool_of(self, setpoint: Array) -> Array:
        """The tool (3,) at a setpoint."""
        if self.mode is Mode.TOOL_POSE:
            return setpoint[:3]
        pose, _ = tool_and_jacobian(setpoint, TOOL)
        return np.asarray(pose[:3, 3])

    def read_state(self) -> RobotState:
        place, faults = self._place, self._place.faults
        if faults.stuck:
            self._hold, self._setpoint = self._last.tool, None
        state = super().read_state()
        place.now_s += CYCLE_S + faults.stall_s
        faults.stall_s = 0.0
        if faults.lost:
            raise DriverError("the connection to the controller is gone")
        state = replace(state, wrench=np.zeros(6))
        if faults.silent:
            return replace(self._last, status=Status.SILENT)
        self._last = state
        return state if faults.state is None else faults.state(state)

    def connect(self) -> RobotState:
        self._last = replace(super().connect(), wrench=np.zeros(6))
        return self._last

    def send_setpoint(self, setpoint: Array) -> None:
        if self._place.faults.refuses:
            raise DriverError("the controller takes no setpoints")
        super().send_setpoint(setpoint)
        self._place.sent.append(setpoint)


class _Camera:
    """Two views of noise, 25 times a second."""

    def __init__(self, place: Workplace) -> None:
        self._place, self._rng = place, np.random.default_rng(0)
        self._frame = self._expose(0)

    def newest(self) -> Frame:
        place, number = self._place, int(self._place.now_s / CAMERA_S)
        if number != self._frame.number and not place.faults.unplugged:
            fresh = self._expose(number)
            if place.faults.frozen:
                fresh = fresh._replace(image=self._frame.image)
            self._frame = fresh
        image = self._frame.image
        return self._frame._replace(
            image=image if place.faults.picture is None else place.faults.picture(image)
        )

    def _expose(self, number: int) -> Frame:
        size = SPEC.layout.image_size_px
        image = self._rng.integers(0, 255, (2, size, size), dtype=np.uint8)
        return Frame(image=image, exposed_s=number * CAMERA_S, number=number)


class _Inference(InstantInference):
    """Answers after a while, or with nonsense."""

    def __init__(self, place: Workplace) -> None:
        super().__init__(self._decide)
        self._place, self._due_s = place, 0.0

    def ask(self, number: int, observation: Observation) -> bool:
        if self._place.now_s < self._due_s:
            return False
        self._due_s = self._place.now_s + self._place.faults.late_s
        return super().ask(number, observation)

    def take(self, number: int) -> Answer | None:
        return super().take(number) if self._place.now_s >= self._due_s else None

    def _decide(self, observation: Observation) -> Decision:
        faults = self._place.faults
        if faults.raises is not None:
            raise faults.raises
        decision = self._place.decide(observation)
        if faults.preclip is None:
            return decision
        preclip = np.full_like(decision.action_preclip, faults.preclip)
        return replace(decision, action_preclip=preclip, action=np.clip(preclip, -1.0, 1.0))


def safety(spec: PolicySpec) -> Safety:
    """An envelope as a bundle has it, with what its manifest and its robot tell."""
    told = "assumption: for this proof"

    def bound(*values: float) -> Bound:
        return Bound(value=tuple(float(each) for each in values), source=told)

    groups = [group for group in spec.observation if group.dtype != "uint8"]
    images = [group for group in spec.observation if group.dtype == "uint8"]
    layout = spec.layout
    welds = "lateral_range" in layout.controller
    speed = 0.05 if welds else float(np.linalg.norm(layout.reach[:3])) * spec.control_rate_hz
    return Safety(
        joints=JointLimits(
            robot="UR10e",
            names=ur10e.JOINT_NAMES,
            position_low_rad=bound(*ur10e.LOWER_LIMIT_RAD),
            position_high_rad=bound(*ur10e.UPPER_LIMIT_RAD),
            position_margin_rad=bound(0.1),
            velocity_rad_s=bound(*ur10e.SPEED_LIMIT_RAD_S),
            acceleration_rad_s2=bound(*(5.0,) * 6),
            rate_margin=bound(0.1),
        ),
        tool=ToolLimits(
            speed_m_s=bound(speed),
            turning_speed_rad_s=bound(0.8),
            acceleration_m_s2=bound(3.7),
            turning_acceleration_rad_s2=bound(10.0),
            jerk_m_s3=bound(500.0),
            turning_jerk_rad_s3=bound(600.0),
            force_n=None if welds else bound(30.0),
            torque_n_m=None if welds else bound(3.0),
        ),
        timing=Timing(
            control_period_s=bound(1.0 / spec.control_rate_hz),
            inference_deadline_s=bound(1.0 / spec.control_rate_hz),
            latency_s=bound(0.0, 0.1),
            image_age_s=bound(0.15),
            observation_age_s=bound(1.0 / spec.control_rate_hz),
        ),
        interventions=Interventions(largest_fraction=bound(0.5), window_s=bound(1.0)),
        workspace=() if welds else (_box(spec, bound),),
        observed=tuple(
            ObservedRange(
                group=group.name,
                low=bound(*group.low.ravel()),
                high=bound(*group.high.ravel()),
                margin=bound(*(0.0 * group.high.ravel())),
            )
            for group in groups
        ),
        views=tuple(
            ObservedView(
                view=part.name,
                # Without an arc the pool camera sees nothing, as a shipped envelope knows.
                mean_low=bound(0.0 if part.name == "pool" else 1.0),
                mean_high=bound(254.0),
                deviation_low=bound(0.0 if part.name == "pool" else 2.0),
                deviation_high=bound(128.0),
                longest_still_s=bound(1.0 / spec.control_rate_hz),
            )
            for group in images
            for part in group.components
        ),
    )


def _box(spec: PolicySpec, bound: Callable[..., Bound]) -> WorkspaceBox:
    controller = spec.layout.controller
    low, high = (controller.read(f"reference_{end}", "m", count=3) for end in ("low", "high"))
    return WorkspaceBox(
        name="reference",
        frame="nominal_fixture",
        low_m=bound(*(low - 0.005)),
        high_m=bound(*(high + 0.005)),
        turn_rad=bound(0.25),
    )
