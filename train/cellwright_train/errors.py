"""Errors that a user can correct, each with a message of one line, and the end of a command by a signal."""

import difflib
from collections.abc import Iterable

MOST_TRAINING_SEED = 2**32 - 1
"""numpy's global generator, which Stable-Baselines3 seeds, takes no larger one."""


class UsageError(ValueError):
    """Bad input to a command; the message is one line saying what is wrong and what would be right."""


def unknown(kind: str, given: str, known: Iterable[str], note: str = "") -> UsageError:
    """The error for a name that does not exist, with the nearest one that does."""
    names = list(known)
    near = difflib.get_close_matches(given, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return UsageError(f"unknown {kind} {given!r}; {hint}known: {', '.join(names)}{note}")


class Stopped(KeyboardInterrupt):
    """A signal asked the process to end; what is finished is kept, as after Ctrl-C."""

    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")
        self.number = number


def one_line(error: BaseException) -> str:
    """The message of `error` without line breaks, with its type where there is no message."""
    return " ".join(str(error).split()) or type(error).__name__


def require_training_seed(seed: int, where: str = "seed") -> None:
    """Raise `UsageError` where `seed` is none that all generators of a training run can start from."""
    if not 0 <= seed <= MOST_TRAINING_SEED:
        raise UsageError(f"{where} must be from 0 to {MOST_TRAINING_SEED}, got {seed}")
