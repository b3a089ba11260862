"""Decisions with a deadline, in a thread of their own: a slow policy never keeps the servo loop waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from numpy.typing import NDArray

from cellwright_runtime.runtime import Decision

Observation = Mapping[str, NDArray[Any]]


class Answer(NamedTuple):
    """What came of one question."""

    number: int
    decision: Decision | None
    error: Exception | None


class InferenceThread:
    """Answers one question at a time; while it is busy, it takes no other.

    The thread is a daemon: a policy that never answers does not keep a program from ending.
    """

    def __init__(self, decide: Callable[[Observation], Decision]) -> None:
        self._decide = decide
        self._asked: tuple[int, Observation] | None = None
        self._answer: Answer | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    def ask(self, number: int, observation: Observation) -> bool:
        """Hand over an observation; returns False, and takes none, while an older one is being answered."""
        with self._changed:
            if self._asked is not None:
                return False
            self._asked, self._answer = (number, observation), None
            self._changed.notify_all()
            return True

    def take(self, number: int, *, wait_s: float = 0.0) -> Answer | None:
        """The answer to question `number`, waiting for at most `wait_s`; None where it is not there.

        An answer to an older question is thrown away.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._answer is not None, timeout=wait_s)
            answer, self._answer = self._answer, None
        return answer if answer is not None and answer.number == number else None

    def close(self) -> None:
        """Take no more questions; returns at once, whatever the policy does."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._asked is not None)
                if self._closed or self._asked is None:
                    return
                number, observation = self._asked
            decision, error = None, None
            try:
                decision = self._decide(observation)
            except Exception as problem:  # whatever it is, the robot has to stop for it
                error = problem
            with self._changed:
                self._asked, self._answer = None, Answer(number, decision, error)
                self._changed.notify_all()
