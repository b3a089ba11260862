"""One robot under the envelope in C, and the same under that in Python."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest

from cellwright_runtime.drivers.driver import RobotState
from cellwright_runtime.envelope.declared import limits_of
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.fences import PoseSpace
from cellwright_runtime.envelope.follower import Follower
from cellwright_runtime.envelope.states import NotAllowedError
from tests.policies.runtime.envelope.robots import HOME, HOME_RAD, LIMITS, PERIOD_S
from tools.envelope.plain import PlainEnvelope, safety_of

PLANES = [(plane.normal, plane.offset_m) for plane in LIMITS.planes]
SAFETY = safety_of(replace(LIMITS, blend_s=0.5))
DECLARED = limits_of(SAFETY, planes=LIMITS.planes)


class Both:
    """The same robot under the envelope in C and that in Python, asked and broken in the same way."""

    def __init__(self, plain: PlainEnvelope, make_motion: Callable[..., Any] | None = None) -> None:
        self.c = plain
        assert plain.set_up(cycle_s=PERIOD_S, planes=PLANES, lag_s=0.004) == 0
        follower = partial(Follower, speed_m_s=DECLARED.tool_speed_m_s)
        self.python = Envelope(
            DECLARED, PoseSpace(DECLARED, PERIOD_S), PERIOD_S, lag_s=0.004, motion=make_motion or follower
        )
        self.now_s, self.robot_s = 3.0, 70.0
        self.tools = [HOME, HOME]
        """Where the robot stands under C, and under Python."""

    def seen(self, which: int, **changes: Any) -> RobotState:
        state = RobotState(
            time_s=self.robot_s, joints_rad=HOME_RAD, tool=self.tools[which], wrench=np.zeros(6)
        )
        return replace(state, **changes)

    def ask(self, what: str, fault: Fault | None = None, **changes: Any) -> None:
        if what == "arm":
            answer = self.c.arm(self.now_s, self.seen(0, **changes))
        else:
            answer = self.c.request(what, self.now_s, fault)
        try:
            if what == "arm":
                self.python.arm(self.now_s, self.seen(1, **changes))
            elif fault is not None:
                self.python.fault(self.now_s, fault, "told")
            else:
                getattr(self.python, what)(self.now_s)
            refused = False
        except NotAllowedError:
            refused = True
        assert (answer != 0) == refused, (what, answer)

    def cycle(
        self,
        target: np.ndarray | None,
        *,
        heard: bool = True,
        stopped: bool = False,
        dt_s: float = PERIOD_S,
        robot_dt_s: float = PERIOD_S,
        **changes: Any,
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        self.now_s += dt_s
        self.robot_s += robot_dt_s
        wanted = None if target is None else target.tolist()
        in_c = self.c.cycle(self.now_s, self.seen(0, **changes) if heard else None, wanted, stopped=stopped)
        in_python = self.python.cycle(
            self.now_s, self.seen(1, **changes) if heard else None, wanted, stopped="yes" if stopped else ""
        )
        self.tools = [
            tool if sent is None else sent for tool, sent in zip(self.tools, (in_c, in_python), strict=True)
        ]
        return in_c, in_python

    def assert_the_same(self, atol: float = 1e-9) -> None:
        """State, reason, notes, stages, authority, and where the robot is told to be."""
        said, python = self.c.said(), self.python
        assert said.state is python.state
        told = "" if said.reason is None else said.reason.value.meaning
        assert (python.reason or "").startswith(told)
        assert (said.reason is None) == (python.reason is None)
        assert said.notes == len(python.happenings)
        if python.happenings:
            assert said.newest is python.happenings[-1].fault
        assert said.stages == python.stages
        assert said.interventions == python.tally.total
        assert said.blend == pytest.approx(python.blend, abs=1e-12)
        np.testing.assert_allclose(self.tools[0], self.tools[1], rtol=0.0, atol=atol)
