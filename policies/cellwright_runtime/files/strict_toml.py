"""TOML that people write, read strictly: a fault is one line with the file, its line, the key, and what would
be right."""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

import msgspec
from msgspec import inspect

from cellwright_runtime.files.places import Place, line_of, told
from cellwright_runtime.files.reading import FileError, printable, read_file

Kind = TypeVar("Kind")

_MOST_BYTES = 1 << 18
_MOST_SHOWN = 40
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}


class WrongValueError(ValueError):
    """A value of a file cannot be used; the message says what would be right."""

    def __init__(self, place: Place, what: str) -> None:
        super().__init__(what)
        self.place = place


@dataclass(frozen=True, kw_only=True)
class TomlText:
    """A TOML file that can be parsed."""

    refused: ClassVar[type[ValueError]] = FileError
    """Type of the errors about it."""
    name: str
    text: str
    content: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Self:
        """That of a file; raises `FileError` where it cannot be read, `refused` where it is no TOML."""
        data = read_file(path, most_bytes=_MOST_BYTES)
        try:
            return cls.parse(data.decode().replace("\r\n", "\n"), str(path))
        except UnicodeDecodeError as error:
            number = data.count(b"\n", 0, error.start) + 1
            raise cls.refused(f"{path}:{number}: this is not UTF-8, as all TOML is") from None

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """That of a text; raises `refused` where it is no TOML."""
        try:
            return cls(name=name, text=text, content=tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            found = re.fullmatch(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
            what, line, column = found.groups() if found else (str(error), None, None)
            number = line or text.rstrip("\n").count("\n") + 1
            where = f", column {column}" if column else ", at the end"
            raise cls.refused(printable(f"{name}:{number}: no TOML{where}: {what}")) from None
        except RecursionError:
            raise cls.refused(f"{name}: it is nested too deeply") from None

    def refusal(self, error: WrongValueError) -> ValueError:
        """The one line about a value of this text."""
        where = f"{told(error.place)}: " if error.place else ""
        return self.refused(printable(f"{self.name}:{line_of(self.text, error.place)}: {where}{error}"))


def converted(content: Any, kind: type[Kind], place: Place = ()) -> Kind:
    """What stands at `place` of a file as a `kind`; raises `WrongValueError`."""
    for found, number in _numbers(content):
        if not math.isfinite(number):
            raise WrongValueError((*place, *found), f"must be finite, got {number}")
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), content, kind, place) from None


def _numbers(content: Any) -> Iterator[tuple[Place, float]]:
    if isinstance(content, float):
        yield (), content
    elif isinstance(content, dict | list):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            yield from (((key, *place), number) for place, number in _numbers(value))


def _explained(message: str, content: Any, kind: type, place: Place) -> WrongValueError:
    what, _, where = message.partition(" - at `$")
    steps = re.findall(r"\.(\w+)|\[(\d+)\]", where)
    inside: Place = tuple(name or int(index) for name, index in steps)
    if given := re.match(r"Object contains unknown field `(.*)`", what):
        known = _keys(kind, inside)
        near = difflib.get_close_matches(given[1], known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        told = f"unknown key {given[1]!r}; {hint}known: {', '.join(known)}"
        return WrongValueError((*place, *inside, given[1]), told)
    if missing := re.match(r"Object missing required field `(.*)`", what):
        return WrongValueError((*place, *inside), f"needs the key {missing[1]!r}")
    value = _at(content, inside)
    expected = re.match(r"Expected `([^`]*)`([^,]*)", what)
    if expected is None:
        return WrongValueError((*place, *inside), f"{what[0].lower()}{what[1:]}, got {shown(value)}")
    names = [_WORDS[name] for name in expected[1].split(" | ") if name in _WORDS]
    wanted = f"{' or '.join(names)}{expected[2]}"
    if expected[1] == "array" and isinstance(value, dict):
        wanted = f"written [[{inside[-1]}]]"
    return WrongValueError((*place, *inside), f"must be {wanted}, got {shown(value)}")


def _keys(kind: type, place: Place) -> list[str]:
    """Keys of the table at `place` of a `kind`."""
    found: Any = inspect.type_info(kind)
    for step in place:
        if isinstance(step, int):
            found = found.item_type
        else:
            found = next(field.type for field in found.fields if field.encode_name == step)
        if isinstance(found, inspect.UnionType):  # a table that may be left out
            found = next(each for each in found.types if isinstance(each, inspect.StructType))
    return [field.encode_name for field in found.fields]


def _at(content: Any, place: Place) -> Any:
    for step in place:
        content = content[step]
    return content


def shown(value: Any) -> str:
    """A value as TOML writes it, if it is short."""
    if isinstance(value, dict):
        return "a table"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
