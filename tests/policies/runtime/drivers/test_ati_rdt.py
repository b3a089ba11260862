"""A wrist sensor over UDP: packets as the maker's manual has them, and clients that others wrote."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from cellwright_envs.virtual.wrench_sensor import VirtualWrenchSensor
from cellwright_runtime.drivers import ati_rdt
from cellwright_runtime.drivers import rdt_packets as packets
from cellwright_runtime.drivers.ati_rdt import AtiRdtSensor
from cellwright_runtime.drivers.driver import DriverError
from cellwright_runtime.drivers.rdt_packets import PacketError, Record
from cellwright_runtime.interface.placing import Placed, transform_of
from tests.addresses import loopback
from tests.processes import Process

HOST = loopback()
FELT = np.array([1.5, -2.0, 30.25, 0.125, -0.5, 0.0625])


class Wrist:
    """A sensor and a client of it, without a robot; its frame is the tool's."""

    def __init__(self, **options: float) -> None:
        self.sensor = VirtualWrenchSensor(np.eye(4), address=HOST, port=0)
        self.sensor.start()
        scale = {"counts_per_n": 1e6, "counts_per_n_m": 1e6} | options
        self.client = AtiRdtSensor(HOST, port=self.sensor.port, **scale)

    def close(self) -> None:
        self.client.close()
        self.sensor.close()
        assert self.sensor.failure is None


@pytest.fixture
def wrist() -> Iterator[Wrist]:
    made = Wrist()
    yield made
    made.close()


def test_packets_are_those_of_the_manual() -> None:
    assert packets.request(packets.START) == bytes([0x12, 0x34, 0, 2, 0, 0, 0, 0])
    assert packets.request(packets.STOP) == bytes([0x12, 0x34, 0, 0, 0, 0, 0, 0])
    assert packets.request(packets.BIAS, 5) == bytes([0x12, 0x34, 0, 0x42, 0, 0, 0, 5])
    assert packets.request_of(bytes([0x12, 0x34, 0, 2, 0, 0, 1, 0])) == (packets.START, 256)
    sent = bytes.fromhex("00000007 00010000 80000005 000f4240 fff0bdc0 00000001 ffffffff 7fffffff 80000000")
    counts = (1_000_000, -1_000_000, 1, -1, 2**31 - 1, -(2**31))
    assert packets.record_of(sent) == Record(7, 65536, 0x80000005, counts)
    assert packets.record(Record(7, 65536, 0x80000005, counts)) == sent
    assert packets.RECORD_BYTES == 36
    for wrong in (b"", sent[:-1], sent + b"\0"):
        with pytest.raises(PacketError):
            packets.record_of(wrong)
    for wrong in (b"", b"\x12\x35" + bytes(6), b"\x12\x34" + bytes(5)):
        with pytest.raises(PacketError):
            packets.request_of(wrong)


def test_counts_become_newtons_and_newton_metres() -> None:
    made = Wrist(counts_per_n=2e6, counts_per_n_m=5e5)
    try:
        made.sensor.feel(FELT)
        made.client.connect()
        made.sensor.feel(FELT)
        reading = made.client.read(0.0)
        np.testing.assert_allclose(reading.wrench, FELT / [2, 2, 2, 0.5, 0.5, 0.5], atol=1e-6)
        assert reading.fault == ""
    finally:
        made.close()


def test_a_reading_is_the_mean_over_what_came_and_after_a_pause_the_newest(wrist: Wrist) -> None:
    wrist.client.connect()
    wrist.client.read(0.0)
    for force_n in (1.0, 2.0, 6.0):
        wrist.sensor.feel(np.array([force_n, 0, 0, 0, 0, 0]))
    assert wrist.client.read(0.004).wrench[0] == pytest.approx(3.0)
    assert wrist.client.read(0.008).wrench[0] == pytest.approx(3.0)  # nothing new: as before
    for force_n in (1.0, 2.0, 6.0):
        wrist.sensor.feel(np.array([force_n, 0, 0, 0, 0, 0]))
    assert wrist.client.read(1.0).wrench[0] == 6.0


