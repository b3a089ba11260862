"""Every value of a line's file is found on its line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cellwright_runtime.files.places import Place, line_of, told
from cellwright_train.lines.library import shipped
from cellwright_train.lines.strict import TomlText

TEXT = '''# a comment
name = "a"   # [not a table]
list = [
    1,
    2,
]
long = """
[[batch]]
"""

[[batch]]
parts = 3
"quoted.key" = { times = 0.5 }

[[batch.change]]
after = 1
[batch.change.set]
"a.b" = { plus = [1, 2] }
[[batch.change]]
after = 2

[[batch]]
nested.key = 7
[[batch.change]]
after = 3
'''


@pytest.mark.parametrize(
    ("place", "number"),
    [
        (("name",), 2),
        (("list",), 3),
        (("list", 1), 3),
        (("long",), 7),
        (("batch",), 11),
        (("batch", 0), 11),
        (("batch", 0, "change"), 15),
        (("batch", 0, "parts"), 12),
        (("batch", 0, "missing"), 11),
        (("batch", 0, "quoted.key", "times"), 13),
        (("batch", 0, "change", 0), 15),
        (("batch", 0, "change", 0, "after"), 16),
        (("batch", 0, "change", 0, "set"), 17),
        (("batch", 0, "change", 0, "set", "a.b", "plus", 1), 18),
        (("batch", 0, "change", 1, "after"), 20),
        (("batch", 1, "nested", "key"), 23),
        (("batch", 1, "change", 0, "after"), 25),
        (("nowhere",), 1),
        ((), 1),
    ],
)
def test_a_value_is_found_on_its_line(place: Place, number: int) -> None:
    assert line_of(TEXT, place) == number


def places(content: Any) -> Iterator[Place]:
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        yield (key,)
        if isinstance(value, dict | list):
            yield from ((key, *place) for place in places(value))


@pytest.mark.parametrize("name", shipped())
def test_every_key_of_a_shipped_line_stands_where_it_is_found(name: str) -> None:
    toml = TomlText.read(Path(shipped()[name]))
    lines = toml.text.split("\n")
    for place in places(toml.content):
        key = next(step for step in reversed(place) if isinstance(step, str))
        assert key in lines[line_of(toml.text, place) - 1], place


def test_a_place_is_told_as_people_count() -> None:
    assert told(("batch", 1, "change", 0, "after")) == "batch 2, change 1, after"
