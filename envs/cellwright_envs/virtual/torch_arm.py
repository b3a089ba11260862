"""The welding cell's arm as a plant."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.physics.world import ARM_PHYSICS_PERIOD_S
from cellwright_envs.virtual.arm import VirtualArm, pose_vector
from cellwright_envs.welding.disturbances import NAMED
from cellwright_envs.welding.part.product import WeldProduct
from cellwright_envs.welding.weld_cell import WeldCell, part_in_fixture
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.interface.rotation import rotation_rows

Array = NDArray[np.float64]


class TorchArm(VirtualArm):
    """A UR10e with a torch over a part that lies as drawn; motors follow with the joints' speed limits."""

    def __init__(
        self, product: WeldProduct, *, path_position_m: float, period_s: float = ARM_PHYSICS_PERIOD_S
    ) -> None:
        """Work begins on the taught path at `path_position_m`."""
        super().__init__(period_s, ARM_PHYSICS_PERIOD_S, np.asarray(TCP_FROM_FLANGE))
        self._cell = WeldCell(round(period_s / ARM_PHYSICS_PERIOD_S))
        self._cell.load(product)
        undisturbed = NAMED["none"].draw(np.random.default_rng(0))
        self._deviation = part_in_fixture(product, self._cell.frames, undisturbed)
        self._path_position_m = path_position_m

    @property
    def touching(self) -> str | None:
        """What the torch touches now."""
        return self._cell.world.touching()

    def _place(self) -> RobotState:
        return self._reading(self._cell.start(self._deviation, self._path_position_m))

    def _advance(self, target: Array) -> RobotState:
        rotation = np.array(rotation_rows(*target[3:].tolist()))
        return self._reading(self._cell.move_to(target[:3].copy(), rotation))

    def _reading(self, pose_w: Array) -> RobotState:
        tool, joints_rad = pose_vector(pose_w), self._cell.joints_rad.copy()
        return RobotState(time_s=self._time_s, tool=tool, joints_rad=joints_rad)

    def _end(self) -> None:
        self._cell.close()
