"""The cell of a weld's environment at the rate of a controller: torch, seam sensor, source, and the truth.

What an episode meets is drawn by the environment from its seed, as in training, but for the latency of its
decisions, which acts above the interface.
"""

from __future__ import annotations

import threading
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.physics.world import ARM_PHYSICS_PERIOD_S
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


class PoolView:
    """The pool camera of a cell, as a robot's program has it."""

    def __init__(self) -> None:
        self._frame: Frame | None = None

    def show(self, picture: NDArray[np.uint8], *, exposed_s: float) -> None:
        """A picture (H, W) has arrived."""
        number = 0 if self._frame is None else self._frame.number + 1
        self._frame = Frame(image=picture[np.newaxis].copy(), exposed_s=exposed_s, number=number)

    def newest(self) -> Frame | None:
        """The newest picture (1, H, W) that has arrived."""
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
        disturbances: str,
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
        self._power = PowerCommand()
        self._lock = threading.RLock()
        self.pool = PoolView() if env.pool is not None else None
        """The pool camera; None where the cell has none."""

    @property
    def time_s(self) -> float:
        """The clock of the cell."""
        return (self._cycles or 0) * self.period_s

    # The arm

    def begin(self) -> RobotState:
        """Put the torch over the lead-in, at rest; time begins at 0."""
        with self._lock:
            self.env.reset(seed=self._seed, options=self._options)
            self._cycles, self._crashed = 0, False
            self.stop()
            self._exposures_s = [0.0]
            self._exposed = Exposed(self.env.frame, 0.0)
            if self.pool is not None:
                self.pool.show(self.env.pool_picture, exposed_s=0.0)
            return self._state()

    def move_tool(self, tool: Array) -> RobotState:
        """One cycle towards the torch's pose (6,)."""
        env, target = self.env, numbers("tool", tool, 6)
        with self._lock:
            if self._cycles is None:
                raise DriverError("the simulated cell has not begun")
            self._cycles += 1
            env._pose_w = env.cell.move_to(target[:3].copy(), np.array(rotation_rows(*target[3:].tolist())))
            if self._cycles % self._steps == 0:
                self._weld()
            return self._state()

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One cycle towards where joints (6,) [rad] hold the torch."""
        joints = numbers("joints_rad", joints_rad, 6)
        return self.move_tool(pose_of(product(forward_kinematics(joints), np.array(TCP_FROM_FLANGE))))

    def stand(self) -> None:
        """One period in which nothing happens."""

    def close(self) -> None:
        """Let go of the simulation."""
        with self._lock:
            self._cycles = None
            self.env.close()

    def _weld(self) -> None:
        """What the environment does below its interface, once a control period."""
        env, wiring, power, burns = self.env, self.wiring, self._power, self._burns
        dt = env.config.control_period_s
        env._command_m = env.wire.torch.path_position_m
        env._time_s = self.time_s
        env._arc_time_s += dt * burns
        changed = env.disturbed.procedure_change.procedure(env.wire.wire_m / env.cell.frames.length_m)
        env._wire_feed_m_s = wiring.wire_feed.value(power.wire_feed_v) * changed.wire_feed_factor
        env._voltage_v = wiring.voltage.value(power.voltage_v) + changed.voltage_offset_v
        env._touching = env.cell.world.touching()
        before_m = env.wire.wire_m
        env._locate_wire()
        env._weld(before_m, burns)
        env.measurement = env._measure()
        self._crashed = self._crashed or env._failed(env.measurement)

    @property
    def _burns(self) -> bool:
        return self.lit and self._power.arc_on

    def _state(self) -> RobotState:
        env = self.env
        return RobotState(
            time_s=self.time_s,
            tool=pose_of(env._pose_w),
            joints_rad=env.cell.joints_rad.copy(),
        )

    # The seam sensor

    def seam_of(self, geometry: SeamSensorGeometry) -> TaughtSeam:
        """The taught seam of this part."""
        return taught_seam(self.env.product, geometry)

    def expose(self, window_px: tuple[float, float]) -> None:
        """Take a frame now, its window shifted by (columns, rows), and a picture of the pool."""
        with self._lock:
            self._exposures_s.append(self.time_s)
            frame = self.env._take_frame(window_px)
            self._exposed = Exposed(frame, self._exposures_s[frame.number])
            picture = self.env._take_pool()
            if self.pool is not None and picture is not None:
                self.pool.show(picture, exposed_s=self.time_s)

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
            if self._crashed:
                return ()
            return tuple(level for level, fine in self.env._inspect().passed.items() if fine)

    def truth(self) -> str:
        """What became of the part, in words."""
        passed = self.passed()
        return f"passes {', '.join(passed)}" if passed else "passes no level"
