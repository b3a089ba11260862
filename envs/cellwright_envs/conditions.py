"""One hash for what an episode meets, the same in every process and on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

import numpy as np

_HEX_DIGITS = 16


def conditions_hash(**parts: Any) -> str:
    """16 hexadecimal digits of SHA-256 over `parts`, by name.

    A part is made of dataclasses, mappings, sequences, arrays, generators, numbers, text and None, nested as
    they like. Floats count by their bits, so that two values that print alike are two conditions. Raises
    TypeError for anything else: what cannot be hashed by its value would change from process to process.
    """
    found = hashlib.sha256()
    _feed(found, parts)
    return found.hexdigest()[:_HEX_DIGITS]


def _feed(found: hashlib._Hash, value: Any) -> None:
    """Add `value`, each piece with its kind before it and its end marked: no two values read alike."""
    if is_dataclass(value) and not isinstance(value, type):
        _feed_pairs(found, type(value).__name__, {f.name: getattr(value, f.name) for f in fields(value)})
    elif isinstance(value, Mapping):
        _feed_pairs(found, "mapping", value)
    elif isinstance(value, np.random.Generator):
        _feed(found, value.bit_generator.state)
    elif isinstance(value, np.ndarray):
        data = np.ascontiguousarray(value)
        found.update(f"array {data.dtype.str} {data.shape} ".encode() + data.tobytes())
    elif isinstance(value, (list, tuple)):
        found.update(b"(")
        for each in value:
            _feed(found, each)
        found.update(b")")
    elif isinstance(value, Enum):
        found.update(f"{type(value).__name__}.{value.name};".encode())
    elif isinstance(value, (float, np.floating)):
        found.update(f"{float(value).hex()};".encode())
    elif value is None or isinstance(value, (bool, int, str, np.integer, np.bool_)):
        found.update(f"{type(value).__name__} {value!r};".encode())
    else:
        raise TypeError(f"a {type(value).__name__} has no value to hash: {value!r}")


def _feed_pairs(found: hashlib._Hash, kind: str, pairs: Mapping[str, Any]) -> None:
    found.update(f"{kind}{{".encode())
    for name, value in pairs.items():
        found.update(f"{name}=".encode())
        _feed(found, value)
    found.update(b"}")
