"""Standard output as it is: with few characters, closed at the other end, or full."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO

from cellwright_train.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

_PLAIN = str.maketrans(
    {
        **dict.fromkeys("─━═╌╍┄┅┈┉╴╶╸╺╼╾", "-"),
        **dict.fromkeys("│┃║╎╏┆┇┊┋╵╷╹╻╽╿", "|"),
        **dict.fromkeys("–—−", "-"),
        "…": "...",
        "“": '"',
        "”": '"',
        "’": "'",
        "×": "x",
        "±": "+/-",
        "≤": "<=",
        "≥": ">=",
        "→": "->",
        "µ": "u",
        "°": " deg",
    }
)
_BOXES = range(0x2500, 0x2580)


def _plainer(error: UnicodeError) -> tuple[str, int]:
    """What an encoding that lacks a character shows instead."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    plain = error.object[error.start : error.end].translate(_PLAIN)
    shown = (c if c.isascii() else "+" if ord(c) in _BOXES else "?" for c in plain)
    return "".join(shown), error.end


codecs.register_error("cellwright-plain", _plainer)


class _Output(io.TextIOBase):
    """Passes on what is printed until nobody reads it any more; then the work goes on in silence."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.failure: OSError | None = None

    def write(self, text: str) -> int:
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def _try(self, act: Callable[[], object]) -> None:
        if self.failure is not None:
            return
        try:
            act()
        except OSError as error:
            self.failure = error
            self._give_up()

    def _give_up(self) -> None:
        """Let what is still buffered go nowhere: the interpreter flushes it when it ends, and would fail."""
        with contextlib.suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def lasting_output() -> Iterator[None]:
    """Have everything that is printed in the block suit standard output; a closed pipe ends no work.

    Raises `UsageError` at the end where printing failed for another reason, such as a full disk.
    """
    before = sys.stdout
    if before is None:  # as where the shell closed it
        yield
        return
    if isinstance(before, io.TextIOWrapper):
        before.reconfigure(errors="cellwright-plain")
    output = _Output(before)
    sys.stdout = output
    try:
        yield
        output.flush()
    finally:
        sys.stdout = before
    if output.failure is not None and output.failure.errno != errno.EPIPE:
        raise UsageError(f"standard output cannot be written: {output.failure.strerror}")


def console() -> Console:
    """Tables on standard output; wide enough to stay readable in a log."""
    from rich.console import Console

    plain = Console()
    return plain if plain.is_terminal else Console(width=132)
