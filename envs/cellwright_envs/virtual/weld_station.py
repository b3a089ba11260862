"""The cell of a weld's environment at the rate of a controller: torch, seam sensor, source, and the truth.

What an episode meets is drawn by the environment from its seed, as in training. Its latency and its play act
here on what reaches robot and source: how far a setpoint is beside the taught path, wire feed and voltage.
Where along the path the torch is, and whether the arc burns, is not late, as in the environment. The episode
begins with the frame before the robot's first motion, so that its control periods are those of the program
that asks for frames. Until then everything is at rest, and cameras show what they showed.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.physics.world import ARM_PHYSICS_PERIOD_S
from cellwright_envs.welding.disturbances import WeldDisturbances
from cellwright_envs.welding.taught_seam import taught_seam
from cellwright_envs.welding.weld_cell import WeldCell
from cellwright_envs.welding.weld_seam import WeldSeam
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_runtime.drivers.driver import DriverError, RobotState
from cellwright_runtime.drivers.power_source import PowerCommand, PowerState, Scale, Wiring, checked
from cellwright_runtime.interface.arrays import numbers
from cellwright_runtime.interface.path_correction import TaughtSeam
from cellwright_runtime.interface.placing import pose_of
from cellwright_runtime.interface.rotation import rotation_rows
from cellwright_runtime.kinematics import forward_kinematics
from cellwright_runtime.operation.task import Frame
from cellwright_runtime.operation.weld_task import Exposed

Array = NDArray[np.float64]

WIRING = Wiring(
    wire_feed=Scale(unit="m/s", at_0_v=0.0, at_10_v=0.25),
    voltage=Scale(unit="V", at_0_v=10.0, at_10_v=45.0),
)
"""Scales of the simulated source's outputs: the ranges of what a policy observes."""

_HELD = 1e-4
"""A first target that is nearer to where the tool begins [m], [rad] holds it there."""
_STILL = np.array([1e-5] * 3 + [1e-3] * 3)
"""A target that is nearer to where the tool is held [m], [rad] does not move it: a motion stage that is told
to stay wanders by so much."""


class PoolView:
    """The pool camera of a cell, as a robot's program has it."""

    def __init__(self, size_px: int) -> None:
        self._frame = Frame(image=np.zeros((1, size_px, size_px), np.uint8), exposed_s=0.0, number=0)

    def show(self, picture: NDArray[np.uint8], *, exposed_s: float) -> None:
        """A picture (H, W) has arrived."""
        number = self._frame.number + 1
        self._frame = Frame(image=picture[np.newaxis].copy(), exposed_s=exposed_s, number=number)

    def newest(self) -> Frame:
        """The newest picture (1, H, W) that has arrived; black before the first."""
        return self._frame


