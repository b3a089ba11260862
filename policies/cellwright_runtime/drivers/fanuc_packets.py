"""Packets of FANUC's Stream Motion, both directions: fixed layouts over UDP, big-endian, degrees and
millimetres.

After FANUC's own `stream_motion/packets.hpp` (Apache-2.0), which numbers the tables of the operator's manual.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SM_PORT = 60015
STOP, LIMITS, CAPABILITY, CAPABILITY_SET, START, COMMAND, STATUS_3, STATUS_4 = 2, 3, 7, 8, 200, 201, 202, 204
"""Types of packets; status 202 up to version 3, 204 with the force sensor from version 4."""
JOINTS = 0xFFFF
"""The data style of joint angles. With 0 the same numbers would be a pose, and the robot would move there."""
AXES, IO_BYTES, STEPS = 9, 256, 20
_SHORT = struct.Struct(">II")
_CAPABILITY = struct.Struct(">7I")
_LIMITS = struct.Struct(">4I")
_LIMITS_TOLD = struct.Struct(f">6I{2 * STEPS}f")
_COMMAND = struct.Struct(f">3I2BH{AXES}d{IO_BYTES}s")
_HEAD = ">3I4BI28f"
_STATUS_3 = struct.Struct(f"{_HEAD}{IO_BYTES}s")
_STATUS_4 = struct.Struct(f"{_HEAD}6fI{IO_BYTES}s")


class PacketError(ValueError):
    """Bytes that are no packet of this kind."""


class Quantity(IntEnum):
    """What a table of limits is of."""

    SPEED = 0
    ACCELERATION = 1
    JERK = 2


@dataclass(frozen=True, kw_only=True)
class Command:
    """Where the joints are to be at the end of the cycle."""

    version: int
    sequence: int
    joints_deg: Array
    """(6,)"""
    last: bool = False
    style: int = JOINTS
    moves: bool = True
    """Whether the packet is for motion; else for outputs only."""


@dataclass(frozen=True, kw_only=True)
class Status:
    """What the robot says every cycle."""

    version: int
    sequence: int
    time_ms: int
    pose: Array
    """(6,) X, Y, Z in mm and W, P, R in degrees, of the flange."""
    joints_deg: Array
    """(6,)"""
    motion_possible: bool = False
    moving: bool = False
    in_error: bool = False
    taught: bool = False
    """Whether the teach pendant is enabled."""
    emergency_stop: bool = False
    contact_stop: int = 0
    """2 and 4: stopped for a contact, and being pushed free of one."""
    safety_scale: float = 1.0
    wrench: Array | None = None
    """(6,) N and N m, from version 4."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest speed, acceleration or jerk of one axis, over the speed of the tool."""

    axis: int
    """From 1."""
    quantity: Quantity
    top_speed_mm_s: int
    """The tool's speed at the last of the entries; the first is at a twentieth of it."""
    no_payload: Array
    """(20,) in degrees and seconds."""
    full_payload: Array


def kind(data: bytes) -> int:
    """The type of a packet, 0 where it has none."""
    return int.from_bytes(data[:4], "big") if len(data) >= 8 else 0


def short(what: int, version: int) -> bytes:
    """A start or stop packet."""
    return _SHORT.pack(what, version)


def version_of(data: bytes) -> int:
    """The version that a packet says; raises PacketError where it is too short."""
    if len(data) < 8:
        raise PacketError(f"{len(data)} bytes")
    return int(_SHORT.unpack_from(data)[1])


def capability(*, version: int, available: int = 0, cycle_ms: int = 0) -> bytes:
    """The question what a controller can do, or its answer."""
    return _CAPABILITY.pack(CAPABILITY, version, 1, cycle_ms, 0, available, 0)


def capability_of(data: bytes) -> tuple[int, int]:
    """Newest version and cycle [ms] of an answer; raises PacketError."""
    if len(data) != _CAPABILITY.size or kind(data) not in (CAPABILITY, CAPABILITY_SET):
        raise PacketError("no capability")
    values = _CAPABILITY.unpack(data)
    return int(values[5]), int(values[3])


def limits_question(*, version: int, axis: int, quantity: Quantity) -> bytes:
    """The question for a table of limits."""
    return _LIMITS.pack(LIMITS, version, axis, quantity)


