"""The line on which a value of a TOML file stands, which Python's own reader does not tell."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any

Place = tuple[str | int, ...]
"""Keys and indices from the top of a file to a value."""


def line_of(text: str, place: Place) -> int:
    """Number of the line of valid TOML on which the value at `place` begins, or else what it is a part of."""
    found = _lines(text)
    return next((found[place[:end]] for end in range(len(place), 0, -1) if place[:end] in found), 1)


def told(place: Place) -> str:
    """`batch 2, change 1, after` for ("batch", 1, "change", 0, "after")."""
    words: list[str] = []
    for step in place:
        if isinstance(step, int) and words:
            words[-1] += f" {step + 1}"
        else:
            words.append(str(step))
    return ", ".join(words)


def _lines(text: str) -> dict[Place, int]:
    """The line of every key and every item. Statements are what the reader takes by themselves."""
    found: dict[Place, int] = {}
    lasts: dict[Place, int] = {}
    table: Place = ()
    statement, begin = "", 1
    for number, line in enumerate(text.split("\n"), start=1):
        begin = begin if statement else number
        statement += f"{line}\n"
        try:
            content = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        if statement.lstrip().startswith("["):
            table = _table(content, lasts)
            found = {table[:end]: begin for end in range(1, len(table) + 1)} | found
        else:
            found |= {table + place: begin for place in _places(content)}
        statement = ""
    return found


def _table(content: Any, lasts: dict[Place, int]) -> Place:
    """Place of the table that a header opens; `lasts` has the last index of each list of tables so far."""
    place: Place = ()
    while content:
        ((key, content),) = content.items()
        place += (key,)
        if isinstance(content, list):
            lasts[place] = lasts.get(place, -1) + 1
            content = content[0]
        if place in lasts:
            place += (lasts[place],)
    return place


def _places(content: Any) -> Iterator[Place]:
    """Places of everything in a value."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content)
    for key, value in pairs:
        yield (key,)
        if isinstance(value, dict | list):
            yield from ((key, *place) for place in _places(value))