class WeldStation:
    """A `Plant`, its seam sensor, its pool camera and its power source, for one part.

    Each of the four may be called from a thread of its own.
    """

    wiring = WIRING

    def __init__(
        self,
        env_id: str,
        *,
        seed: int,
        product: str | None = None,
        products: str = "train",
        disturbances: str | WeldDisturbances,
    ) -> None:
        """The episode of `seed`, with a part of the set `products`, or with `product`."""
        env: Any = gymnasium.make(env_id, product=products, disturbances=disturbances).unwrapped
        if not isinstance(env, WeldSeam):
            raise ValueError(f"{env_id} is no weld")
        self.env: WeldSeam = env
        self.lit = True
        """Set it to False and no arc burns, as where the work has lost its earth."""
        self.period_s = ARM_PHYSICS_PERIOD_S
        self._steps = round(env.config.control_period_s / self.period_s)
        env.cell.close()
        env.cell = WeldCell(1)
        self._options = None if product is None else {"product": product}
        self._seed = seed
        self._cycles: int | None = None
        self._held = 0
        self._passed: tuple[str, ...] = ()
        self._power = PowerCommand()
        self._lock = threading.RLock()
        self.pool = PoolView(env.config.sensor.image_size_px) if env.pool is not None else None
        """The pool camera; None where the cell has none."""

    @property
    def time_s(self) -> float:
        """The clock of the cell."""
        return ((self._cycles or 0) + self._held) * self.period_s

    # The arm

    def begin(self) -> RobotState:
        """Put the torch over the lead-in, at rest; time begins at 0."""
        with self._lock:
            self.env.reset(seed=self._seed, options=self._options)
            self._cycles, self._crashed, self._held = 0, False, 0
            self._since_frame = 0
            self._hold: Array | None = None
            self.stop()
            latency = self.env.disturbed.actuator_latency.steps
            self._beside = deque([(0.0, 0.0)] * (latency * self._steps))
            self._outputs = deque([PowerCommand()] * latency)
            self._exposures_s = [0.0]
            self._exposed = Exposed(self.env.frame, 0.0)
            self._show_pool()
            return self._state()

    def move_tool(self, tool: Array) -> RobotState:
        """One cycle towards the torch's pose (6,)."""
        env, target = self.env, numbers("tool", tool, 6)
        with self._lock:
            if self._cycles is None:
                raise DriverError("the simulated cell has not begun")
            if self._rests(target):
                return self._state()
            self._cycles += 1
            rotation_w = np.array(rotation_rows(*target[3:].tolist()))
            env.move_torch(self._carried_out(target[:3]), rotation_w)
            if self._cycles % self._steps == 0:
                self._weld()
            return self._state()

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One cycle towards where joints (6,) [rad] hold the torch."""
        joints = numbers("joints_rad", joints_rad, 6)
        return self.move_tool(pose_of(product(forward_kinematics(joints), np.array(TCP_FROM_FLANGE))))

    def stand(self) -> None:
        """One cycle before the episode begins, in which only the cameras go on."""
        with self._lock:
            self._held += 1
            self._since_frame += 1
            if self._held % self._steps == 0:
                self._show_pool()

    def close(self) -> None:
        """Let go of the simulation; what became of the part is known further on."""
        with self._lock:
            self._passed, self._cycles = self.passed(), None
            self.env.close()

    def _rests(self, target: Array) -> bool:
        """Whether the robot is still where it began."""
        if self._cycles:
            return False
        if self._hold is None:
            began = pose_of(self.env.pose_w)
            self._hold = target if np.abs(target - began).max() < _HELD else began
        if (np.abs(target - self._hold) < _STILL).all():
            self.stand()
            return True
        self._cycles = self._since_frame % self._steps
        self._held -= self._cycles
        return False

    def _carried_out(self, point_w: Array) -> Array:
        """Where a torch goes that is sent to a point (3,): beside the path it is late, and has play."""
        env, frames = self.env, self.env.cell.frames
        place = frames.place(point_w, env.wire.torch.path_position_m)
        wanted = place.lateral_m, place.height_m
        self._beside.append(wanted)
        moved_w = np.zeros(3)
        across = frames.rotations_w[frames.index(place.path_position_m)]
        for axis, reached_m in enumerate(env.with_play(*self._beside.popleft())):
            moved_w += (reached_m - wanted[axis]) * across[:, 1 + axis]
        return point_w + moved_w

    def _put_out(self) -> PowerCommand:
        """What the source does: its settings are late, but for the first of an arc."""
        power = self._power
        if not power.arc_on:
            self._outputs = deque([power] * len(self._outputs))
            return power
        if self._outputs and not self._outputs[0].arc_on:
            self._outputs = deque([power] * len(self._outputs))
        self._outputs.append(power)
        return self._outputs.popleft()

    def _weld(self) -> None:
        """What the environment does below its interface, once a control period."""
        env, wiring, power = self.env, self.wiring, self._put_out()
        changed = env.disturbed.procedure_change.procedure(env.wire.wire_m / env.cell.frames.length_m)
        env.weld(
            commanded_m=env.wire.torch.path_position_m,
            time_s=(self._cycles or 0) * self.period_s,
            arc_on=self._burns,
            wire_feed_m_s=wiring.wire_feed.value(power.wire_feed_v) * changed.wire_feed_factor,
            voltage_v=wiring.voltage.value(power.voltage_v) + changed.voltage_offset_v,
        )
        env.measure()
        self._crashed = self._crashed or env.failed
        env.take_pool()
        self._show_pool()

    def _show_pool(self) -> None:
        """Deliver the newest picture of the pool; one of a cell at rest is as good as new."""
        if self.pool is not None:
            picture = self.env.pool_picture
            age_s = self.env.time_s - picture.exposed_s
            self.pool.show(picture.image, exposed_s=self.time_s - age_s)

    @property
    def _burns(self) -> bool:
        return self.lit and self._power.arc_on

    def _state(self) -> RobotState:
        env = self.env
        return RobotState(
            time_s=self.time_s,
            tool=pose_of(env.pose_w),
            joints_rad=env.cell.joints_rad.copy(),
        )

    # The seam sensor

    def seam_of(self, geometry: SeamSensorGeometry) -> TaughtSeam:
        """The taught seam of this part."""
        return taught_seam(self.env.product, geometry)

    def expose(self, window_px: tuple[float, float]) -> None:
        """Take a frame now, its window shifted by (columns, rows)."""
        env = self.env
        with self._lock:
            if self._cycles:
                self._exposures_s.append(self.time_s)
                env.expose(window_px)
            else:
                self._exposures_s[0] = self.time_s
            self._since_frame = 0
            frame = env.frame
            self._exposed = Exposed(frame, self._exposures_s[frame.number])

    def newest(self) -> Exposed:
        """The newest frame that has arrived."""
        return self._exposed

    # The power source

    def connect(self) -> PowerState:
        self.stop()
        return self.read()

    def send(self, command: PowerCommand) -> None:
        self._power = checked(command)

    def read(self) -> PowerState:
        env = self.env
        with self._lock:
            return PowerState(
                time_s=self.time_s,
                arc_established=self._burns,
                signals=tuple(env.disturbed.meter_error.shown(env.process.signals[0]).tolist()),
            )

    def stop(self) -> None:
        self._power = PowerCommand()

    # The truth

    def passed(self) -> tuple[str, ...]:
        """Levels that the part passes as it is now; none where the torch has touched something."""
        with self._lock:
            if self._cycles is None:
                return self._passed
            if self._crashed:
                return ()
            return tuple(level for level, fine in self.env.scorecard().passed.items() if fine)

    def truth(self) -> str:
        """What became of the part, in words."""
        passed = self.passed()
        return f"passes {', '.join(passed)}" if passed else "passes no level"
