"""Frames of pictures, shared memory, OpenCV, and of a camera that goes away."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_perception.opencv import opencv
from cellwright_runtime.camera.sources import (
    CameraError,
    Capture,
    FrameWriter,
    PictureDirectory,
    SharedFrames,
    open_source,
)
from tests.policies.runtime.camera.rendered import write_picture

PATIENCE_S = 20.0


def grey(level: int, shape: tuple[int, ...] = (48, 64)) -> np.ndarray:
    return np.full(shape, level, np.uint8)


def test_a_directory_gives_its_pictures_in_order_with_times(tmp_path: Path) -> None:
    for index, level in enumerate((10, 20, 30)):
        write_picture(tmp_path / f"{index}.png", grey(level))
    (tmp_path / "notes.txt").write_text("no picture")
    source = open_source(f"directory:{tmp_path}")
    before = time.monotonic()
    frames = [source.read() for _ in range(3)]
    assert [int(frame.image[0, 0]) for frame in frames] == [10, 20, 30]
    assert [frame.number for frame in frames] == [1, 2, 3]
    assert all(before <= frame.time_s <= time.monotonic() for frame in frames)
    with pytest.raises(CameraError, match="has no more pictures after 3"):
        source.read()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("directory:{place}/nowhere", "is no directory of pictures"),
        ("directory:{place}", "holds no pictures"),
        ("shared:{place}/nothing", "cannot be read .* start the camera's program first"),
        ("device:front", "names no camera; a device is a number, such as device:0"),
        ("{place}/film.avi", "cannot be opened; is it plugged in, reachable, and not in use"),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("ignore")
def test_a_source_that_is_not_there_says_so(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(CameraError, match=told):
        open_source(source.format(place=tmp_path))


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(CameraError, match=r"a.png is no picture that OpenCV reads"):
        PictureDirectory(tmp_path).read()


def test_frames_cross_shared_memory_whole(tmp_path: Path) -> None:
    """Another process writes frames of one level each as fast as it can; none that is read has two."""
    place = tmp_path / "frames"
    program = (
        "import sys, time, numpy as np\nfrom pathlib import Path\n"
        "from cellwright_runtime.camera.sources import FrameWriter\n"
        "writer = FrameWriter(Path(sys.argv[1]), (240, 320, 3))\n"
        "begin, number = time.monotonic(), 0\n"
        "while time.monotonic() < begin + 60:\n"
        "    number += 1\n"
        "    writer.write(np.full((240, 320, 3), number % 251, np.uint8))\n"
        "    if number % 10 == 0: time.sleep(0.002)\n"
    )
    writer = subprocess.Popen([sys.executable, "-c", program, str(place)])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not place.exists() or place.stat().st_size == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        time.sleep(0.2)
        source = SharedFrames(place)
        numbers: list[int] = []
        while len(numbers) < 100 or len(set(numbers)) < 5:  # a writer that has no core yet stands still
            assert time.monotonic() < deadline
            try:
                frame = source.read()
            except CameraError:  # the writer was faster every time
                continue
            assert frame.image.shape == (240, 320, 3)
            assert frame.image.min() == frame.image.max() == frame.number % 251
            assert 0.0 <= frame.age_s() < PATIENCE_S
            numbers.append(frame.number)
        assert numbers == sorted(numbers)
        source.close()
    finally:
        writer.kill()
        writer.wait()


def test_a_writer_that_stopped_leaves_a_frame_that_gets_older(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "frames", (4, 6))
    source = SharedFrames(tmp_path / "frames")
    with pytest.raises(CameraError, match="has no whole frame; does its program run"):
        source.read()
    writer.write(grey(7, (4, 6)), time_s=time.monotonic() - 3.0)
    frame = source.read()
    assert 3.0 <= frame.age_s() < 3.0 + PATIENCE_S
    writer.close()
    assert source.read().number == 1
    source.close()


def test_a_writer_that_dies_in_a_frame_keeps_no_reader(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = FrameWriter(tmp_path / "frames", (4, 6))
    writer.write(grey(7, (4, 6)), time_s=time.monotonic() - 1.0)
    source = SharedFrames(tmp_path / "frames")
    assert source.read().number == 1
    writer._set("begun", 2)

    def wait(wait_s: float) -> None:
        pytest.fail("a read waited")

    monkeypatch.setattr("cellwright_runtime.camera.sources.time.sleep", wait)
    for count in (1, 2):
        frame = source.read()
        assert (frame.number, source.unfinished) == (1, count)
        assert frame.image.max() == 7
        assert frame.age_s() >= 1.0
    writer.write(grey(9, (4, 6)))
    assert source.read().image.max() == 9
    source.close()
    writer.close()


def test_a_file_that_holds_no_frames_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"x" * 100)
    with pytest.raises(CameraError, match="holds no frames of a FrameWriter"):
        SharedFrames(tmp_path / "other")
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(CameraError, match="cannot be read"):
        SharedFrames(tmp_path / "empty")


class Camera:
    """A capture as OpenCV's, whose frames the test sets free one by one."""

    def __init__(self, target: Any) -> None:
        self.left = 3
        self.released = False

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.01)
        self.left -= 1
        return (True, grey(100 + self.left)) if self.left >= 0 else (False, None)

    def release(self) -> None:
        self.released = True


def until_gone(source: Capture) -> str:
    """Read until the camera is gone, and return what is said then."""
    deadline = time.monotonic() + PATIENCE_S
    numbers = []
    while time.monotonic() < deadline:
        try:
            numbers.append(source.read().number)
        except CameraError as error:
            assert numbers == sorted(numbers) != []
            return str(error)
        time.sleep(0.005)
    return "it goes on and on"


def test_a_camera_that_is_unplugged_is_noticed() -> None:
    source = Capture(0, "device:0", opened=Camera)
    assert source.read().image.shape == (48, 64)
    assert "device:0 gives no more frames; it was unplugged" in until_gone(source)
    source.close()
    assert source._capture.released


def test_a_film_is_read_by_opencv(tmp_path: Path) -> None:
    """A file takes the way of a device or an address through OpenCV."""
    cv2 = opencv()
    path = tmp_path / "film.avi"
    film = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25.0, (64, 48))
    if not film.isOpened():
        pytest.fail("this OpenCV writes no film")
    for level in range(40, 90):
        film.write(grey(level, (48, 64, 3)))
    film.release()
    source = Capture(str(path), str(path), opened=Slowly)
    assert "the stream has ended" in until_gone(source)
    source.close()


class Slowly:
    """OpenCV's own capture, with a pause before each frame, so that the first can be looked at."""

    def __init__(self, target: str) -> None:
        self._capture = opencv().VideoCapture(target)
        self.isOpened, self.release = self._capture.isOpened, self._capture.release

    def read(self) -> tuple[bool, Any]:
        time.sleep(0.02)
        there, image = self._capture.read()
        assert not there or image.shape == (48, 64, 3)
        return bool(there), image
