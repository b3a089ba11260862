"""Reading the objects of a JSON file field by field, by name and type, and refusing what is left."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from cellwright_runtime.files.reading import FileError

_SHOWN_CHARACTERS = 40
LONGEST_NAME = 200
"""Characters in a name. Sentences and commands may be longer: they are not read as names."""


class Fields:
    """An object of a JSON file. Each field is taken once, and `done` refuses the fields that were not taken.

    Every method that takes a field raises `FileError` where it is missing or of another type.
    """

    def __init__(self, value: Any, where: str) -> None:
        """`where` names file and place for messages; raises `FileError` where `value` is not an object."""
        if not isinstance(value, Mapping):
            raise wrong(where, value, "an object")
        self._values = dict(value)
        self._where = where

    def __iter__(self) -> Iterator[str]:
        """Names of the fields that were not taken yet."""
        return iter(list(self._values))

    def where(self, name: str) -> str:
        """The place of a field, for messages."""
        return f"{self._where} {name}"

    def take(self, name: str) -> Any:
        """A value of any type; raises `FileError` where it is missing."""
        if name not in self._values:
            raise FileError(f"{self._where} lacks {name}")
        return self._values.pop(name)

    def optional(self, name: str, default: Any) -> Any:
        """A value of any type, or `default` where it is missing."""
        return self._values.pop(name, default)

    def name(self, name: str, *, empty: bool = False) -> str:
        """A name: one printable line of at most `LONGEST_NAME` characters, empty only if `empty` is set."""
        value = self.take(name)
        if not isinstance(value, str) or not value.isprintable() or len(value) > LONGEST_NAME:
            raise wrong(self.where(name), value, f"a name of at most {LONGEST_NAME} characters")
        if not value and not empty:
            raise FileError(f"{self.where(name)} is empty")
        return value

    def number(self, name: str) -> float:
        """A number; `true` and `false` are refused."""
        value = self.take(name)
        if type(value) not in (int, float):
            raise wrong(self.where(name), value, "a number")
        return float(value)

    def numbers(self, name: str) -> tuple[float, ...]:
        """A list of numbers."""
        values = self.take(name)
        # `float` would also accept a truth value, or a text that holds a number.
        if not isinstance(values, list) or not all(type(each) in (int, float) for each in values):
            raise wrong(self.where(name), values, "a list of numbers")
        return tuple(map(float, values))

    def whole(self, name: str) -> int:
        """A whole number from 0."""
        value = self.take(name)
        if type(value) is not int or value < 0:
            raise wrong(self.where(name), value, "a whole number from 0")
        return value

    def wholes(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers from 0."""
        values = self.take(name)
        if not isinstance(values, list) or not all(type(each) is int and each >= 0 for each in values):
            raise wrong(self.where(name), values, "a list of whole numbers from 0")
        return tuple(values)

    def items(self, name: str) -> list["Fields"]:
        """A list of objects."""
        values = self.take(name)
        if not isinstance(values, list):
            raise wrong(self.where(name), values, "a list")
        return [Fields(value, f"{self.where(name)} {index}") for index, value in enumerate(values)]

    def object(self, name: str) -> dict[str, Any]:
        """An object whose content is not checked."""
        value = self.take(name)
        if not isinstance(value, dict):
            raise wrong(self.where(name), value, "an object")
        return value

    def done(self) -> None:
        """Raise `FileError` where a field was not taken."""
        if self._values:
            raise FileError(f"{self._where} has {min(self._values)[:80]!r}, which does not belong there")


def wrong(where: str, value: Any, wanted: str) -> FileError:
    """The error, to be raised, for a `value` that is not what is `wanted`; `where` names its place."""
    text = json.dumps(value, ensure_ascii=False)
    shown = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return FileError(f"{where} is {shown}, not {wanted}")
