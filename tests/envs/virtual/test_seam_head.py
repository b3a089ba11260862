"""The seam sensor on its wire, both sides: lossless frames, deadlines, and what a wire may do."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_envs.virtual.seam_head import VirtualSeamHead
from cellwright_perception.seam.taught_path import TorchPlace
from cellwright_runtime.drivers import seam_packets as packets
from cellwright_runtime.drivers.driver import DriverError
from cellwright_runtime.drivers.seam_packets import PacketError
from cellwright_runtime.interface.path_correction import SensorFrame
from cellwright_runtime.operation.seam_sensor import WiredSeamSensor
from cellwright_runtime.operation.weld_task import Exposed
from tests.addresses import loopback

HOST = loopback()
PATIENT_S = 20.0


def exposure(number: int, *, columns: int = 5, size: int = 8) -> SensorFrame:
    rng = np.random.default_rng(number)
    profile = rng.standard_normal((columns, 2))
    profile[::2] = np.nan
    return SensorFrame(
        number,
        rng.integers(0, 255, (2, size, size), dtype=np.uint8),
        TorchPlace(0.1 * number, -1e-4, 1e-17),
        (0.3, -0.7),
        profile,
    )


class Camera:
    """A head that remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[float, float]] = []
        self.open = threading.Event()
        self.open.set()
        self.none = False
        self.late_s = 0.0

    def expose(self, window_px: tuple[float, float]) -> None:
        self.open.wait(PATIENT_S)
        self.asked.append(window_px)

    def newest(self) -> Exposed | None:
        if self.none:
            return None
        shown = exposure(len(self.asked))
        return Exposed(shown._replace(window_px=self.asked[-1]), 100.0 - self.late_s)


class Place:
    """A head, its server and a client on another clock."""

    def __init__(self, deadline_s: float = PATIENT_S) -> None:
        self.camera, self.now_s = Camera(), 7.0
        self.head = VirtualSeamHead(self.camera, time_s=lambda: 100.0, address=HOST, port=0)
        self.head.start()
        self.sensor = WiredSeamSensor(HOST, self.head.port, deadline_s=deadline_s, clock=lambda: self.now_s)
        self.sensor.connect()

    def asked(self, window_px: tuple[float, float] = (1.0, 2.0)) -> Exposed | None:
        self.sensor.expose(window_px)
        return self.sensor.newest()

    def close(self) -> None:
        self.camera.open.set()
        self.sensor.close()
        self.head.close()
        assert self.head.failure is None


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place()
    yield made
    made.close()


@pytest.fixture
def hasty() -> Iterator[Place]:
    """A client that waits for 50 ms at most."""
    made = Place(0.05)
    yield made
    made.close()


def same(first: SensorFrame, second: SensorFrame) -> None:
    assert first.number == second.number
    assert first.torch == second.torch
    assert first.window_px == second.window_px
    np.testing.assert_array_equal(first.image, second.image)
    assert first.image.dtype == np.uint8
    assert first.image.flags.writeable  # as an exposure is: nothing has to be compiled twice
    assert first.profile.tobytes() == second.profile.tobytes()  # NaN too


def test_a_frame_passes_the_wire_to_the_last_bit(place: Place) -> None:
    for window in ((0.125, -3.5), (1e-300, 1e9)):
        shown = place.asked(window)
        assert shown is not None
        same(shown.frame, exposure(len(place.camera.asked))._replace(window_px=window))
        assert shown.exposed_s == 7.0
    assert place.camera.asked == [(0.125, -3.5), (1e-300, 1e9)]


@pytest.mark.parametrize("columns", [0, 1, 640])
@pytest.mark.parametrize("size", [1, 64, 128])
def test_frames_of_every_size_are_packed_without_loss(columns: int, size: int) -> None:
    shown = exposure(3, columns=columns, size=size)
    answer = packets.frame_of(packets.frame(shown, exposed_s=2.5, sent_s=2.75))
    same(answer.frame, shown)
    assert answer.age_s == 0.25


def test_the_age_of_a_frame_is_that_of_the_head_and_of_its_way(place: Place) -> None:
    place.camera.late_s = 0.25
    place.sensor.expose((0.0, 0.0))
    place.now_s += 0.03
    shown = place.sensor.newest()
    assert shown is not None
    assert place.now_s - shown.exposed_s == pytest.approx(0.28)


def test_a_head_without_a_frame_gives_none(place: Place) -> None:
    place.camera.none = True
    assert place.asked() is None
    place.camera.none = False
    assert place.asked() is not None


def test_a_head_that_is_late_keeps_nobody_waiting_and_its_frame_is_there_later(hasty: Place) -> None:
    first = hasty.asked()
    while first is None:  # a busy computer
        first = hasty.asked()
    hasty.camera.open.clear()
    begun_s = time.monotonic()
    again = hasty.asked((9.0, 9.0))
    assert time.monotonic() - begun_s < 0.5 * PATIENT_S  # the head would take all of it
    assert again is first
    hasty.now_s += 0.1
    hasty.camera.open.set()
    end = time.monotonic() + PATIENT_S
    while again is first and time.monotonic() < end:
        again = hasty.asked((9.0, 9.0))
    assert again is not None
    assert again.frame.number > first.frame.number


