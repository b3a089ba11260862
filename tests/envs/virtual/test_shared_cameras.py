"""Frames in memory: nobody's files are lost, and a directory belongs to one simulated cell at a time."""

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.shared_cameras import SharedCameras
from cellwright_runtime.camera.sources import FrameWriter, SharedFrames
from cellwright_runtime.files.reading import FileError

SHAPE = (20, 30, 3)


def cameras(directory: Path) -> SharedCameras:
    def picture() -> NDArray[np.uint8]:
        return np.full(SHAPE, 7, np.uint8)

    return SharedCameras(KinematicArm(), {"fixed": picture, "hand": picture}, lambda: 1, directory)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("killed", [False, True])
def test_a_file_of_the_user_is_refused_and_nothing_is_lost(tmp_path: Path, killed: bool) -> None:
    if killed:
        killed_in(tmp_path)
    (tmp_path / "hand").unlink(missing_ok=True)
    (tmp_path / "hand").write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(FileError, match=r"hand exists and would be lost; choose another directory"):
        cameras(tmp_path)
    assert contents(tmp_path) == before


def test_frames_of_another_program_are_refused(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "hand", SHAPE)
    with pytest.raises(FileError, match="hand exists and would be lost"):
        cameras(tmp_path)
    writer.write(np.zeros(SHAPE, np.uint8))
    writer.close()


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    killed_in(tmp_path)
    (tmp_path / "fixed").unlink()
    os.mkfifo(tmp_path / "fixed")
    with pytest.raises(FileError, match="fixed exists and would be lost"):
        cameras(tmp_path)


def test_a_directory_in_use_is_refused_until_it_is_let_go(tmp_path: Path) -> None:
    running = cameras(tmp_path)
    running.begin()
    with pytest.raises(FileError, match="the frames of another virtual controller that runs"):
        cameras(tmp_path)
    assert SharedFrames(tmp_path / "hand").read().number == 1
    running.close()
    running.close()
    assert not list(tmp_path.iterdir())
    cameras(tmp_path).close()


def test_files_of_a_killed_cell_are_its_own(tmp_path: Path) -> None:
    killed_in(tmp_path)
    assert {"fixed", "hand"} < set(contents(tmp_path))
    again = cameras(tmp_path)
    again.begin()
    assert SharedFrames(tmp_path / "hand").read().number == 1
    again.close()
    assert not list(tmp_path.iterdir())


def killed_in(directory: Path) -> None:
    """Have a process that shows frames in `directory` end at once, as one that is killed."""
    if (process := os.fork()) == 0:
        code = 1
        try:
            cameras(directory).begin()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(process, 0)[1] == 0
