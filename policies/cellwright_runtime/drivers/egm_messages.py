"""Messages of ABB's Externally Guided Motion: Protocol Buffers (proto2) without their library.

The library keeps one registry of messages in a process, and two programs that both bring an `egm.proto` end
it. Names and numbers of fields are those of ABB's `egm.proto`; what is not listed is skipped. Millimetres and
degrees.
"""

from __future__ import annotations

import math
import struct
from typing import Any

MOST_BYTES = 4096
_VARINT, _DOUBLE, _LENGTH, _WORD = 0, 1, 2, 5
Fields = dict[int, tuple[str, str]]

_JOINTS: Fields = {1: ("joints", "doubles")}
_PLACE: Fields = {
    1: ("joints", "EgmJoints"),
    2: ("cartesian", "EgmPose"),
    3: ("externalJoints", "EgmJoints"),
    4: ("time", "EgmClock"),
}
_STATE: Fields = {1: ("state", "number")}
_XYZ: Fields = {1: ("x", "double"), 2: ("y", "double"), 3: ("z", "double")}
_MESSAGES: dict[str, Fields] = {
    "EgmHeader": {1: ("seqno", "number"), 2: ("tm", "number"), 3: ("mtype", "number")},
    "EgmCartesian": _XYZ,
    "EgmQuaternion": {number: (f"u{number - 1}", "double") for number in range(1, 5)},
    "EgmPose": {1: ("pos", "EgmCartesian"), 2: ("orient", "EgmQuaternion")},
    "EgmClock": {1: ("sec", "number"), 2: ("usec", "number")},
    "EgmJoints": _JOINTS,
    "EgmPlace": _PLACE,
    "EgmState": _STATE,
    "EgmMeasuredForce": {1: ("fcActive", "number"), 2: ("force", "doubles")},
    "EgmPathCorr": {1: ("pos", "EgmCartesian"), 2: ("age", "number")},
    "EgmAny": {1: ("header", "EgmHeader")},
    "EgmRobot": {
        1: ("header", "EgmHeader"),
        2: ("feedBack", "EgmPlace"),
        3: ("planned", "EgmPlace"),
        4: ("motorState", "EgmState"),
        5: ("mciState", "EgmState"),
        6: ("mciConvergenceMet", "number"),
        8: ("rapidExecState", "EgmState"),
        9: ("measuredForce", "EgmMeasuredForce"),
        10: ("utilizationRate", "double"),
        11: ("moveIndex", "number"),
    },
    "EgmSensor": {1: ("header", "EgmHeader"), 2: ("planned", "EgmPlace")},
    "EgmSensorPathCorr": {1: ("header", "EgmHeader"), 2: ("pathCorr", "EgmPathCorr")},
}
"""`EgmPlace` are EgmPlanned and EgmFeedBack, `EgmState` the three messages of one state, `EgmAny` any
message."""

_OLDER = {("EgmMeasuredForce", 1 << 3 | _DOUBLE): ("force", "doubles")}
"""Up to RobotWare 6 the forces are field 1, which is `fcActive` since; its type tells them apart."""

DATA, CORRECTION, PATH_CORRECTION = 2, 3, 4
"""Of `mtype`."""
MOTORS_ON, MOTORS_OFF = 1, 2
MCI_ERROR, MCI_STOPPED, MCI_RUNNING = 1, 2, 3
RAPID_STOPPED, RAPID_RUNNING = 1, 2


class MessageError(ValueError):
    """Bytes that are no message."""


def encode(name: str, message: dict[str, Any]) -> bytes:
    """The bytes of a message; a key that `name` does not have raises KeyError."""
    parts = []
    fields = {field: (number, kind) for number, (field, kind) in _MESSAGES[name].items()}
    for field in sorted(message, key=lambda field: fields[field]):
        (number, kind), value = fields[field], message[field]
        if kind == "number":
            parts.append(_varint(number << 3 | _VARINT) + _varint(int(value)))
        elif kind in ("double", "doubles"):
            key = _varint(number << 3 | _DOUBLE)
            parts.extend(key + struct.pack("<d", one) for one in ([value] if kind == "double" else value))
        else:
            inner = encode(kind, value)
            parts.append(_varint(number << 3 | _LENGTH) + _varint(len(inner)) + inner)
    return b"".join(parts)


def decode(name: str, data: bytes) -> dict[str, Any]:
    """The fields of a message that are known; raises MessageError.

    Doubles that are not finite are refused. A field that comes twice counts the last time, as in the library.
    """
    if len(data) > MOST_BYTES:
        raise MessageError(f"{len(data)} bytes, more than {MOST_BYTES}")
    message: dict[str, Any] = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        field, kind = _OLDER.get((name, key)) or _MESSAGES[name].get(key >> 3, ("", ""))
        value, at = _value(data, at, key & 7)
        if not field:
            continue
        if kind == "number" and key & 7 == _VARINT:
            message[field] = value
        elif kind in ("double", "doubles") and key & 7 in (_DOUBLE, _LENGTH):
            doubles = _doubles(value)
            if kind == "doubles":
                message.setdefault(field, []).extend(doubles)
            elif len(doubles) == 1:
                message[field] = doubles[0]
        elif key & 7 == _LENGTH and kind in _MESSAGES:
            message[field] = message.get(field, {}) | decode(kind, value)
        else:
            raise MessageError(f"field {key >> 3} of {name} has another type")
    return message


def _varint(value: int) -> bytes:
    parts = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        parts.append(low | (0x80 if value else 0))
        if not value:
            return bytes(parts)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
    raise MessageError("a number without an end")


def _value(data: bytes, at: int, wire: int) -> tuple[Any, int]:
    if wire == _VARINT:
        return _read_varint(data, at)
    if wire == _LENGTH:
        size, at = _read_varint(data, at)
    elif wire in (_DOUBLE, _WORD):
        size = 8 if wire == _DOUBLE else 4
    else:
        raise MessageError(f"a field of type {wire}")
    if at + size > len(data):
        raise MessageError("a field longer than its message")
    return data[at : at + size], at + size


def _doubles(data: bytes) -> list[float]:
    if len(data) % 8:
        raise MessageError("doubles that are not whole")
    doubles = list(struct.unpack(f"<{len(data) // 8}d", data))
    if not all(map(math.isfinite, doubles)):
        raise MessageError("a double that is not finite")
    return doubles
