"""The text of a line's file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from cellwright_train.lines.file import LineFile


def toml_of(file: LineFile) -> str:
    """TOML that reads as `file`; what is left out of it is as it comes."""
    return "\n".join(_table("", msgspec.to_builtins(file))).strip() + "\n"


def _table(name: str, content: Mapping[str, Any]) -> list[str]:
    """Its values, then the tables of its lists of tables."""
    values = [f"{key} = {_value(value)}" for key, value in content.items() if not _is_tables(value)]
    for key, tables in content.items():
        if _is_tables(tables):
            path = f"{name}.{key}" if name else key
            for table in tables:
                values += ["", f"[[{path}]]", *_table(path, table)]
    return values


def _is_tables(value: Any) -> bool:
    return isinstance(value, list | tuple) and bool(value) and isinstance(value[0], dict)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.isidentifier() else json.dumps(key)
