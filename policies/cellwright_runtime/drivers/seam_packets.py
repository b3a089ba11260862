"""Packets of a seam sensor on the wire, over TCP: a request for a window, and the frame that answers it.

A head with a vendor's own protocol needs a small program that speaks this one in front of it. Big-endian, in
this order:

    header   4s  "CWSS"
             B   version, 1
             B   kind: 1 a request, 2 a frame, 3 no frame yet
             H   0
             I   number of the request, which the answer repeats
             I   bytes that follow the header
             I   CRC-32 of them
    request  2d  shift of the window, columns and rows [px]
    frame    4H  views n, height H, width W, columns C of the profile (0: none)
             Q   number of the exposure, counting up
             2d  when it was exposed, and when it was sent [s], on the clock of the head
             3d  the torch then: along the taught path, to its left, away from the work [m]
             2d  shift of the window that it was exposed with [px]
             n H W  pixels, 8 bits, one view after the other
             2 C d  profile: lateral and height [m] of the laser line in the tool frame, or NaN
"""

from __future__ import annotations

import math
import struct
import zlib
from typing import NamedTuple

import numpy as np

from cellwright_perception.seam.taught_path import TorchPlace
from cellwright_runtime.interface.path_correction import SensorFrame

PORT = 5021
VERSION = 1
HEADER = struct.Struct(">4sBBHIII")
MAGIC = b"CWSS"
REQUEST, FRAME, NOTHING = 1, 2, 3
MOST_PIXELS = 1 << 22
"""Of all views of a frame."""
MOST_COLUMNS = 8192
_WINDOW = struct.Struct(">2d")
_FRAME = struct.Struct(">4HQ7d")
MOST_BYTES = _FRAME.size + MOST_PIXELS + 16 * MOST_COLUMNS


class PacketError(ValueError):
    """Bytes that are no packet of a seam sensor; nothing that follows can be told apart."""


class Packet(NamedTuple):
    """One whole packet."""

    kind: int
    request: int
    payload: bytes


class Answer(NamedTuple):
    """A frame, and how old it was when it was sent."""

    frame: SensorFrame
    age_s: float


def packet(kind: int, request: int, payload: bytes = b"") -> bytes:
    """A packet as it is sent."""
    crc = zlib.crc32(payload)
    return HEADER.pack(MAGIC, VERSION, kind, 0, request & 0xFFFFFFFF, len(payload), crc) + payload


def taken(received: bytearray) -> Packet | None:
    """The first whole packet, which is removed; None where none is whole. Raises PacketError."""
    if len(received) < HEADER.size:
        return None
    magic, version, kind, zero, request, size, crc = HEADER.unpack_from(received)
    if magic != MAGIC or zero != 0 or size > MOST_BYTES:
        raise PacketError("no packet of a seam sensor")
    if version != VERSION:
        raise PacketError(f"version {version} of the packets; this is version {VERSION}")
    end = HEADER.size + size
    if len(received) < end:
        return None
    payload = bytes(received[HEADER.size : end])
    del received[:end]
    if zlib.crc32(payload) != crc:
        raise PacketError("a packet whose sum is another")
    return Packet(kind, request, payload)


def window(shift_px: tuple[float, float]) -> bytes:
    """Payload of a request."""
    return _WINDOW.pack(*shift_px)


def window_of(payload: bytes) -> tuple[float, float]:
    """The shift that a request asks for; raises PacketError."""
    if len(payload) != _WINDOW.size:
        raise PacketError("a request of another size")
    columns, rows = _WINDOW.unpack(payload)
    if not (math.isfinite(columns) and math.isfinite(rows)):
        raise PacketError("a window that is not finite")
    return columns, rows


def frame(shown: SensorFrame, *, exposed_s: float, sent_s: float) -> bytes:
    """Payload of a frame."""
    views, height, width = shown.image.shape
    profile = shown.profile.astype(">f8").tobytes()
    head = _FRAME.pack(
        *(views, height, width, len(profile) // 16, shown.number, exposed_s, sent_s),
        *shown.torch,
        *shown.window_px,
    )
    return head + np.ascontiguousarray(shown.image).tobytes() + profile


def frame_of(payload: bytes) -> Answer:
    """The frame in a payload, to the last bit as it was; raises PacketError."""
    if len(payload) < _FRAME.size:
        raise PacketError("a frame that is cut off")
    views, height, width, columns, number, exposed_s, sent_s, *rest = _FRAME.unpack_from(payload)
    pixels, at = views * height * width, _FRAME.size
    if not 0 < pixels <= MOST_PIXELS or columns > MOST_COLUMNS:
        raise PacketError(f"a frame of {views} x {height} x {width} and {columns} columns")
    if len(payload) != at + pixels + 16 * columns:
        raise PacketError("a frame of another size than it says")
    if not all(map(math.isfinite, (exposed_s, sent_s, *rest))):
        raise PacketError("a frame with numbers that are not finite")
    # A copy, since what is compiled for arrays is compiled again for those that cannot be written.
    image = np.frombuffer(payload, np.uint8, pixels, at).reshape(views, height, width).copy()
    told = np.frombuffer(payload, ">f8", 2 * columns, at + pixels)
    profile = told.astype(np.float64).reshape(columns, 2)
    shown = SensorFrame(number, image, TorchPlace(*rest[:3]), (rest[3], rest[4]), profile)
    return Answer(shown, max(0.0, sent_s - exposed_s))
