"""Arrays of strangers are read as NumPy wrote them; no size that a file claims is believed."""

import io
import pickle
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cellwright_runtime.files.archive import MOST_ARRAYS, MOST_BYTES, npz_bytes, read_npz
from cellwright_runtime.files.reading import FileError

TYPES = st.sampled_from([np.uint8, np.bool_, np.int64, np.float32, np.float64])


def refused(data: bytes, told: str) -> None:
    with pytest.raises(FileError) as caught:
        read_npz(data, "file.npz")
    assert "file.npz is not an npz of plain arrays" in str(caught.value)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@given(TYPES.flatmap(lambda kind: hnp.arrays(kind, hnp.array_shapes(min_dims=0, min_side=0))), st.booleans())
def test_whatever_numpy_writes_is_read_back(values: Any, compressed: bool) -> None:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, a=values, b=values.T)
    found = read_npz(buffer.getvalue(), "file.npz")
    for name, wanted in (("a", values), ("b", values.T)):
        assert (found[name].dtype, found[name].shape) == (wanted.dtype, wanted.shape)
        assert found[name].tobytes() == wanted.tobytes()
        assert found[name].flags.writeable


def test_equal_arrays_give_equal_bytes() -> None:
    arrays = {"b": np.arange(5.0), "a": np.zeros(3)}
    assert npz_bytes(arrays) == npz_bytes(dict(reversed(arrays.items())))


@pytest.mark.parametrize("array", [np.array([{}], dtype=object), np.array(["a"]), np.zeros(3, np.complex64)])
def test_arrays_that_would_be_pickled_or_that_no_reader_takes_are_not_stored(array: Any) -> None:
    with pytest.raises(FileError, match="cannot store strange"):
        npz_bytes({"strange": array})


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return open, (str(tmp_path / "sprung"), "w")

    refused(pickle.dumps(Trap()), "it does not end as an archive does")
    buffer = io.BytesIO()
    np.savez(buffer, a=np.array([Trap()], dtype=object))
    refused(buffer.getvalue(), "'a.npy' is no array of |u1")
    assert list(tmp_path.iterdir()) == []


def archive(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def array(descr: str = "<f4", order: str = "False", shape: str = "(3,)", data: bytes = bytes(12)) -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


def test_the_array_made_by_hand_is_a_good_one() -> None:
    np.testing.assert_array_equal(read_npz(archive(("a.npy", array())), "file.npz")["a"], [0, 0, 0])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (array(shape="(1000000000000,)"), "is no array of"),
        (array(shape="(999999999, 999999999)"), "claims the shape"),
        (array(shape="(999999999, 0)", data=b""), "claims the shape"),
        (array(shape="(0, 999999999, 0, 99999999)", data=b""), "claims the shape"),
        (array(shape="(4,)"), "does not hold the shape (4,)"),
        (array(shape="(2,)"), "does not hold the shape (2,)"),
        (array(shape="(-3,)"), "is no array of"),
        (array(shape="(3"), "is no array of"),
        (array(shape="(" * 5000), "is no array of"),
        (array(shape="(1, 1, 1, 1, 1, 1, 1, 1, 3)"), "claims the shape"),
        (array(descr="|O"), "is no array of"),
        (array(descr=">f4"), "is no array of"),
        (array(descr="<f2"), "is no array of"),
        (array(descr="|b1", data=b"\x00\x01\x02"), "truth values other than 0 and 1"),
        (array(order="None"), "is no array of"),
        (array().replace(b"\x01\x00", b"\x02\x00", 1), "is no array of"),
        (b"", "is no array of"),
        (b"\x93NUMPY\x01\x00\xff\xff", "is no array of"),
    ],
    ids=lambda value: repr(value)[:50],
)
def test_a_header_is_matched_and_never_evaluated(content: bytes, told: str) -> None:
    refused(archive(("a.npy", content)), told)


def patched(data: bytes, at: int, value: bytes) -> bytes:
    return data[:at] + value + data[at + len(value) :]


GOOD = archive(("a.npy", array()))
STORED = archive(("a.npy", array(data=b"twelve bytes")), method=zipfile.ZIP_STORED)
LISTED = GOOD.rindex(b"PK\x01\x02")
END = GOOD.rindex(b"PK\x05\x06")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "0 bytes are no archive"),
        (GOOD[:-1], "it does not end as an archive does"),
        (GOOD + b"x", "it does not end as an archive does"),
        (b"x" + GOOD, "its list of members is not at the offset that it states"),
        (GOOD[: len(GOOD) // 2], "it does not end as an archive does"),
        (patched(GOOD, LISTED + 8, b"\x01"), "is encrypted or packed in a way"),
        (patched(GOOD, LISTED + 10, b"\x0c"), "is encrypted or packed in a way"),
        (patched(GOOD, LISTED + 16, b"\x00"), "contradict each other"),
        (patched(GOOD, LISTED + 46, b"b"), "contradict each other"),
        (patched(GOOD, LISTED + 42, b"\x09"), "its list of members is damaged"),
        (patched(GOOD, LISTED + 24, b"\x01\x00\x00\x00"), "'a.npy' is damaged"),
        (patched(GOOD, LISTED + 24, b"\xff\xff\xff\xff"), f"more than the {MOST_BYTES:,} bytes allowed"),
        (patched(GOOD, LISTED + 20, b"\xff\xff\xff\x00"), "is cut off"),
        (patched(GOOD, 60, b"\xff\xff\xff"), "not an npz"),
        (patched(GOOD, END + 8, struct.pack("<2H", 2, 2)), "not an npz"),
        (patched(GOOD, END + 8, struct.pack("<2H", 0, 0)), "it holds bytes that belong to no listed member"),
        (STORED.replace(b"twelve bytes", b"Twelve bytes"), "'a.npy' is damaged"),
        (archive(("a.txt", array())), "has a member 'a.txt', need *.npy, each once"),
        (archive(("a.npy", array()), ("b.npy", b"")), "'b.npy' is no array"),
        (archive(*((f"{i}.npy", array()) for i in range(MOST_ARRAYS + 1))), "1001 arrays, 1000 are allowed"),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, str) else "",
)
def test_an_archive_that_contradicts_itself_is_told(data: bytes, told: str) -> None:
    refused(data, told)


def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = archive(("a.npy", array()), ("a.npy", array()))
    refused(data, "need *.npy, each once")


def honest(data: bytes) -> bytes:
    return data


def lying(data: bytes) -> bytes:
    """The archive with a list that says its first member unpacks to sixteen bytes."""
    return patched(data, data.rindex(b"PK\x01\x02") + 24, struct.pack("<I", 16))


@pytest.mark.parametrize("bomb", [honest, lying])
def test_a_bomb_is_not_unpacked(bomb: Callable[[bytes], bytes]) -> None:
    data = bomb(archive(("a.npy", array(data=bytes(2 * MOST_BYTES)))))
    assert len(data) < 2**20
    tracemalloc.start()
    try:
        with pytest.raises(FileError):
            read_npz(data, "file.npz")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
