"""Names and shapes of the tensors that a safetensors file claims to hold, checked before any is loaded."""

import math
from collections.abc import Mapping
from typing import Any

from cellwright_runtime.files.json_text import parse_json
from cellwright_runtime.files.reading import FileError

MOST_TENSORS = 10_000
_MOST_HEADER_BYTES = 2**20
_ITEM_BYTES = {"U8": 1, "BOOL": 1, "I64": 8, "F32": 4, "F64": 8}


def tensor_shapes(data: bytes, name: str) -> Mapping[str, tuple[int, ...]]:
    """Name to shape of all tensors in `data`, the content of the safetensors file `name`.

    Raises `FileError` unless the tensors fill the file one after the other, each of a known type and of the
    size that its shape requires.
    """
    begin = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or begin > min(len(data), 8 + _MOST_HEADER_BYTES):
        raise FileError(f"{name} is no safetensors file of at most {_MOST_HEADER_BYTES:,} bytes of header")
    header = parse_json(data[8:begin], f"{name} header")
    if not isinstance(header, dict) or len(header) > MOST_TENSORS:
        raise FileError(f"{name} header is no object of at most {MOST_TENSORS} tensors")
    tensors = [_described(entry, f"{name} {key[:80]}") for key, entry in header.items()]
    end = 0
    for first, last in sorted(place for _, place in tensors):
        if first != end:
            raise FileError(f"{name} has tensors that overlap, or a gap between them")
        end = last
    if end != len(data) - begin:
        raise FileError(f"{name} has {len(data) - begin} bytes of tensors, its header says {end}")
    return {key: shape for key, (shape, _) in zip(header, tensors, strict=True)}


def _described(entry: Any, where: str) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Shape and byte offsets (begin, end) of the tensor that `entry` of the header describes."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise FileError(f"{where}: need dtype, shape and data_offsets")
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _ITEM_BYTES:
        raise FileError(f"{where}: dtype is {str(dtype)[:40]!r}, need one of {', '.join(_ITEM_BYTES)}")
    if not _sizes(shape) or len(shape) > 8 or not _sizes(place) or len(place) != 2:
        raise FileError(f"{where}: need a shape of at most 8 sizes and two offsets")
    if place[1] - place[0] != math.prod(shape) * _ITEM_BYTES[dtype]:
        raise FileError(f"{where}: {place[1] - place[0]} bytes do not hold {dtype} {tuple(shape)}")
    return tuple(shape), (place[0], place[1])


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)
