"""JSON, written in one form and read strictly: text that other readers may read differently is refused."""

import json
import re
from typing import Any, NoReturn

from cellwright_runtime.files.reading import FileError

MOST_LEVELS = 32
"""Levels of nesting: more than any file of this project has, and far fewer than Python's recursion limit."""
MOST_VALUES = 250_000
"""Values in a file, enough for about ten thousand episodes. The size of a file alone does not limit memory: a
list of empty lists takes thirty times the size of its text."""
_WHOLE_LIMIT = 2**63
_ODD_CHARACTERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
"""Control characters except tab and line feed, because a terminal would obey them, and halves of surrogate
pairs, which UTF-8 cannot encode."""


def parse_json(data: bytes, name: str) -> Any:
    """The value in `data`, the content of the file `name`.

    Raises `FileError` for what is not UTF-8 or not JSON, for a key that comes twice in an object, for numbers
    that are NaN, infinite or beyond 64 bits, for texts with control characters or halves of surrogate pairs,
    and for more than `MOST_LEVELS` levels or `MOST_VALUES` values.
    """
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > MOST_VALUES:
        raise FileError(f"{name} holds more than {MOST_VALUES:,} values")
    try:
        value = _decode(data.decode())
    except UnicodeDecodeError as error:
        raise FileError(f"{name} is not UTF-8: {error.reason} at byte {error.start}") from None
    except _OddError as error:
        raise FileError(f"{name} {error}") from None
    except ValueError as error:
        raise FileError(f"{name} is not JSON: {error}") from None
    except RecursionError:
        raise FileError(f"{name} is nested deeper than {MOST_LEVELS} levels") from None
    _check(value, name)
    return value


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, UTF-8 and two spaces of indent: equal values give equal bytes.

    Raises ValueError for NaN and infinite numbers.
    """
    return (json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False, indent=2) + "\n").encode()


class _OddError(Exception):
    """Text that JSON or Python's JSON reader allows and this project refuses."""


def _decode(text: str) -> Any:
    return json.loads(
        text, object_pairs_hook=_object, parse_int=_whole, parse_float=_number, parse_constant=_constant
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _OddError(f"has the key {key[:80]!r} twice")
        found[key] = value
    return found


def _whole(text: str) -> int:
    # The length comes first: `int` takes time that grows with the square of it.
    if len(text) > len(str(-_WHOLE_LIMIT)) or not -_WHOLE_LIMIT <= int(text) < _WHOLE_LIMIT:
        raise _OddError(f"holds {text[:24]}…, a whole number beyond 64 bits")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _OddError(f"holds {text[:24]}, a number beyond any float")
    return number


def _constant(text: str) -> NoReturn:
    raise _OddError(f"holds {text}, which is no number")


def _check(value: Any, name: str) -> None:
    level = [value]
    for _ in range(MOST_LEVELS):
        below: list[Any] = []
        for each in level:
            if isinstance(each, dict):
                below += each  # its keys
                below += each.values()
            elif isinstance(each, list):
                below += each
            elif isinstance(each, str) and (odd := _ODD_CHARACTERS.search(each)):
                raise FileError(f"{name} holds a text with the character U+{ord(odd[0]):04X}")
        if not below:
            return
        level = below
    raise FileError(f"{name} is nested deeper than {MOST_LEVELS} levels")