def test_records_count_on_from_the_largest_number_to_zero(wrist: Wrist) -> None:
    wrist.client.connect()
    wrist.sensor._sequence = wrist.sensor._sample = 2**32 - 3
    wrist.client._last = Record(2**32 - 3, 2**32 - 3, 0, (0,) * 6)
    for cycle in range(5):
        wrist.sensor.feel(FELT * cycle)
        assert wrist.client.read(0.004 * cycle).wrench[2] == pytest.approx(FELT[2] * cycle)
    assert wrist.sensor._sequence == 2
    assert wrist.client.counters["records out of order"] == 0


def test_a_sensor_that_is_not_there_or_not_well_is_one_line(
    wrist: Wrist, monkeypatch: pytest.MonkeyPatch
) -> None:
    scale = {"counts_per_n": 1e6, "counts_per_n_m": 1e6}
    with pytest.raises(DriverError, match=r"127\.0\.55\.9 port 9 cannot be reached: nobody listens there"):
        AtiRdtSensor("127.0.55.9", port=9, **scale).connect()
    wrist.sensor.status = 0x80000001
    with pytest.raises(DriverError, match="reports the status 0x80000001, which its manual explains"):
        wrist.client.connect()
    monkeypatch.setattr(ati_rdt, "FIRST_STATE_S", 0.2)
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind((HOST, 0))
        mute = AtiRdtSensor(HOST, port=other.getsockname()[1], **scale)
        with pytest.raises(DriverError, match=r"sends no record in 0.2 s; is it a Net F/T with RDT"):
            mute.connect()
    with pytest.raises(DriverError, match="is not connected; call connect first"):
        mute.read(0.0)


def test_a_request_that_is_lost_is_sent_again(wrist: Wrist, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ati_rdt, "_ASKED_S", 0.05)
    answer, lost = wrist.sensor._answer, []

    def deaf_once(asked: packets.Request, sender: tuple[str, int]) -> None:
        if asked.command == packets.START and not lost:
            lost.append(asked)
        else:
            answer(asked, sender)

    monkeypatch.setattr(wrist.sensor, "_answer", deaf_once)
    wrist.client.connect()
    assert len(lost) == 1


def test_what_others_send_does_not_arrive(wrist: Wrist) -> None:
    wrist.client.connect()
    wrist.sensor.feel(FELT)
    assert wrist.client._link is not None
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.bind((HOST, 0))
        forged = packets.record(Record(50, 50, 0, (9,) * 6))
        other.sendto(forged, wrist.client._link.getsockname())
    np.testing.assert_allclose(wrist.client.read(0.0).wrench, FELT)


def test_closing_ends_the_stream(wrist: Wrist) -> None:
    wrist.client.connect()
    wrist.client.close()
    end = time.monotonic() + 20.0
    while wrist.sensor._client is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert wrist.sensor._client is None


@pytest.mark.parametrize("data", [b"", b"\x12\x34", bytes(8), b"\x12\x34\0\3" + bytes(4), b"x" * 2000])
def test_no_bytes_end_the_sensor(wrist: Wrist, data: bytes) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as other:
        other.sendto(data, (HOST, wrist.sensor.port))
    wrist.client.connect()
    assert wrist.sensor._client is not None


