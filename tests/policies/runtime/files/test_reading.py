"""Only regular files are read, and no more of them than was asked for."""

import os
from pathlib import Path

import pytest

from cellwright_runtime.files.reading import FileError, read_file


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    assert read_file(tmp_path / "file", most_bytes=5) == b"12345"
    with pytest.raises(FileError, match="file has 5 bytes, more than the 4 allowed"):
        read_file(tmp_path / "file", most_bytes=4)


def test_what_is_no_regular_file_is_told_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "directory").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "missing")
    for name, told in (
        ("pipe", "is no regular file"),
        ("directory", "directory"),
        ("link", "is a link"),
        ("nowhere", "is a link"),
        ("missing", "is missing"),
        ("file/below", "cannot be read"),
        ("nul\0", "cannot be read"),
        ("n" * 300, "cannot be read"),
    ):
        with pytest.raises(FileError, match=told):
            read_file(tmp_path / name, most_bytes=10)
    with pytest.raises(FileError, match="is no regular file"):
        read_file(Path("/dev/zero"), most_bytes=10)


def test_a_message_quotes_nothing_that_a_terminal_obeys() -> None:
    assert str(FileError("has the file 'a\nb\x1b[31m'")) == "has the file 'a?b?[31m'"
