"""The cell of an insertion's environment at the rate of a controller: arm, cameras, and the truth.

What an episode meets is drawn by the environment from its seed, as in training. Its latency delays setpoints
here. Its factor on the motions that a policy commands is left out: it acts above the interface, where a robot
knows nothing of it. The episode begins with the first motion of the robot: until then everything is at rest,
and only the cameras go on.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_envs.assembly.arm_dynamics import COARSE_PERIOD_S
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, arm
from cellwright_envs.assembly.insertion import SENSOR_NOISE, Insertion
from cellwright_runtime.drivers.driver import DriverError, RobotState
from cellwright_runtime.interface.arrays import numbers
from cellwright_runtime.interface.placing import pose_of
from cellwright_runtime.kinematics import forward_kinematics
from cellwright_runtime.operation.task import Frame

Array = NDArray[np.float64]

FIXTURE_B = np.eye(4)
"""(4, 4) nominal fixture in the base frame."""
FIXTURE_B[:3, 3] = NOMINAL_FIXTURE_W

_HELD = 1e-4
"""A first target that is nearer to where the tool begins [m], [rad] holds it there."""


class InsertionStation:
    """A `Plant` with the cameras of its cell, for one part."""

    def __init__(
        self,
        env_id: str,
        *,
        seed: int,
        product: str = "train",
        disturbances: str,
        positions: bool = False,
    ) -> None:
        """The episode of `seed` among the parts `product`, a name or a group of the catalogue.

        With `positions` the arm goes where it is sent, and the force loop of its cell is left to whoever
        sends; without, targets are references of the cell's own compliant controller.
        """
        env: Any = gymnasium.make(env_id, product=product, disturbances=disturbances).unwrapped
        if not isinstance(env, Insertion):
            raise ValueError(f"{env_id} is no insertion")
        self.env: Insertion[Any] = env
        config = env.config
        self._steps = round(config.control_period_s / COARSE_PERIOD_S)
        self.period_s = config.control_period_s / self._steps
        compliance = config.compliance
        if positions:
            # Transport and computing are the wire's and the sender's.
            compliance = replace(compliance, arm=replace(compliance.arm, command_delay_s=0.0))
        env.cell.close()
        env.cell = AssemblyCell(self.period_s, compliance, positions=positions)
        self._seed = seed
        self._cycles: int | None = None

    def begin(self) -> RobotState:
        """Hold the part where the approach ends, at rest; time begins at 0."""
        env = self.env
        env.reset(seed=self._seed)
        self._cycles = self._held = 0
        self._hold: Array | None = None
        self._noise = np.random.default_rng(self._seed)
        self._resting_noise = self._noise.standard_normal(6)
        delay = env.disturbed.actuator_latency.steps * self._steps
        self._pending = deque([env.reached.tool.copy()] * delay)
        self._newest = Frame(image=env.delivered_frame.copy(), exposed_s=0.0, number=0)
        return self._state()

    def move_tool(self, tool: Array) -> RobotState:
        """One cycle towards the tool's pose (6,), or the compliant controller's reference."""
        env, target = self.env, numbers("tool", tool, 6)
        if self._cycles is None:
            raise DriverError("the simulated cell has not begun")
        if self._rests(target):
            return self._state()
        self._pending.append(target)
        self._cycles += 1
        env.follow(self._pending.popleft(), time_s=self._cycles * self.period_s)
        if self._cycles % self._steps == 0:
            env.measure()
            self._expose(env.take_frame())
        return self._state()

    def stand(self) -> None:
        """One cycle before the episode begins, in which only the cameras go on."""
        self._held += 1
        if self._held % self._steps == 0:
            self._expose(self._newest.image)

    def _rests(self, target: Array) -> bool:
        """Whether the robot is still where it began."""
        if self._cycles:
            return False
        if self._hold is None:
            begun = self.env.reached.tool
            self._hold = target if np.abs(target - begun).max() < _HELD else begun.copy()
        if (target != self._hold).any():
            return False
        self.stand()
        return True

    def _expose(self, image: NDArray[np.uint8]) -> None:
        self._newest = Frame(image=image, exposed_s=self._now_s, number=self._newest.number + 1)

    @property
    def _now_s(self) -> float:
        return ((self._cycles or 0) + self._held) * self.period_s

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One cycle towards where joints (6,) [rad] hold the tool."""
        joints = numbers("joints_rad", joints_rad, 6)
        return self.move_tool(pose_of(product(forward_kinematics(joints), arm().tool)))

    def newest(self) -> Frame:
        """The newest pair of pictures that has arrived, of the hand's camera and of the fixed one."""
        return self._newest

    def seated(self) -> bool:
        """The truth: whether the part has been seated for the time that counts as success."""
        return self.env.succeeded

    def broken(self) -> bool:
        """The truth: whether it bore too much."""
        return self.env.failed

    def truth(self) -> str:
        """What became of the part, in words."""
        return "broken" if self.broken() else "seated" if self.seated() else "not seated"

    def close(self) -> None:
        """Let go of the simulation."""
        self._cycles = None
        self.env.close()

    def _state(self) -> RobotState:
        env, reached = self.env, self.env.reached
        sensor = env.disturbed.force_sensor
        # The mean over a control period has the noise that the environment gives it.
        # Before the episode begins it is always the same, so that an episode does not depend on the wait.
        drawn = self._noise.standard_normal(6) if self._cycles else self._resting_noise
        noise = sensor.noise_factor * np.sqrt(self._steps) * SENSOR_NOISE * drawn
        return RobotState(
            time_s=self._now_s,
            tool=reached.tool.copy(),
            joints_rad=env.cell.joints_at(reached.tool),
            wrench=reached.wrench_t + np.array(sensor.error(env.time_s)) + noise,
        )
