"""The keyboard of a terminal, which comes back as it was."""

import contextlib
import os
import pty
import sys
import termios
import threading
import time
from collections.abc import Iterator

import pytest

from cellwright_train.errors import UsageError
from cellwright_train.rollout.terminal_keys import TerminalKeys


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where to type; standard input is the terminal."""
    master, slave = pty.openpty()
    with open(slave) as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        yield master
    os.close(master)


def test_keys_are_read_at_once_and_not_shown(keyboard: int) -> None:
    with TerminalKeys() as keys:
        os.write(keyboard, b"typed before")
        time.sleep(0.05)
        os.set_blocking(keyboard, False)
        with pytest.raises(BlockingIOError):
            os.read(keyboard, 100)  # nothing is echoed
        threading.Timer(0.1, os.write, (keyboard, b"w")).start()
        keys.wait()
        os.write(keyboard, b"as")
        assert keys.pressed(0.05) == "as"
        assert keys.pressed(0.0) == ""


def test_a_control_period_passes_between_two_readings(keyboard: int) -> None:
    with TerminalKeys() as keys:
        threading.Timer(0.1, os.write, (keyboard, b"w")).start()
        keys.wait()
        begin_s = time.monotonic()
        for _ in range(5):
            keys.pressed(0.02)
        assert time.monotonic() - begin_s >= 0.1


def test_the_terminal_is_as_before_afterwards(keyboard: int) -> None:
    before = termios.tcgetattr(sys.stdin.fileno())
    with contextlib.suppress(KeyboardInterrupt), TerminalKeys():
        assert termios.tcgetattr(sys.stdin.fileno()) != before
        raise KeyboardInterrupt
    assert termios.tcgetattr(sys.stdin.fileno()) == before


def test_where_there_is_no_terminal_one_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull) as nowhere:
        for stream in (nowhere, None):
            monkeypatch.setattr(sys, "stdin", stream)
            with pytest.raises(UsageError, match="keys come from a terminal, and standard input is none"):
                TerminalKeys()
