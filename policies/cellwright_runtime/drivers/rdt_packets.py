"""Packets of ATI's Raw Data Transfer (RDT), over UDP: a request, and the records that answer it.

Big-endian, in this order, after the manuals of ATI's Net F/T (9620-05-Net FT, chapter 10) and Ethernet Axia
(9610-05-Ethernet Axia, chapter 12):

    request  H   0x1234
             H   command
             I   how many records, 0 for no end
    record   I   number of the record in this stream, from 1; after 2^32 - 1 comes 0
             I   number of the sample, which goes on from one stream to the next
             I   status, 0 where the sensor is well; bit 31 is set with every error
             6i  Fx, Fy, Fz, Tx, Ty, Tz in counts
"""

from __future__ import annotations

import struct
from typing import NamedTuple

PORT = 49152
STOP, START, BIAS = 0x0000, 0x0002, 0x0042
"""Commands: end the stream, begin one with one record a packet, and take the present load for zero."""
COUNTS = 1 << 32
_HEADER = 0x1234
_REQUEST = struct.Struct(">HHI")
_RECORD = struct.Struct(">3I6i")
RECORD_BYTES = _RECORD.size


class PacketError(ValueError):
    """Bytes that are no packet of this kind."""


class Request(NamedTuple):
    """What a client asks for."""

    command: int
    records: int


class Record(NamedTuple):
    """One sample."""

    sequence: int
    sample: int
    status: int
    counts: tuple[int, ...]
    """(6,)"""


def request(command: int, records: int = 0) -> bytes:
    """A request as it is sent."""
    return _REQUEST.pack(_HEADER, command, records)


def request_of(data: bytes) -> Request:
    """A request; raises PacketError."""
    if len(data) != _REQUEST.size:
        raise PacketError(f"{len(data)} bytes")
    header, command, records = _REQUEST.unpack(data)
    if header != _HEADER:
        raise PacketError("no request")
    return Request(command, records)


def record(sample: Record) -> bytes:
    """A record as it is sent."""
    return _RECORD.pack(sample.sequence, sample.sample, sample.status, *sample.counts)


def record_of(data: bytes) -> Record:
    """A record; raises PacketError for another size."""
    if len(data) != _RECORD.size:
        raise PacketError(f"{len(data)} bytes")
    sequence, sample, status, *counts = _RECORD.unpack(data)
    return Record(sequence, sample, status, tuple(counts))