def limits_asked(data: bytes) -> tuple[int, Quantity]:
    """Axis and quantity of a question; raises PacketError."""
    if len(data) != _LIMITS.size or kind(data) != LIMITS:
        raise PacketError("no question for limits")
    _, _, axis, quantity = _LIMITS.unpack(data)
    if not 1 <= axis <= AXES or quantity not in tuple(Quantity):
        raise PacketError(f"axis {axis}, quantity {quantity}")
    return int(axis), Quantity(quantity)


def limits_answer(limits: Limits, *, version: int) -> bytes:
    """A table of limits."""
    head = LIMITS, version, limits.axis, limits.quantity, limits.top_speed_mm_s, 0
    return _LIMITS_TOLD.pack(*head, *limits.no_payload, *limits.full_payload)


def limits_of(data: bytes) -> Limits:
    """A table of limits; raises PacketError."""
    if len(data) != _LIMITS_TOLD.size or kind(data) != LIMITS:
        raise PacketError("no table of limits")
    _, _, axis, quantity, top, _, *values = _LIMITS_TOLD.unpack(data)
    table = np.array(values)
    if not (np.isfinite(table).all() and (table > 0.0).all() and top > 0 and quantity in tuple(Quantity)):
        raise PacketError("a table with values that are no limits")
    return Limits(
        axis=axis,
        quantity=Quantity(quantity),
        top_speed_mm_s=top,
        no_payload=table[:STEPS],
        full_payload=table[STEPS:],
    )


def command(said: Command) -> bytes:
    """A command of joints."""
    joints = [*said.joints_deg.tolist(), *[0.0] * (AXES - 6)]
    head = COMMAND, said.version, said.sequence, said.last, said.moves, said.style
    return _COMMAND.pack(*head, *joints, bytes(IO_BYTES))


def command_of(data: bytes) -> Command:
    """A command; raises PacketError for what is none, and for angles that are not finite."""
    if len(data) != _COMMAND.size or kind(data) != COMMAND:
        raise PacketError("no command")
    _, version, sequence, last, moves, style, *joints, _ = _COMMAND.unpack(data)
    angles = np.array(joints[:6])
    if not np.isfinite(angles).all():
        raise PacketError("angles that are not finite")
    return Command(
        version=version,
        sequence=sequence,
        joints_deg=angles,
        last=bool(last),
        style=style,
        moves=bool(moves),
    )


def status(said: Status) -> bytes:
    """A status, in the layout of its version."""
    bits = said.motion_possible | said.moving << 3
    robot = said.in_error | said.taught << 1 | said.emergency_stop << 2
    spare = [0.0] * (AXES - 6)
    numbers = [
        *said.pose.tolist(),
        *spare,
        *said.joints_deg.tolist(),
        *spare,
        *[0.0] * AXES,
        said.safety_scale,
    ]
    new = said.version >= 4
    head = STATUS_4 if new else STATUS_3, said.version, said.sequence, bits, robot, said.contact_stop, 0
    if not new:
        return _STATUS_3.pack(*head, said.time_ms, *numbers, bytes(IO_BYTES))
    wrench = [0.0] * 6 if said.wrench is None else said.wrench.tolist()
    return _STATUS_4.pack(*head, said.time_ms, *numbers, *wrench, said.wrench is not None, bytes(IO_BYTES))


def status_of(data: bytes) -> Status:
    """A status; raises PacketError for what is none, and for places that are not finite."""
    what = kind(data)
    layout = {STATUS_3: _STATUS_3, STATUS_4: _STATUS_4}.get(what)
    if layout is None or len(data) != layout.size:
        raise PacketError("no status")
    _, version, sequence, bits, robot, contact, _, time_ms, *numbers = layout.unpack(data)
    places = np.array(numbers[:28])
    if not np.isfinite(places).all():
        raise PacketError("places that are not finite")
    felt = np.array(numbers[28:34]) if what == STATUS_4 and numbers[34] in (1, 2) else None
    return Status(
        version=version,
        sequence=sequence,
        time_ms=time_ms,
        pose=places[:6],
        joints_deg=places[AXES : AXES + 6],
        motion_possible=bool(bits & 1),
        moving=bool(bits & 8),
        in_error=bool(robot & 1),
        taught=bool(robot & 2),
        emergency_stop=bool(robot & 4),
        contact_stop=contact,
        safety_scale=float(places[27]),
        wrench=felt,
    )
