"""JSON of strangers: one line for what only some readers take, or what takes all memory."""

import json
import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_runtime.files.fields import Fields
from cellwright_runtime.files.json_text import MOST_LEVELS, MOST_VALUES, canonical_json, parse_json
from cellwright_runtime.files.reading import FileError, printable

PLAIN = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PLAIN,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(PLAIN, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_whatever_is_written_is_read_back(value: object) -> None:
    assert parse_json(canonical_json(value), "file") == value


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "file is not JSON: Expecting value"),
        (b"{", "file is not JSON"),
        (b"[1] [2]", "file is not JSON: Extra data"),
        (b"\xff\xfe", "file is not UTF-8: invalid start byte at byte 0"),
        ('{"a": 1}'.encode("utf-16"), "file is not UTF-8"),
        ('{"a": 1}'.encode("utf-16-le"), "file is not JSON"),
        ('{"a": 1}'.encode("utf-8-sig"), "file is not JSON: Unexpected UTF-8 BOM"),
        (b'{"a": 1, "b": 2, "a": 3}', "file has the key 'a' twice"),
        (b'[{"a": {"b": 1, "b": 1}}]', "file has the key 'b' twice"),
        (b"[NaN]", "file holds NaN, which is no number"),
        (b"-Infinity", "file holds -Infinity, which is no number"),
        (b"1e999", "file holds 1e999, a number beyond any float"),
        (b"-1" + b"0" * 400 + b".5", "a number beyond any float"),
        (b"1" + b"0" * 400, "a whole number beyond 64 bits"),
        (b"9223372036854775808", "a whole number beyond 64 bits"),
        (b"1" * 2_000_000, "a whole number beyond 64 bits"),
        (b'"\\ud800"', "file holds a text with the character U+D800"),
        (b'{"\\udc00": 1}', "file holds a text with the character U+DC00"),
        (b'"\\u0000"', "file holds a text with the character U+0000"),
        (b'"\\u001b[2J"', "file holds a text with the character U+001B"),
        (b"[" * 100_000, f"file is nested deeper than {MOST_LEVELS} levels"),
        (b'{"a":' * 100_000, f"file is nested deeper than {MOST_LEVELS} levels"),
        (b"[" * 33 + b"]" * 33, f"file is nested deeper than {MOST_LEVELS} levels"),
        (b"[" + b"0," * MOST_VALUES + b"0]", f"file holds more than {MOST_VALUES:,} values"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_what_another_reader_could_take_for_something_else_is_told(data: bytes, told: str) -> None:
    with pytest.raises(FileError) as caught:
        parse_json(data, "file")
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_whole_numbers_of_64_bits_and_allowed_levels_are_read() -> None:
    assert parse_json(b"[-9223372036854775808, 9223372036854775807]", "file") == [-(2**63), 2**63 - 1]
    value: object = 1
    for _ in range(MOST_LEVELS - 1):
        value = [value]
    assert parse_json(json.dumps(value).encode(), "file") == value


def test_what_is_made_printable_can_be_read_back() -> None:
    told = printable("run é \ud800\x1b[2J\n\x00")
    assert told == "run é ??[2J??"
    assert parse_json(canonical_json(told), "file") == told


def test_a_pair_of_surrogates_is_the_character_that_it_means() -> None:
    assert parse_json(b'"\\ud83d\\ude00"', "file") == "\U0001f600"


@pytest.mark.parametrize("item", [b"{}", b"[]", b'{"":0}', b'"\xc3\xa9"', b"0.5"])
def test_values_that_grow_in_memory_stay_within_bounds(item: bytes) -> None:
    data = b"[" + b",".join([item] * (4 * 2**20 // (len(item) + 1))) + b"]"
    tracemalloc.start()
    try:
        with pytest.raises(FileError):
            parse_json(data, "file")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (3, "file is 3, not an object"),
        ({}, "file lacks name"),
        ({"name": 5}, "file name is 5, not a name"),
        ({"name": ""}, "file name is empty"),
        ({"name": "a\tb"}, "not a name of at most 200 characters"),
        ({"name": "a" * 201}, "not a name of at most 200 characters"),
        ({"name": "a", "own": 1}, "file has 'own', which does not belong there"),
    ],
)
def test_fields_are_taken_by_name_and_type_and_none_is_left_over(value: object, told: str) -> None:
    def take() -> None:
        fields = Fields(value, "file")
        fields.name("name")
        fields.done()

    with pytest.raises(FileError) as caught:
        take()
    assert told in str(caught.value)


def test_a_key_that_comes_twice_among_very_many_is_found_at_once() -> None:
    keys = ",".join(f'"{number}":0' for number in range(100_000))
    begin_s = time.process_time()
    with pytest.raises(FileError, match="has the key '99999' twice"):
        parse_json(f'{{{keys},"99999":0}}'.encode(), "file")
    assert time.process_time() - begin_s < 5.0
