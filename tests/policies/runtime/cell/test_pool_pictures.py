"""Pictures of the weld pool out of memory: their age, and what is refused."""

from pathlib import Path

import numpy as np
import pytest

from cellwright_runtime.camera.sources import CameraError, FrameWriter, SharedFrames
from cellwright_runtime.cell.pool_pictures import PoolPictures

SIZE_PX = 64


def picture(grey: int, *, size_px: int = SIZE_PX) -> np.ndarray:
    return np.full((size_px, size_px), grey, np.uint8)


def test_a_picture_is_as_old_as_its_writer_and_its_exposure_say(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "pool", (SIZE_PX, SIZE_PX))
    writer.write(picture(9), time_s=5.0)
    pool = PoolPictures(SharedFrames(tmp_path / "pool"), size_px=SIZE_PX, exposure_s=0.25)
    frame = pool.newest()
    assert frame.image.shape == (1, SIZE_PX, SIZE_PX)
    assert np.unique(frame.image).tolist() == [9]
    assert frame.exposed_s == pytest.approx(4.75)
    assert pool.newest() is frame
    writer.write(picture(10), time_s=6.0)
    assert pool.newest().exposed_s == pytest.approx(5.75)
    pool.close()
    writer.close()


def test_by_another_clock_a_picture_is_exposed_when_it_is_seen_first(tmp_path: Path) -> None:
    now_s = [1.0]
    writer = FrameWriter(tmp_path / "pool", (SIZE_PX, SIZE_PX))
    writer.write(picture(9), time_s=5.0)
    pool = PoolPictures(SharedFrames(tmp_path / "pool"), size_px=SIZE_PX, clock=lambda: now_s[0])
    assert pool.newest().exposed_s == 1.0
    now_s[0] = 2.0
    assert pool.newest().exposed_s == 1.0
    writer.write(picture(9))
    assert pool.newest().exposed_s == 2.0
    pool.close()
    writer.close()


def test_pictures_that_nobody_has_rectified_are_refused_in_one_line(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "pool", (80, 80))
    writer.write(picture(9, size_px=80))
    pool = PoolPictures(SharedFrames(tmp_path / "pool"), size_px=SIZE_PX)
    with pytest.raises(CameraError, match=r"\(80, 80\), the policy takes uint8 \(64, 64\): rectify"):
        pool.newest()
    pool.close()
    writer.close()
