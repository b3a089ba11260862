"""The cameras of a simulated cell as frames in memory, which other processes read without loss."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.camera.sources import FrameWriter
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.drivers.sim import Plant

Array = NDArray[np.float64]
Picture = Callable[[], NDArray[np.uint8]]


class SharedCameras:
    """A `Plant` that puts each new picture into memory before it says where the robot is.

    So whoever has heard of a cycle finds its pictures.
    """

    def __init__(
        self, plant: Plant, cameras: Mapping[str, Picture], exposures: Callable[[], int], directory: Path
    ) -> None:
        """A camera NAME becomes the file NAME in `directory`, which should be one in memory.

        `exposures` counts up with every new picture.
        """
        self.period_s = plant.period_s
        self._plant, self._cameras, self._exposures = plant, dict(cameras), exposures
        self._directory = directory
        self._writers: dict[str, FrameWriter] = {}
        self._shown: int | None = None

    def begin(self) -> RobotState:
        """Put everything where work begins, and the first pictures into memory."""
        state = self._plant.begin()
        for name, picture in self._cameras.items():
            if name not in self._writers:
                path = self._directory / name
                path.unlink(missing_ok=True)  # of a program that was killed
                self._writers[name] = FrameWriter(path, picture().shape)
        self._shown = None
        return self._shared(state)

    def move_joints(self, joints_rad: Array) -> RobotState:
        """One period towards joints (6,) [rad]."""
        return self._shared(self._plant.move_joints(joints_rad))

    def move_tool(self, tool: Array) -> RobotState:
        """One period towards a pose (6,) of the tool in the base frame."""
        return self._shared(self._plant.move_tool(tool))

    def stand(self) -> None:
        """One period in which nobody moves the arm; pictures go on."""
        self._plant.stand()
        self._share()

    def close(self) -> None:
        """Take the files away, and let go of the simulation."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        self._plant.close()

    def _shared(self, state: RobotState) -> RobotState:
        self._share()
        return state

    def _share(self) -> None:
        if (number := self._exposures()) != self._shown:
            self._shown = number
            for name, writer in self._writers.items():
                writer.write(self._cameras[name]())
