"""Named arrays in one file: NumPy's npz files, read without trusting the sizes that they state.

NumPy's own reader evaluates the header of an array as Python and allocates as much memory as the archive
states. The reader here accepts only the form in which `numpy.savez_compressed` writes plain arrays: members
one after the other that fill the file, each deflated or stored, with a header of fixed layout.
"""

import io
import math
import re
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.files.reading import FileError

MOST_ARRAYS = 1000
MOST_BYTES = 64 * 2**20
"""Size of all arrays of one file together, unpacked."""

_TYPES = {"|u1": np.uint8, "|b1": np.bool_, "<i8": np.int64, "<f4": np.float32, "<f8": np.float64}
_MEMBER = struct.Struct("<4s5H3I2H")
_LISTED = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_STORED, _DEFLATED = 0, 8
_NEWEST_VERSION = 45
"""Version 4.5 of the zip format, the one for large files; NumPy uses it for small files, too."""
_NAMES_ARE_UTF8 = 0x800
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '([<|]\w\d)', 'fortran_order': (True|False), "
    rb"'shape': \(((?:\d{1,9}, ?)*(?:\d{1,9})?)\), \} *\n"
)


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Compressed npz of plain arrays, without timestamps: equal content gives equal bytes.

    Raises `FileError` for arrays that could only be stored with pickle.
    """
    if odd := [name for name, array in arrays.items() if array.dtype.str not in _TYPES]:
        raise FileError(
            f"cannot store {', '.join(odd)}: only types {', '.join(_TYPES)} can be stored without pickle"
        )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **{name: arrays[name] for name in sorted(arrays)})
    return buffer.getvalue()


def read_npz(data: bytes, name: str) -> dict[str, NDArray[Any]]:
    """The arrays in `data`, the content of the file `name`.

    Raises `FileError` for everything except plain arrays as NumPy writes them, so for pickled or encrypted
    arrays, more than `MOST_ARRAYS` arrays or `MOST_BYTES` bytes, and sizes that contradict each other.
    """
    arrays: dict[str, NDArray[Any]] = {}
    left = MOST_BYTES
    try:
        for member in _members(data):
            if member.size > left:
                raise _DamageError(f"unpacks to more than the {MOST_BYTES:,} bytes allowed")
            left -= member.size
            if not member.name.endswith(".npy") or member.name[:-4] in arrays:
                raise _DamageError(f"has a member {member.name[:80]!r}, need *.npy, each once")
            arrays[member.name[:-4]] = _array(member.name, _unpacked(data, member))
    except (_DamageError, struct.error, zlib.error) as error:
        raise FileError(f"{name} is not an npz of plain arrays: {error}") from None
    return arrays


class _DamageError(Exception):
    """An archive is damaged; the message says how."""


@dataclass(frozen=True, kw_only=True)
class _Member:
    name: str
    deflated: bool
    crc: int
    begin: int
    """Offset in the archive at which its packed content begins [bytes]."""
    end: int
    """Offset after its packed content [bytes]."""
    size: int
    """Size of the unpacked content [bytes]."""


def _members(data: bytes) -> Iterator[_Member]:
    if len(data) < _END.size:
        raise _DamageError(f"{len(data)} bytes are no archive")
    mark, disk, _, here, count, size, place, comment = _END.unpack_from(data, len(data) - _END.size)
    if mark != b"PK\x05\x06" or comment or disk or here != count:
        raise _DamageError("it does not end as an archive does")
    if place + size != len(data) - _END.size:
        raise _DamageError("its list of members is not at the offset that it states")
    if count > MOST_ARRAYS:
        raise _DamageError(f"it holds {count} arrays, {MOST_ARRAYS} are allowed")
    next_member, next_listed = 0, place
    for _ in range(count):
        member, next_listed = _listed(data, next_listed, next_member)
        next_member = member.end
        yield member
    if next_listed != len(data) - _END.size or next_member != place:
        raise _DamageError("it holds bytes that belong to no listed member")


def _listed(data: bytes, listed: int, place: int) -> tuple[_Member, int]:
    """The member with its entry at offset `listed`, which must begin at `place`; offset of the next entry."""
    entry = _LISTED.unpack_from(data, listed)
    mark, version, flags, method, crc, packed, size = (entry[index] for index in (0, 2, 3, 4, 7, 8, 9))
    name_bytes, extra_bytes, comment_bytes, told = entry[10], entry[11], entry[12], entry[16]
    name = data[listed + _LISTED.size : listed + _LISTED.size + name_bytes]
    odd = version > _NEWEST_VERSION or extra_bytes or comment_bytes
    if mark != b"PK\x01\x02" or told != place or len(name) != name_bytes or odd:
        raise _DamageError("its list of members is damaged")
    if flags & ~_NAMES_ARE_UTF8 or method not in (_STORED, _DEFLATED):
        raise _DamageError(f"a member is encrypted or packed in a way that NumPy does not use: {name[:80]!r}")
    local = _MEMBER.unpack_from(data, place)
    begin = place + _MEMBER.size + local[9] + local[10]
    own_name = data[place + _MEMBER.size : place + _MEMBER.size + local[9]]
    if (local[0], local[2], local[3], local[6], own_name) != (b"PK\x03\x04", flags, method, crc, name):
        raise _DamageError(f"{name[:80]!r} and the list of members contradict each other")
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise _DamageError(f"a member has the name {name[:80]!r}, which is not UTF-8") from None
    member = _Member(
        name=text, deflated=method == _DEFLATED, crc=crc, begin=begin, end=begin + packed, size=size
    )
    return member, listed + _LISTED.size + name_bytes


def _unpacked(data: bytes, member: _Member) -> bytes:
    packed = data[member.begin : member.end]
    if len(packed) != member.end - member.begin:
        raise _DamageError(f"{member.name[:80]!r} is cut off")
    if member.deflated:
        unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
        content = unpacker.decompress(packed, member.size + 1)  # one byte more shows that it is too large
        complete = unpacker.eof and not unpacker.unused_data
    else:
        content, complete = packed, True
    if not complete or len(content) != member.size or zlib.crc32(content) != member.crc:
        raise _DamageError(f"{member.name[:80]!r} is damaged")
    return content


def _array(name: str, content: bytes) -> NDArray[Any]:
    """The array in a member. Its header is matched against a pattern and never evaluated."""
    begin = len(_MAGIC) + 2
    length = int.from_bytes(content[len(_MAGIC) : begin], "little")
    header = _HEADER.fullmatch(content[begin : begin + length])
    kind = _TYPES.get(header[1].decode()) if header else None
    if not content.startswith(_MAGIC) or header is None or kind is None:
        raise _DamageError(f"{name[:80]!r} is no array of {', '.join(_TYPES)}")
    shape = tuple(int(size) for size in header[3].split(b",") if size.strip())
    if len(shape) > 8 or math.prod(max(size, 1) for size in shape) > MOST_BYTES:
        raise _DamageError(f"{name[:80]!r} claims the shape {shape}, with too many axes or elements")
    if math.prod(shape) * np.dtype(kind).itemsize != len(content) - begin - length:
        raise _DamageError(f"{name[:80]!r} does not hold the shape {shape} that it claims")
    order: Literal["F", "C"] = "F" if header[2] == b"True" else "C"
    if kind is np.bool_ and content[begin + length :].strip(b"\x00\x01"):
        raise _DamageError(f"{name[:80]!r} holds truth values other than 0 and 1")
    values: NDArray[Any] = np.frombuffer(content, kind, offset=begin + length)
    return values.reshape(shape, order=order).copy(order=order)
