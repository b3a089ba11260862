"""The cameras of a simulated cell as frames in memory, which other processes read without loss."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.camera.sources import CameraError, FrameWriter, SharedFrames
from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.drivers.sim import Plant
from cellwright_runtime.files.reading import FileError

Array = NDArray[np.float64]
Picture = Callable[[], NDArray[np.uint8]]

OURS = ".cellwright-frames"
"""Is in a directory while a simulated cell has files there, and after one that was killed."""


class SharedCameras:
    """A `Plant` that puts each new picture into memory before it says where the robot is.

    So whoever has heard of a cycle finds its pictures.
    """

    def __init__(
        self, plant: Plant, cameras: Mapping[str, Picture], exposures: Callable[[], int], directory: Path
    ) -> None:
        """A camera NAME becomes the file NAME in `directory`, which should be one in memory and is made.

        `exposures` counts up with every new picture. Raises `FileError` where another simulated cell has its
        files there, or where a file NAME is not one that a killed one left; OSError where the system refuses.
        """
        self.period_s = plant.period_s
        self._plant, self._cameras, self._exposures = plant, dict(cameras), exposures
        self._directory = directory
        self._writers: dict[str, FrameWriter] = {}
        self._lock: int | None = _locked(directory)
        try:
            _remove_stale(directory, self._cameras)
        except BaseException:
            self.let_go()
            raise
        self._shown: int | None = None

    def begin(self) -> RobotState:
        """Put everything where work begins, and the first pictures into memory."""
        state = self._plant.begin()
        for name, picture in self._cameras.items():
            if name not in self._writers:
                (self._directory / OURS).touch()
                self._writers[name] = FrameWriter(self._directory / name, picture().shape)
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
        self.let_go()
        self._plant.close()

    def let_go(self) -> None:
        """Take the files away, and let others have the directory; nothing where that was done."""
        if self._lock is None:
            return
        for writer in self._writers.values():
            writer.close()
        if self._writers:
            (self._directory / OURS).unlink(missing_ok=True)
        self._writers.clear()
        os.close(self._lock)
        self._lock = None

    def _shared(self, state: RobotState) -> RobotState:
        self._share()
        return state

    def _share(self) -> None:
        if (number := self._exposures()) != self._shown:
            self._shown = number
            for name, writer in self._writers.items():
                writer.write(self._cameras[name]())


def _locked(directory: Path) -> int:
    """A descriptor of `directory` that no other process has locked; the lock ends with its process."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise FileError(
            f"{directory} has the frames of another virtual controller that runs; choose another directory"
        ) from None
    except BaseException:
        os.close(lock)
        raise
    return lock


def _remove_stale(directory: Path, names: Iterable[str]) -> None:
    """Remove what a killed process left; raises `FileError`, and removes nothing, for what is not ours."""
    there = [path for name in names if os.path.lexists(path := directory / name)]
    for path in there:
        if not ((directory / OURS).exists() and _has_frames(path)):
            raise FileError(f"{path} exists and would be lost; choose another directory or take it away")
    for path in there:
        path.unlink()
    (directory / OURS).unlink(missing_ok=True)


def _has_frames(path: Path) -> bool:
    if not stat.S_ISREG(path.lstat().st_mode):
        return False
    try:
        SharedFrames(path).close()
    except CameraError:
        return False
    return True
