"""Configurations from plain values, as JSON holds them, checked field by field."""

from __future__ import annotations

import dataclasses
import json
import math
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from cellwright_train.errors import UsageError, one_line, unknown

Config = TypeVar("Config")

_SHOWN_CHARACTERS = 40
_PLAIN = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}


def rebuilt(kind: type[Config], data: Any, where: str = "") -> Config:
    """The dataclass `kind` of `data`, which holds its fields as JSON does.

    Raises `UsageError` with the field, what it holds and what it takes. `where` is the dotted path to `data`.
    """
    if not isinstance(data, Mapping):
        raise _wrong(where, data, "an object of settings")
    hints = typing.get_type_hints(kind)
    fields: tuple[dataclasses.Field[Any], ...] = dataclasses.fields(typing.cast(Any, kind))
    paths = {field.name: f"{where}.{field.name}" if where else field.name for field in fields}
    for name in data:
        if name not in paths:
            raise unknown("setting", f"{where}.{name}" if where else name, paths.values())
    for field in fields:
        optional = (
            field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
        )
        if field.name not in data and not optional:
            raise UsageError(f"{paths[field.name]} is missing")
    values = {name: _value(hints[name], value, paths[name]) for name, value in data.items()}
    try:
        return kind(**values)
    except ValueError as error:  # `kind` names its own fields, a file names them by their paths
        raise UsageError(one_line(error).replace("self.", f"{where}." if where else "")) from error


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return rebuilt(hint, value, where)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None:
            return None
        return _value(next(kind for kind in arguments if kind is not types.NoneType), value, where)
    if origin is tuple:
        return _items(arguments, value, where)
    if hint in _PLAIN:
        return _plain(hint, value, where)
    if not isinstance(value, origin):
        raise _wrong(where, value, "an object")
    return value


def _items(kinds: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise _wrong(where, value, "a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(value) != len(kinds):
        raise _wrong(where, value, f"a list of {len(kinds)}")
    pairs = enumerate(zip(kinds, value, strict=True))
    return tuple(_value(kind, item, f"{where}[{index}]") for index, (kind, item) in pairs)


def _plain(kind: type, value: Any, where: str) -> Any:
    """`value` where it is a `kind`; a whole number may be written 1e6, and a number without its point."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if kind is int and number and value == int(value):
        return int(value)
    if (kind is float and number) or (kind in (str, bool) and isinstance(value, kind)):
        return value
    raise _wrong(where, value, _PLAIN[kind])


def _wrong(where: str, value: Any, wanted: str) -> UsageError:
    text = json.dumps(value)
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
    return UsageError(f"{where or 'it'} is {shown}, not {wanted}")
