"""The welding cell's arm behind the protocol of a driver."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.physics.world import ARM_PHYSICS_PERIOD_S
from cellwright_envs.virtual.arm import VirtualArm
from cellwright_envs.welding.disturbances import NAMED
from cellwright_envs.welding.part.product import WeldProduct
from cellwright_envs.welding.weld_cell import WeldCell, part_in_fixture
from cellwright_runtime.drivers.driver import ArmReading
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector

Array = NDArray[np.float64]


class TorchArm(VirtualArm):
    """A UR10e with a torch over a part that lies as drawn; motors follow with the joints' speed limits."""

    def __init__(
        self, product: WeldProduct, *, path_position_m: float, period_s: float = ARM_PHYSICS_PERIOD_S
    ) -> None:
        """Work begins on the taught path at `path_position_m`."""
        super().__init__(period_s, ARM_PHYSICS_PERIOD_S)
        self._cell = WeldCell(round(period_s / ARM_PHYSICS_PERIOD_S))
        self._cell.load(product)
        undisturbed = NAMED["none"].draw(np.random.default_rng(0))
        self._deviation = part_in_fixture(product, self._cell.frames, undisturbed)
        self._path_position_m = path_position_m

    @property
    def touching(self) -> str | None:
        """What the torch touches now."""
        return self._cell.world.touching()

    def _place(self) -> ArmReading:
        return self._reading(self._cell.start(self._deviation, self._path_position_m))

    def _advance(self, target: Array) -> ArmReading:
        rotation = np.array(rotation_rows(*target[3:].tolist()))
        return self._reading(self._cell.move_to(target[:3].copy(), rotation))

    def _reading(self, pose_w: Array) -> ArmReading:
        tool = np.array([*pose_w[:3, 3], *rotation_vector(pose_w[:3, :3].tolist())])
        return ArmReading(time_s=self._time_s, tool=tool, joints_rad=self._cell.joints_rad.copy())

    def _end(self) -> None:
        self._cell.close()
