"""The right to move: states, and every transition between them.

A stop that is not the controller's own passes through HOLD, because a robot in motion needs some
milliseconds to come to rest. From the moment of the stop its reason is latched; a hold with a latched reason
cannot be resumed, and becomes STOPPED at rest.
"""

from __future__ import annotations

from enum import Enum


class State(Enum):
    """What an envelope may do now."""

    DISARMED = "disarmed"
    """Reads and decides; nothing is sent."""
    ARMED = "armed"
    """Holds the pose at which it was armed."""
    BLENDING = "blending"
    """Moves, with a fraction of the policy's authority that grows from zero."""
    RUNNING = "running"
    """Moves as the policy says, inside of the limits."""
    HOLD = "hold"
    """Slows down to zero speed and stays there; may go on by itself, unless a stop is latched."""
    STOPPED = "stopped"
    """At rest with a latched reason; nothing is sent."""
    ESTOP = "estop"
    """The controller has stopped the robot; nothing is sent."""


class Event(Enum):
    """What changes a state."""

    ARM = "arm"
    """A person asks for it, and the measured pose is inside of the fences."""
    START = "start"
    """The policy is to move the robot."""
    BLENDED = "blended"
    """The policy has all of its authority."""
    FAULT = "fault"
    """Something that may pass: a stale frame, a late answer."""
    CLEAR = "clear"
    """Everything has been well for the dwell time, at zero speed."""
    STOP = "stop"
    """Something that does not pass by itself, or a hold that lasted too long."""
    AT_REST = "at_rest"
    """Zero speed after a stop."""
    CONTROLLER_STOP = "controller_stop"
    """The controller reports an emergency, safeguard or protective stop, or has left its mode."""
    FINISH = "finish"
    """The work is done."""
    DISARM = "disarm"
    """A person or the program ends it, at rest."""
    RESET = "reset"
    """A person has seen the reason; the controller reports no stop."""


_MOVING = (State.BLENDING, State.RUNNING)
_SENDING = (State.ARMED, *_MOVING, State.HOLD)

TRANSITIONS: dict[tuple[State, Event], State] = {
    (State.DISARMED, Event.ARM): State.ARMED,
    (State.ARMED, Event.START): State.BLENDING,
    (State.BLENDING, Event.BLENDED): State.RUNNING,
    **{(state, Event.FAULT): State.HOLD for state in (*_MOVING, State.HOLD)},
    (State.HOLD, Event.CLEAR): State.BLENDING,
    **{(state, Event.STOP): State.HOLD for state in _SENDING},
    (State.HOLD, Event.AT_REST): State.STOPPED,
    **{(state, Event.FINISH): State.ARMED for state in _MOVING},
    **{(state, Event.CONTROLLER_STOP): State.ESTOP for state in (*_SENDING, State.STOPPED, State.ESTOP)},
    **{(state, Event.DISARM): State.DISARMED for state in (State.ARMED, State.HOLD)},
    **{(state, Event.RESET): State.DISARMED for state in (State.STOPPED, State.ESTOP)},
}
"""Every pair of state and event that is not here is refused, or changes nothing: see `Rights.take`."""

IGNORED = {
    *((state, Event.FAULT) for state in (State.DISARMED, State.ARMED, State.STOPPED, State.ESTOP)),
    *((state, Event.STOP) for state in (State.DISARMED, State.STOPPED, State.ESTOP)),
    (State.DISARMED, Event.CONTROLLER_STOP),
}
"""Faults and stops may come at any time; where nothing moves, or a stop is latched, nothing changes."""


class NotAllowedError(ValueError):
    """An event that has no place in the present state, such as arming a stopped robot."""


class Rights:
    """The present state, and why it stopped."""

    def __init__(self) -> None:
        self.state = State.DISARMED
        self.reason: str | None = None
        """Of the latched stop; None while there is none."""

    @property
    def moves(self) -> bool:
        """Whether the policy moves the robot now."""
        return self.state in _MOVING

    @property
    def sends(self) -> bool:
        """Whether setpoints are sent now."""
        return self.state in _SENDING

    def take(self, event: Event, reason: str = "") -> bool:
        """Change the state; returns whether it changed or a reason was latched.

        Raises NotAllowedError, and changes nothing, for an event that has no place here.
        """
        pair = self.state, event
        if pair in IGNORED:
            return False
        if pair not in TRANSITIONS:
            raise NotAllowedError(f"{event.value} is not possible while {self.state.value}{self._why()}")
        if self.reason is not None and event in (Event.CLEAR, Event.DISARM):
            raise NotAllowedError(f"{event.value} is not possible{self._why()}")
        if event is Event.AT_REST and self.reason is None:
            raise NotAllowedError("a hold without a latched reason does not become a stop")
        before = self.state, self.reason
        if event in (Event.STOP, Event.CONTROLLER_STOP) and self.reason is None:
            self.reason = reason
        if event is Event.RESET:
            self.reason = None
        self.state = TRANSITIONS[pair]
        return (self.state, self.reason) != before

    def _why(self) -> str:
        return f", stopped by: {self.reason}" if self.reason else ""
