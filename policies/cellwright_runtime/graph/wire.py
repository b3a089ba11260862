"""Protocol buffers, as far as a policy's graph needs them: a schema says which fields are allowed.

The encoding is https://protobuf.dev/programming-guides/encoding. Other readers skip fields that they do not
know, and use the last value where a field comes twice. Both are refused here: otherwise two readers could
find different graphs in one file.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIRE_TYPES = {"int": _VARINT, "float": _FIXED32, "text": _BYTES, "bytes": _BYTES}
MOST_FIELDS = 200_000
"""Fields in a whole file; each number in a packed field counts. A graph of a hundred operators has three
thousand."""

Kind = Literal["int", "float", "text", "bytes"]


class WireError(ValueError):
    """Bytes that do not fit the schema of their message."""


@dataclass(frozen=True)
class Field:
    """One field of a message."""

    name: str
    kind: "Kind | Schema | None"
    """None for a field of the format that a policy must not use."""
    many: bool = False
    """Whether the field may come more than once."""


Schema = Mapping[int, Field]
"""Fields by their numbers."""


class Reader:
    """Reads the messages of one file. It limits the number of fields, because even empty ones take memory."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def message(self, data: memoryview, schema: Schema, where: str) -> dict[str, Any]:
        """Values by field name, in lists for fields that may come more than once; raises `WireError`."""
        found: dict[str, Any] = {field.name: [] for field in schema.values() if field.many}
        at = 0
        while at < len(data):
            self._count(1)
            tag, at = _varint(data, at)
            field = schema.get(tag >> 3)
            if field is None or field.kind is None:
                name = field.name if field else f"a field {tag >> 3}"
                raise WireError(f"{where} has {name}, which no policy needs")
            at = self._value(data, at, tag & 7, field, found, f"{where}.{field.name}")
        return found

    def _value(
        self, data: memoryview, at: int, wire_type: int, field: Field, found: dict[str, Any], where: str
    ) -> int:
        """Read one value into `found`; returns the offset after it."""
        packed = field.many and wire_type == _BYTES and field.kind in ("int", "float")
        wanted = _WIRE_TYPES[field.kind] if isinstance(field.kind, str) else _BYTES
        if wire_type != wanted and not packed:
            raise WireError(f"{where} is of another type")
        if packed:
            content, at = _content(data, at, where)
            found[field.name] += self._packed(content, field)
            return at
        value: Any
        if field.kind == "int":
            value, at = _varint(data, at)
            value = _signed(value)
        elif field.kind == "float":
            content, at = _slice(data, at, 4, where)
            value = struct.unpack("<f", content)[0]
        else:
            content, at = _content(data, at, where)
            value = self._content(content, field, where)
        if field.many:
            found[field.name].append(value)
        elif field.name in found:
            raise WireError(f"{where} comes twice")
        else:
            found[field.name] = value
        return at

    def _content(self, content: memoryview, field: Field, where: str) -> Any:
        if field.kind == "bytes":
            return content
        if field.kind != "text":
            assert isinstance(field.kind, Mapping)
            return self.message(content, field.kind, where)
        try:
            text = bytes(content).decode()
        except UnicodeDecodeError:
            raise WireError(f"{where} is not UTF-8") from None
        if not text.isprintable():
            raise WireError(f"{where} is {text[:40]!a}, which cannot be printed")
        return text

    def _count(self, fields: int) -> None:
        self._left -= fields
        if self._left < 0:
            raise WireError(f"it has more than {MOST_FIELDS:,} fields")

    def _packed(self, content: memoryview, field: Field) -> list[Any]:
        if field.kind == "float":
            if len(content) % 4:
                raise WireError(f"{field.name} is cut off")
            self._count(len(content) // 4)
            return list(struct.unpack(f"<{len(content) // 4}f", content))
        values, at = [], 0
        while at < len(content):
            self._count(1)
            value, at = _varint(content, at)
            values.append(_signed(value))
        return values


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for index in range(10):
        if at + index >= len(data):
            raise WireError("it is cut off")
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if value >= 2**64:
                break
            return value, at + index + 1
    raise WireError("it holds a number beyond 64 bits")


def _signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def _content(data: memoryview, at: int, where: str) -> tuple[memoryview, int]:
    size, at = _varint(data, at)
    return _slice(data, at, size, where)


def _slice(data: memoryview, at: int, size: int, where: str) -> tuple[memoryview, int]:
    if size > len(data) - at:
        raise WireError(f"{where} is cut off")
    return data[at : at + size], at + size
