"""The right to move, under everything that may happen in any order."""

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.states import TRANSITIONS, Event, NotAllowedError, Rights, State
from tests.policies.runtime.envelope.robots import HOME, Rig

STILL = (State.DISARMED, State.STOPPED, State.ESTOP)


class Operation(RuleBasedStateMachine):
    """An envelope in the hands of a careless program, with a robot that breaks now and then."""

    @initialize()
    def begin(self) -> None:
        self.rig = Rig()
        self.envelope = self.rig.envelope
        self.was, self.reason = State.DISARMED, None
        self.asked_to_arm = False
        self.places: list[np.ndarray] = [self.rig.tool] * 4

    def step(self, target: object = None, **changes: object) -> None:
        before = self.envelope.state
        setpoint = self.rig.cycle(target, **changes)  # type: ignore[arg-type]
        if before in STILL and self.envelope.state in STILL:
            assert setpoint is None
        self.places.append(self.rig.tool)

    @rule(cycles=st.integers(1, 60), shift=st.lists(st.floats(-0.3, 0.3), min_size=6, max_size=6))
    def run(self, cycles: int, shift: list[float]) -> None:
        for _ in range(cycles):
            self.step(HOME + np.array(shift))

    @rule()
    def run_long(self) -> None:
        for _ in range(300):
            self.step(HOME)

    @rule()
    def arm(self) -> None:
        before = self.envelope.state
        try:
            self.rig.envelope.arm(self.rig.now_s, self.rig.seen())
        except NotAllowedError:
            assert self.envelope.state is before
        else:
            assert before is State.DISARMED
            assert self.envelope.blend == 0.0

    @rule(event=st.sampled_from(["start", "finish", "disarm", "reset"]))
    def ask(self, event: str) -> None:
        before, reason = self.envelope.state, self.envelope.reason
        try:
            getattr(self.envelope, event)(self.rig.now_s)
        except NotAllowedError:
            assert (self.envelope.state, self.envelope.reason) == (before, reason)
        else:
            assert (event == "reset") == (before in (State.STOPPED, State.ESTOP))
            if event == "start":
                assert self.envelope.blend == 0.0

    @rule(fault=st.sampled_from([each for each in Fault if each is not Fault.CONTROLLER_STOP]))
    def break_something(self, fault: Fault) -> None:
        self.envelope.fault(self.rig.now_s, fault, "as the test says")

    @rule(word=st.sampled_from(["emergency stop", "protective stop"]))
    def press(self, word: str) -> None:
        self.step(HOME, stopped=word)
        assert self.envelope.state in (State.DISARMED, State.ESTOP)

    @rule()
    def fall_silent(self) -> None:
        for _ in range(60):
            self.step(HOME, seen=None)
        assert self.envelope.state in (*STILL, State.HOLD)

    @rule()
    def freeze_this_computer(self) -> None:
        self.step(HOME, dt_s=0.4)

    @precondition(lambda self: self.envelope.state is State.HOLD)
    @rule()
    def wait_out_a_hold(self) -> None:
        for _ in range(600):
            self.step(None)
        assert self.envelope.state is not State.HOLD

    @invariant()
    def a_reason_is_latched_until_a_reset(self) -> None:
        if not hasattr(self, "envelope"):
            return
        state, reason = self.envelope.state, self.envelope.reason
        if self.reason is not None:
            assert reason in (self.reason, None)
            assert reason is not None or state is State.DISARMED or self.was is State.DISARMED
        assert (reason is None) or state in (State.HOLD, State.STOPPED, State.ESTOP)
        assert (reason is not None) or state not in (State.STOPPED, State.ESTOP)
        self.was, self.reason = state, reason

    @invariant()
    def every_setpoint_keeps_the_limits(self) -> None:
        if not hasattr(self, "places"):
            return
        recent = self.rig.coordinates(self.places[-70:])
        axes, period_s = self.rig.limits.tool, self.rig.period_s
        velocity = np.diff(recent, axis=0) / period_s
        acceleration = np.diff(velocity, axis=0) / period_s
        jerk = np.diff(acceleration, axis=0) / period_s
        assert (np.abs(velocity) <= np.array(axes.velocity) * (1 + 1e-6)).all()
        if self.stalled:
            return
        assert (np.abs(acceleration) <= np.array(axes.acceleration) * (1 + 1e-6)).all()
        assert (np.abs(jerk) <= np.array(axes.jerk) * (1 + 1e-4)).all()

    @property
    def stalled(self) -> bool:
        """A stall or the controller's own stop ends the stream: the robot has stood meanwhile."""
        return any(
            each.fault in (Fault.CLOCK, Fault.CONTROLLER_STOP) for each in self.envelope.happenings[-6:]
        )


Operation.TestCase.settings = settings(max_examples=25, stateful_step_count=15, deadline=None)
TestOperation = Operation.TestCase


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("event", list(Event))
def test_every_pair_changes_as_written_is_ignored_or_refused(state: State, event: Event) -> None:
    rights = Rights()
    rights.state = state
    if event is Event.AT_REST:
        rights.reason = "something"
    wanted = TRANSITIONS.get((state, event))
    if wanted is None:
        try:
            assert not rights.take(event, "a reason")
        except NotAllowedError:
            assert event not in (Event.FAULT, Event.STOP)
        assert rights.state is state
    else:
        rights.take(event, "a reason")
        assert rights.state is wanted


def test_no_way_leads_from_a_stop_to_motion_without_a_person() -> None:
    """From STOPPED and ESTOP only a reset leads on, to DISARMED; from there only arming; then a start."""
    for still, way_out in (
        (State.STOPPED, {Event.RESET, Event.CONTROLLER_STOP}),
        (State.ESTOP, {Event.RESET, Event.CONTROLLER_STOP}),
        (State.DISARMED, {Event.ARM}),
    ):
        assert {event for state, event in TRANSITIONS if state is still} == way_out
    assert {pair for pair, state in TRANSITIONS.items() if state in (State.BLENDING,)} == {
        (State.ARMED, Event.START),
        (State.HOLD, Event.CLEAR),
    }
    assert {pair for pair, state in TRANSITIONS.items() if state is State.RUNNING} == {
        (State.BLENDING, Event.BLENDED)
    }


def test_a_hold_with_a_latched_reason_is_not_resumed() -> None:
    rights = Rights()
    for event in (Event.ARM, Event.START, Event.STOP):
        rights.take(event, "the first reason")
    with pytest.raises(NotAllowedError, match=r"clear is not possible, stopped by: the first reason"):
        rights.take(Event.CLEAR)
    rights.take(Event.STOP, "the second reason")
    assert rights.reason == "the first reason"
    rights.take(Event.AT_REST)
    with pytest.raises(
        NotAllowedError, match="arm is not possible while stopped, stopped by: the first reason"
    ):
        rights.take(Event.ARM)
