"""What a wire may do to a virtual UR, addresses and ports, time in lock-step, and many controllers at
once."""

import socket
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellwright_envs.virtual.catalogue import KINDS
from cellwright_envs.virtual.cells import bare_arm
from cellwright_envs.virtual.controller import ControllerError, Follower
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.ur.controller import VirtualUr
from cellwright_envs.virtual.ur.variables import INPUTS, OUTPUTS
from tests.addresses import free_port, loopback
from tests.processes import until

HOST = loopback()
"""Of the fixture `ur`."""


def package(kind: str, payload: bytes) -> bytes:
    return struct.pack(">HB", 3 + len(payload), ord(kind)) + payload


def answer(link: socket.socket, kind: str) -> bytes:
    """The payload of the next package of `kind`; others are skipped."""
    while True:
        head = b""
        while len(head) < 3:
            head += link.recv(3 - len(head))
        size, got = struct.unpack(">HB", head)
        payload = b""
        while len(payload) < size - 3:
            payload += link.recv(size - 3 - len(payload))
        if chr(got) == kind:
            return payload


def kinds_until_dropped(link: socket.socket) -> list[str]:
    """Kinds of the packages that come until the other side closes."""
    came = b""
    while part := link.recv(4096):
        came += part
    kinds = []
    while came:
        size, kind = struct.unpack(">HB", came[:3])
        kinds.append(chr(kind))
        came = came[size:]
    return kinds


def connected() -> socket.socket:
    return socket.create_connection((HOST, 30004), 10.0)


SETTINGS = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@SETTINGS
@given(
    port=st.sampled_from([30004, 30003, 29999]),
    data=st.lists(
        st.binary(max_size=300)
        | st.tuples(st.sampled_from("VvOISPUM?"), st.binary(max_size=100)).map(lambda one: package(*one)),
        max_size=5,
    ),
)
def test_no_bytes_end_the_controller_or_move_the_arm(ur: VirtualUr, port: int, data: list[bytes]) -> None:
    with socket.create_connection((HOST, port), 10.0) as link:
        for one in data:
            try:
                link.sendall(one)
            except OSError:
                break  # it was dropped already
    assert ur.failure is None
    assert ur.motion is None


def test_a_client_is_served_while_others_send_nonsense(ur: VirtualUr) -> None:
    with connected() as bad, connected() as good, connected() as slow:
        bad.sendall(struct.pack(">HB", 2, 65))
        bad.settimeout(10.0)
        # Others may have been told of nonsense that was sent before.
        assert set(kinds_until_dropped(bad)) <= {"M"}
        good.sendall(package("V", struct.pack(">H", 2)) + package("v", b""))
        assert answer(good, "V") == b"\x01"
        assert struct.unpack(">4I", answer(good, "v")) == (5, 11, 0, 108249)
        slow.sendall(package("V", struct.pack(">H", 2))[:4])  # never goes on
        good.sendall(package("O", struct.pack(">d", 125.0) + b"timestamp,actual_q"))
        assert answer(good, "O") == b"\x01DOUBLE,VECTOR6D"
        good.sendall(package("S", b""))
        times = [struct.unpack_from(">xd", answer(good, "U"))[0] for _ in range(5)]
        np.testing.assert_allclose(np.diff(times), 0.008, atol=1e-9)
        good.sendall(package("P", b""))
        assert answer(good, "P") == b"\x01"
    assert ur.counters["rtde: packages shorter than their header"] >= 1


def test_variables_that_a_version_lacks_are_not_found_and_owned_ones_in_use(ur: VirtualUr) -> None:
    with connected() as one, connected() as two:
        for link in (one, two):
            link.sendall(package("V", struct.pack(">H", 2)))
            answer(link, "V")
        one.sendall(package("O", struct.pack(">d", 500.0) + b"actual_q,actual_current_as_torque,nonsense"))
        assert answer(one, "O") == b"\x00VECTOR6D,NOT_FOUND,NOT_FOUND"
        one.sendall(package("S", b""))
        assert answer(one, "S") == b"\x00"  # nothing to send
        names = b"input_int_register_40,input_double_register_40"
        one.sendall(package("I", names))
        assert answer(one, "I") == b"\x01INT32,DOUBLE"
        two.sendall(package("I", names))
        assert answer(two, "I") == b"\x00IN_USE,IN_USE"
        one.sendall(package("U", struct.pack(">Bid", 1, -3, 2.5)) + package("U", b"\x01\x00"))
        until(lambda: ur.inputs.ints[40] == -3)
        assert ur.inputs.doubles[40] == 2.5
        one.close()
        until(lambda: "input_int_register_40" not in ur._rtde.owners)
        two.sendall(package("I", names))
        assert answer(two, "I") == b"\x01INT32,DOUBLE"


def test_every_output_can_be_read_and_every_input_be_written(ur: VirtualUr) -> None:
    with connected() as link:
        link.sendall(package("V", struct.pack(">H", 2)))
        answer(link, "V")
        known = [name for name in OUTPUTS if ur.personality.output_type(name) != "NOT_FOUND"]
        for name in known:
            ur._rtde.value(name)
        for names in (known[:40], known[40:60]):
            link.sendall(package("O", struct.pack(">d", 500.0) + ",".join(names).encode()))
            assert b"NOT_FOUND" not in answer(link, "O")
            link.sendall(package("S", b""))
            answer(link, "U")
            link.sendall(package("P", b""))
            answer(link, "P")
        assert ur.inputs.write(dict.fromkeys(set(INPUTS) - {"external_force_torque"}, 0))


def test_analogue_outputs_beyond_their_range_are_refused(ur: VirtualUr) -> None:
    for value in (-0.1, 1.1, float("nan"), float("inf")):
        wrong = {
            "standard_analog_output_mask": 1,
            "standard_analog_output_type": 1,
            "standard_analog_output_0": value,
        }
        assert ur.inputs.write(wrong) is False
    assert ur.inputs.analogue_output(0) == 0.0


def test_a_port_in_use_and_addresses_that_may_not_be_are_one_line(ur: VirtualUr) -> None:
    other = VirtualUr(KinematicArm(), address=HOST)
    with pytest.raises(ControllerError, match=rf"cannot serve {HOST} port 30004: Address already in use"):
        other.start()
    with pytest.raises(ControllerError, match=r"0\.0\.0\.0 can be reached from outside of this computer"):
        VirtualUr(KinematicArm(), address="0.0.0.0")
    with pytest.raises(ControllerError, match="'localhost' is no IPv4 address"):
        VirtualUr(KinematicArm(), address="localhost")
    VirtualUr(KinematicArm(), address="0.0.0.0", anywhere=True)  # said so


def test_a_plant_keeps_its_own_period_below_another_cycle() -> None:
    follower = Follower(KinematicArm(period_s=1.0 / 240.0), 0.004)
    start = follower.state.joints_rad
    for _ in range(250):
        state = follower.joints(start + 0.1)
    assert state.time_s == pytest.approx(1.0)
    assert follower._periods == 240
    np.testing.assert_allclose(state.joints_rad, start + 0.1, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_eight_of_each_kind_serve_at_addresses_of_their_own(kind: str) -> None:
    options: dict[str, Any] = {"sensor_port": free_port()} if KINDS[kind].speaks_first else {}
    made = [
        KINDS[kind].make(bare_arm(KINDS[kind].cycle_s), variant="", address=loopback(), **options).start()
        for _ in range(8)
    ]
    times = [controller.follower.time_s for controller in made]
    until(lambda: all(c.follower.time_s > t + 0.05 for c, t in zip(made, times, strict=True)))
    for controller in made:
        controller.close()
        assert controller.failure is None
