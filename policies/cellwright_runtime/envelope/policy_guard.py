"""A policy between its guards: observation checked, decision in time, answer checked before clipping."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.inference import Inference
from cellwright_runtime.envelope.observation_guard import Finding, ObservationGuard
from cellwright_runtime.runtime import Decision, DecisionError

Observation = Mapping[str, NDArray[Any]]


class PolicyGuard:
    """Asks once a control period, and hands out what may be acted on, with everything that was wrong."""

    def __init__(
        self,
        inference: Inference,
        guard: ObservationGuard,
        *,
        deadline_s: float,
        preclip: float,
    ) -> None:
        """`preclip` is the largest answer before clipping that a trained policy gives."""
        self._inference, self._guard = inference, guard
        self._deadline_s, self._preclip = deadline_s, preclip
        self._number = 0
        self._asked_s: float | None = None

    def reset(self) -> None:
        """Begin the next part."""
        self._guard.reset()
        self._asked_s = None

    def ask(
        self,
        now_s: float,
        observation: Observation,
        *,
        ages_s: Mapping[str, float],
        moving: bool = True,
    ) -> list[Finding]:
        """Check an observation and hand it to the policy; what is wrong with it, or with the one before."""
        found = self._guard.check(now_s, observation, ages_s=ages_s, moving=moving)
        if found:
            return found
        if self._asked_s is not None or not self._inference.ask(self._number + 1, observation):
            return [Finding(Fault.LATE, "the decision before is not finished")]
        self._number += 1
        self._asked_s = now_s
        return []

    def answer(self, now_s: float) -> tuple[Decision | None, list[Finding]]:
        """The decision, once; None while there is none, or where it may not be acted on."""
        if self._asked_s is None:
            return None, []
        answer = self._inference.take(self._number)
        if answer is None:
            late_s = now_s - self._asked_s
            if late_s <= self._deadline_s:
                return None, []
            self._asked_s = None  # what comes now is thrown away
            return None, [Finding(Fault.LATE, f"no decision after {1e3 * late_s:.0f} ms")]
        self._asked_s = None
        if answer.decision is None:
            if isinstance(answer.error, DecisionError):
                return None, [Finding(Fault.NO_ACTION, str(answer.error))]
            return None, [Finding(Fault.NO_ACTION, f"{type(answer.error).__name__}: {answer.error}")]
        return self._checked(answer.decision)

    def _checked(self, decision: Decision) -> tuple[Decision | None, list[Finding]]:
        if not (np.isfinite(decision.action_preclip).all() and np.isfinite(decision.action).all()):
            return None, [Finding(Fault.NO_ACTION, f"the action is {decision.action_preclip.tolist()}")]
        largest = float(np.abs(decision.action_preclip).max())
        if largest > self._preclip:
            return None, [
                Finding(Fault.PRECLIP, f"{largest:.1f} before clipping, {self._preclip:.1f} is allowed")
            ]
        return decision, []