def test_a_head_that_hangs_is_not_asked_without_end(hasty: Place) -> None:
    hasty.camera.open.clear()
    for _ in range(12):
        hasty.asked()
    assert hasty.sensor.counters["requests held back"] == 4


def test_a_head_that_comes_back_counts_on(place: Place) -> None:
    for _ in range(3):
        before = place.asked()
    assert before is not None
    port = place.head.port
    place.head.close()
    assert place.asked() is before
    assert place.asked() is before
    assert place.sensor.counters["requests without a connection"] >= 1
    place.camera = Camera()
    place.head = VirtualSeamHead(place.camera, time_s=lambda: 100.0, address=HOST, port=port)
    place.head.start()
    after = place.asked()
    assert after is not None
    assert after.frame.number > before.frame.number  # its own number begins anew
    same(after.frame._replace(number=1), exposure(1)._replace(window_px=(1.0, 2.0)))


def test_names_are_resolved_by_connect_alone(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server may keep whoever asks it waiting for seconds."""
    asked = []
    resolved = socket.getaddrinfo

    def resolve(host: str, port: int, *arguments: Any, **named: Any) -> Any:
        if host == "head.cell":
            asked.append(host)
            host = HOST
        return resolved(host, port, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    sensor = WiredSeamSensor("head.cell", place.head.port, deadline_s=5.0)
    sensor.connect()
    assert asked == ["head.cell"]
    sensor._lose("tried")
    sensor.expose((0.0, 0.0))
    assert sensor._link is not None
    assert asked == ["head.cell"]
    sensor.close()


def test_no_head_and_a_deadline_that_is_none_are_one_line() -> None:
    with pytest.raises(DriverError, match=rf"no seam sensor answers at {HOST} port 9: Connection ref"):
        WiredSeamSensor(HOST, 9).connect()
    with pytest.raises(DriverError, match="deadline_s must be above 0 and below 60 s, got 0"):
        WiredSeamSensor(HOST, deadline_s=0.0)


def payload_of(**changes: Any) -> bytes:
    head = {"views": 2, "height": 8, "width": 8, "columns": 5, "number": 1} | changes
    whole = packets.frame(exposure(1), exposed_s=1.0, sent_s=1.0)
    return struct.pack(">4HQ", *head.values()) + whole[16:]


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        payload_of(views=3),
        payload_of(columns=4),
        payload_of(columns=60_000),
        payload_of(views=0),
        payload_of(views=65535, height=65535, width=65535),
        payload_of()[:-1],
        payload_of()[:16] + struct.pack(">d", float("nan")) + payload_of()[24:],
    ],
)
def test_a_frame_that_contradicts_itself_is_refused(payload: bytes) -> None:
    with pytest.raises(PacketError):
        packets.frame_of(payload)
    assert packets.frame_of(payload_of()).frame.number == 1


WRONG: list[Callable[[bytes], bytes]] = [
    lambda said: b"RTSP" + said[4:],
    lambda said: said[:4] + b"\x02" + said[5:],
    lambda said: said[:-1] + bytes([said[-1] ^ 1]),
    lambda said: said[:12] + b"\xff\xff\xff\xff" + said[16:],
    lambda said: said[:5] + b"\x09" + said[6:],
]


@pytest.mark.parametrize("spoil", WRONG)
def test_an_answer_that_cannot_be_read_is_counted_and_the_head_asked_anew(
    spoil: Callable[[bytes], bytes],
) -> None:
    good = packets.frame(exposure(1), exposed_s=1.0, sent_s=1.0)
    with contextlib.closing(socket.create_server((HOST, 0))) as listening:

        def serve() -> None:
            for made in (spoil, lambda said: said):
                link, _ = listening.accept()
                with link:
                    _, _, _, _, request, _, _ = packets.HEADER.unpack_from(link.recv(100))
                    link.sendall(made(packets.packet(packets.FRAME, request, good)))
                    if made is not spoil:
                        link.recv(1)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        sensor = WiredSeamSensor(HOST, listening.getsockname()[1], deadline_s=PATIENT_S)
        sensor.connect()
        sensor.expose((0.0, 0.0))
        assert sensor.newest() is None
        assert sensor.counters["answers that cannot be read"] == 1
        sensor.expose((0.0, 0.0))
        shown = sensor.newest()
        assert shown is not None
        same(shown.frame, exposure(1))
        sensor.close()
        thread.join(PATIENT_S)


SETTINGS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(
    st.binary(max_size=200)
    | st.builds(packets.packet, st.integers(0, 255), st.integers(0, 9), st.binary(max_size=40))
    | st.builds(
        lambda column, row: packets.packet(packets.REQUEST, 1, packets.window((column, row))),
        st.sampled_from([float("nan"), float("inf")]),
        st.floats(),
    )
)
def test_no_bytes_end_the_head_or_expose_a_frame(place: Place, data: bytes) -> None:
    before = len(place.camera.asked)
    with socket.create_connection((HOST, place.head.port), PATIENT_S) as link:
        link.sendall(data)
        link.shutdown(socket.SHUT_WR)
        with contextlib.suppress(OSError):
            link.settimeout(PATIENT_S)
            link.recv(100)
    assert len(place.camera.asked) == before
    assert place.head.failure is None