def test_a_wrench_moves_with_the_lever_of_its_force() -> None:
    # A sensor 0.2 m above the tool's origin, upside down and turned: its x is the tool's -y.
    turn = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
    frame = np.eye(4)
    frame[:3, :3], frame[:3, 3] = turn, [0.0, 0.0, 0.2]
    placed = Placed(frame)
    # 10 N along the tool's x: at the origin without torque, at the sensor with a lever of -0.2 m along z.
    at_origin = np.array([10.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    at_sensor = np.array([0.0, -10.0, 0.0, 2.0, 0.0, 0.0])
    np.testing.assert_allclose(placed.wrench_outside(at_sensor), at_origin, atol=1e-12)
    np.testing.assert_allclose(placed.wrench_inside(at_origin), at_sensor, atol=1e-12)
    # Power is the same in every frame: force times speed and torque times turning speed of one rigid motion.
    rng = np.random.default_rng(3)
    other = transform_of(rng.uniform(-1.0, 1.0, 6))
    wrench, motion = rng.standard_normal((2, 6))
    felt = Placed(other).wrench_outside(wrench)
    rows, lever = other[:3, :3], other[:3, 3]
    turning = rows @ motion[3:]
    speed = rows @ motion[:3] - np.cross(turning, lever)  # of the point at the outer origin
    assert felt @ np.concatenate([speed, turning]) == pytest.approx(wrench @ motion)


# Clients that nobody here wrote


@contextlib.contextmanager
def sampling(sensor: VirtualWrenchSensor, felt: Callable[[int], np.ndarray]) -> Iterator[None]:
    """A sensor that samples until the block is left."""
    ended = threading.Event()
    sensor.feel(felt(0))

    def run() -> None:
        number = 0
        while not ended.wait(0.002):
            number += 1
            sensor.feel(felt(number))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(20.0)


PYNETFT = """
import pynetft
scale = pynetft.Calibration(1e6, 1e6, pynetft.ForceUnit.NEWTON, pynetft.TorqueUnit.NEWTON_METER)
client = pynetft.Client(
    pynetft.Config(
        sensor_host={host!r},
        rdt_port={port},
        receive_timeout=10.0,
        calibration_override=scale,
        deliver_samples_with_error_status=True,
    ),
    queue_size=2000,
)
client.start()
samples = []
for sample in client.samples(20.0):
    samples.append(sample)
    if len(samples) == 40:
        break
health = client.health()
client.stop()
"""


def test_pynetft_streams_from_the_virtual_sensor(wrist: Wrist) -> None:
    """pynetft 2.1.3: a compiled client with its own checks of sequence, sample and status."""
    client, script = Process(), PYNETFT.format(host=HOST, port=wrist.sensor.port)
    try:
        with sampling(wrist.sensor, lambda number: FELT * (1 + number % 2)):
            client.do(script)
        for wrench in client.ask("[each.wrench for each in samples]"):
            assert np.allclose(wrench, FELT, atol=1e-6) or np.allclose(wrench, 2.0 * FELT, atol=1e-6)
        numbers = client.ask("[each.rdt_sequence for each in samples]")
        assert numbers == list(range(1, 41))
        counted = "lost duplicate out_of_order malformed ft_stall ft_backward device_error warning"
        assert client.ask(f"[getattr(health, each + '_count') for each in {counted.split()}]") == [0] * 8
        wrist.sensor.status = 0x80000002
        with sampling(wrist.sensor, lambda number: FELT):
            client.do(script)
        assert client.ask("{each.status for each in samples}") == {0x80000002}
        assert client.ask("health.device_error_count") >= 40
    finally:
        client.close()


def test_netft_asks_for_counted_records_and_sets_the_bias() -> None:
    """NetFT 2.0.1, which knows one port."""
    sensor = VirtualWrenchSensor(np.eye(4), address=HOST, port=packets.PORT)
    sensor.start()
    client = Process()
    try:
        client.do(f"import NetFT\nsensor = NetFT.Sensor({HOST!r})")
        with sampling(sensor, lambda number: FELT):
            assert client.ask("sensor.getMeasurement()") == (1e6 * FELT).tolist()
            assert client.ask("sensor.tare(20) and sensor.getMeasurement()") == pytest.approx([0.0] * 6)
            client.do("sensor.zero()")
            assert client.ask("sensor.getMeasurement()") == (1e6 * FELT).tolist()
            client.do("sensor.send(0x42)")
            client.do("sensor.getMeasurements(5)\nfive = [sensor.receive() for _ in range(5)]")
            assert client.ask("five[-1]") == [0] * 6
            client.do("sensor.sock.settimeout(0.2)")
            client.do("try:\n    sensor.receive()\n    more = True\nexcept TimeoutError:\n    more = False")
            assert client.ask("more") is False
    finally:
        client.close()
        sensor.close()
    assert sensor.failure is None
