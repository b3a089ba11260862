"""Decisions with a deadline, in a thread of their own: a slow policy never keeps the servo loop waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from cellwright_runtime.runtime import Decision

Observation = Mapping[str, NDArray[Any]]
Decide = Callable[[Observation], Decision]


class Answer(NamedTuple):
    """What came of one question."""

    number: int
    decision: Decision | None
    error: Exception | None


class Inference(Protocol):
    """A policy that is asked now and answers later."""

    def ask(self, number: int, observation: Observation) -> bool:
        """Hand over an observation; returns False, and takes none, while an older one is being answered."""

    def take(self, number: int) -> Answer | None:
        """The answer to question `number`, once; None where it is not there. Older ones are thrown away."""

    def close(self) -> None:
        """Take no more questions; returns at once, whatever the policy does."""


class InferenceThread:
    """Answers one question at a time, beside the servo loop.

    The thread is a daemon: a policy that never answers does not keep a program from ending.
    """

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._asked: tuple[int, Observation] | None = None
        self._answer: Answer | None = None
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="inference", daemon=True)
        self._thread.start()

    def ask(self, number: int, observation: Observation) -> bool:
        with self._changed:
            if self._asked is not None or self._closed:
                return False
            self._asked, self._answer = (number, observation), None
            self._changed.notify_all()
            return True

    def take(self, number: int) -> Answer | None:
        with self._changed:
            answer, self._answer = self._answer, None
        return answer if answer is not None and answer.number == number else None

    def close(self) -> None:
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
            answer = answered(self._decide, number, observation)
            with self._changed:
                self._asked, self._answer = None, answer
                self._changed.notify_all()


class InstantInference:
    """A policy that takes no time: for simulated time, which passes between cycles alone."""

    def __init__(self, decide: Decide) -> None:
        self._decide = decide
        self._answer: Answer | None = None

    def ask(self, number: int, observation: Observation) -> bool:
        self._answer = answered(self._decide, number, observation)
        return True

    def take(self, number: int) -> Answer | None:
        answer, self._answer = self._answer, None
        return answer if answer is not None and answer.number == number else None

    def close(self) -> None:
        self._answer = None


def answered(decide: Decide, number: int, observation: Observation) -> Answer:
    """What a policy answers; an exception is an answer too."""
    try:
        return Answer(number, decide(observation), None)
    except Exception as problem:  # whatever it is, the robot has to stop for it
        return Answer(number, None, problem)
