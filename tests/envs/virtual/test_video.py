"""A cell's cameras as video, read by OpenCV and by the standard library's client."""

import re
import socket
import threading
import urllib.request
from collections.abc import Iterator
from urllib.error import HTTPError

import cv2
import numpy as np
import pytest

from cellwright_envs.virtual.cells import cell_of
from cellwright_envs.virtual.controller import ControllerError
from cellwright_envs.virtual.video import VideoServer, jpeg

PICTURE = np.zeros((48, 64, 3), np.uint8)
PICTURE[:, :32] = (200, 40, 90)


@pytest.fixture
def video() -> Iterator[VideoServer]:
    count = [0]

    def counting() -> np.ndarray:
        count[0] += 1
        return np.full((16, 16), min(count[0], 255), np.uint8)

    server = VideoServer({"still": lambda: PICTURE, "count": counting}, port=0, rate_hz=200.0).start()
    yield server
    server.close()


def test_opencv_plays_the_stream(video: VideoServer) -> None:
    assert video.urls[0] == f"http://127.0.0.1:{video.port}/still"
    player = cv2.VideoCapture(f"{video.urls[0]}.mjpg")
    for _ in range(3):
        fine, frame = player.read()
        assert fine
    player.release()
    assert frame.shape == (48, 64, 3)
    np.testing.assert_allclose(frame[24, 10], (90, 40, 200), atol=6)  # BGR
    np.testing.assert_allclose(frame[24, 50], (0, 0, 0), atol=6)


def test_a_stream_goes_on_and_a_picture_is_of_now(video: VideoServer) -> None:
    with urllib.request.urlopen(video.urls[1], timeout=10) as stream:
        data = stream.read(4000)
    sizes = [int(size) for size in re.findall(rb"Content-Length: (\d+)", data)]
    assert len(sizes) > 2
    with urllib.request.urlopen(f"{video.urls[1]}.jpg", timeout=10) as answer:
        frame = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert frame[8, 8] >= len(sizes) - 1


@pytest.mark.parametrize(
    "path", ["/nothing", "/nothing.jpg", "/still.png", "/", "/../still", "/still.jpg.jpg"]
)
def test_what_is_no_camera_is_not_found(video: VideoServer, path: str) -> None:
    with pytest.raises(HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{video.port}{path}", timeout=10)


def test_requests_that_are_none_and_viewers_too_many_do_no_harm(video: VideoServer) -> None:
    for data in (b"\x00" * 5000, b"GET\r\n\r\n", b"GET /still HTTP/9.9\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", video.port), 10.0) as link:
            link.sendall(data)
    viewers = [urllib.request.urlopen(video.urls[0], timeout=10) for _ in range(16)]
    with pytest.raises(HTTPError, match="503"):
        urllib.request.urlopen(video.urls[0], timeout=10)
    for viewer in viewers:
        viewer.close()
    assert video.taken("still") == jpeg(PICTURE)


def test_ports_and_addresses_that_cannot_be_served_are_one_line(video: VideoServer) -> None:
    with pytest.raises(
        ControllerError, match=rf"cannot serve video at 127\.0\.0\.1 port {video.port}: Address"
    ):
        VideoServer({}, port=video.port)
    with pytest.raises(ControllerError, match="can be reached from outside"):
        VideoServer({}, address="0.0.0.0")
    with pytest.raises(ControllerError, match=r"0\.1 to 1000 frames a second, got nan"):
        VideoServer({}, rate_hz=float("nan"))
    with pytest.raises(ValueError, match=r"\(H, W\) or \(H, W, 3\) of uint8, got \(2, 3\) of float64"):
        jpeg(np.zeros((2, 3)))  # type: ignore[arg-type]


def test_the_cameras_of_an_insertion_see_the_arm_move() -> None:
    cell = cell_of("cellwright_envs:cellwright/PegInsertion-v1", product="train", disturbances="none", seed=3)
    state = cell.plant.begin()
    before = {name: take().copy() for name, take in cell.cameras.items()}
    assert set(before) == {"hand", "fixed"}
    for _ in range(60):
        cell.plant.move_tool(state.tool + np.array([0.004, 0.0, 0.0, 0.0, 0.0, 0.0]))
    after = {name: take() for name, take in cell.cameras.items()}
    for name, frame in before.items():
        assert frame.shape == after[name].shape
        assert np.abs(frame.astype(int) - after[name]).max() > 20
    cell.plant.close()


def test_closing_ends_every_stream(video: VideoServer) -> None:
    stream = urllib.request.urlopen(video.urls[0], timeout=10)
    threading.Timer(0.2, video.close).start()
    while stream.read(4096):
        pass
    stream.close()
