"""The telegrams of KUKA's Robot Sensor Interface: XML over UDP, both directions.

After KUKA, "RobotSensorInterface 4.0": the robot sends `<Rob>` every cycle, and the answer `<Sen>` repeats
its number of the cycle, IPOC. Millimetres and degrees; A, B and C turn about z, y and x, one after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector

Array = NDArray[np.float64]

MOST_BYTES = 8192
_CARTESIAN = ("X", "Y", "Z", "A", "B", "C")
_AXES = ("A1", "A2", "A3", "A4", "A5", "A6")
_PLACES = ("RIst", "RSol", "AIPos")
_ATTRIBUTES = {"RIst": _CARTESIAN, "RSol": _CARTESIAN, "RKorr": _CARTESIAN, "AIPos": _AXES, "AKorr": _AXES}


class TelegramError(ValueError):
    """A telegram that cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Telegram:
    """One `<Rob>` or `<Sen>`."""

    kind: str
    """`Type`: of the robot, or of the sensor as the configuration names it."""
    ipoc: str
    """The number of the cycle [ms] as it was written, since the answer repeats it character by character."""
    values: dict[str, Array]
    """By element: (6,) mm and degrees."""
    delay: int = 0
    """How many answers the robot has missed so far."""


def rob(*, tool: Array, planned: Array, joints_rad: Array, ipoc: int, delay: int) -> bytes:
    """What the robot sends: where tool (6,) and joints (6,) are, and where the tool was to be."""
    return (
        f'<Rob Type="KUKA">{_element("RIst", cartesian(tool))}{_element("RSol", cartesian(planned))}'
        f'{_element("AIPos", np.degrees(joints_rad))}<Delay D="{delay}"/><IPOC>{ipoc}</IPOC></Rob>'
    ).encode()


def sen(*, kind: str, correction: str, values: Array, ipoc: str) -> bytes:
    """The answer: `RKorr` or `AKorr` (6,) in mm and degrees."""
    return f'<Sen Type="{kind}">{_element(correction, values)}<IPOC>{ipoc}</IPOC></Sen>'.encode()


def read(data: bytes, root_name: str) -> Telegram:
    """Raises TelegramError for what is no such telegram, and for numbers that are not finite."""
    if len(data) > MOST_BYTES or b"<!" in data:  # no declarations: entities could grow without end
        raise TelegramError("too long, or with declarations")
    try:
        root = ElementTree.fromstring(data)
    except (ElementTree.ParseError, ValueError) as error:
        raise TelegramError(str(error)) from None
    ipoc = (root.findtext("IPOC") or "").strip()
    if root.tag != root_name or not ipoc.isdecimal() or len(ipoc) > 20:
        raise TelegramError(f"no <{root_name}> with an IPOC")
    values = {}
    for element in root:
        if element.tag in _ATTRIBUTES:
            values[element.tag] = _numbers(element)
    delay = root.find("Delay")
    told = "0" if delay is None else delay.get("D", "0")
    return Telegram(
        kind=root.get("Type", ""),
        ipoc=ipoc,
        values=values,
        delay=int(told) if told.isdecimal() and len(told) < 10 else 0,
    )


def cartesian(tool: Array) -> Array:
    """(6,) mm and degrees of a position [m] and rotation vector [rad], (6,)."""
    (xx, xy, _), (yx, yy, _), (zx, zy, zz) = rotation_rows(*tool[3:].tolist())
    across = math.hypot(xx, yx)
    b = math.atan2(-zx, across)
    if across > 1e-9:
        a, c = math.atan2(yx, xx), math.atan2(zy, zz)
    else:  # a and c turn about the same axis
        a, c = math.atan2(-xy, yy), 0.0
    return np.concatenate([tool[:3] * 1e3, np.degrees([a, b, c])])


def pose(values: Array) -> Array:
    """Position [m] and rotation vector [rad], (6,), of mm and degrees (6,)."""
    a, b, c = np.radians(values[3:]).tolist()
    ca, sa, cb, sb, cc, sc = math.cos(a), math.sin(a), math.cos(b), math.sin(b), math.cos(c), math.sin(c)
    turn = rotation_vector(
        (
            (ca * cb, ca * sb * sc - sa * cc, ca * sb * cc + sa * sc),
            (sa * cb, sa * sb * sc + ca * cc, sa * sb * cc - ca * sc),
            (-sb, cb * sc, cb * cc),
        )
    )
    return np.array([*(values[:3] * 1e-3), *turn])


def _element(name: str, values: Array) -> str:
    pairs = zip(_ATTRIBUTES[name], values.tolist(), strict=True)
    told = " ".join(f'{key}="{value:.6f}"' for key, value in pairs)
    return f"<{name} {told}/>"


def _numbers(element: ElementTree.Element) -> Array:
    keys = _ATTRIBUTES[element.tag]
    missing = [key for key in keys if element.get(key) is None]
    if missing and element.tag in _PLACES:  # of a correction, what is not sent is zero
        raise TelegramError(f"<{element.tag}> without {', '.join(missing)}")
    try:
        numbers = np.array([float(element.get(key, "0")) for key in keys])
    except ValueError as error:
        raise TelegramError(str(error)) from None
    if not np.isfinite(numbers).all():
        raise TelegramError(f"<{element.tag}> has numbers that are not finite")
    return numbers
