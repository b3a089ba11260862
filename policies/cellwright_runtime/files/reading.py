"""Reading a file as bytes: only a regular file, no link, and not more bytes than the caller allows."""

import os
import stat
from pathlib import Path

_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
)
"""Opening neither follows a link nor waits for the other end of a pipe."""


class FileError(ValueError):
    """A file cannot be read or has unexpected content; the message is one line that names file and fault.

    A message often quotes the file, whose author may be a stranger: what a terminal would obey is replaced.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


def printable(text: str) -> str:
    """`text` with a question mark in place of each character that cannot be printed."""
    return "".join(each if each.isprintable() else "?" for each in text)


def read_file(path: Path, *, most_bytes: int) -> bytes:
    """The content of a regular file of at most `most_bytes` bytes.

    Raises `FileError` where `path` is missing, a link, a directory, a device or a pipe, cannot be read, or is
    too large.
    """
    try:
        if path.is_symlink():  # O_NOFOLLOW refuses it with another error number on each system
            raise FileError(f"{path} is a link; put the file itself there")
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise FileError(f"{path} is missing") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise FileError(f"{path} cannot be read: {_reason(error)}") from None
    try:
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise FileError(f"{path} is no regular file")
            if status.st_size > most_bytes:
                raise FileError(f"{path} has {status.st_size:,} bytes, more than the {most_bytes:,} allowed")
            data = file.read(most_bytes + 1)  # the file may have grown since
    except OSError as error:
        raise FileError(f"{path} cannot be read: {_reason(error)}") from None
    if len(data) > most_bytes:
        raise FileError(f"{path} has more than the {most_bytes:,} bytes allowed")
    return data


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
