"""Injects faults into a moving session; measures when they are noticed and when zero speed is commanded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import Mode, RobotState, Status
from cellwright_runtime.envelope.envelope import Happening
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.poses import TurnsFrom
from cellwright_runtime.envelope.states import State
from cellwright_runtime.runtime import DecisionError
from tools.envelope.workplace import CYCLE_S, SPEED_M_S, Faults, Workplace

Array = NDArray[np.float64]

LONGEST_S = 8.0
"""Until a hold that does not pass has become a stop."""
_FAST = 0.9
"""Fraction of the policy's full speed at which a fault is injected."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault, and where it has to end."""

    name: str
    words: str
    break_it: Callable[[Faults], None]
    ends: State = State.STOPPED
    repair_s: float | None = None
    """After this the fault is gone again; None for one that stays."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one fault."""

    name: str
    words: str
    found: str
    """Kind of fault that was noted first."""
    detection_s: float
    """From the fault to the note."""
    reaction_s: float
    """From the note to a commanded speed of zero; 0 where nothing more is sent."""
    first: str
    """State after the note."""
    last: str
    speed_m_s: float
    """Of the setpoints when it happened."""
    worst: float
    """Largest acceleration or jerk of the setpoints, as a fraction of the declared."""


def _set(**values: Any) -> Callable[[Faults], None]:
    def apply(faults: Faults) -> None:
        for name, value in values.items():
            setattr(faults, name, value)

    return apply


def _reports(**changes: Any) -> Callable[[Faults], None]:
    return _set(state=lambda state: replace(state, **changes))


def _with_wrench(force_n: float) -> Callable[[RobotState], RobotState]:
    return lambda state: replace(state, wrench=np.array([0.0, 0.0, force_n, 0.0, 0.0, 0.0]))


def _jumped(state: RobotState) -> RobotState:
    return replace(state, time_s=state.time_s + 3600.0)


def _standing_clock(state: RobotState) -> RobotState:
    return replace(state, time_s=0.5)


CASES = (
    Case(name="picture is NaN", words="a camera driver gives a picture of another type",
         break_it=_set(picture=lambda image: np.full(image.shape, np.nan))),
    Case(name="pose is NaN", words="a controller reports NaN for its tool",
         break_it=_reports(tool=np.full(6, np.nan))),
    Case(name="wrench is NaN", words="a force sensor reports NaN",
         break_it=_reports(wrench=np.full(6, np.nan))),
    Case(name="wrench beyond the trained range", words="a sensor reads 1 kN m about one axis",
         break_it=_reports(wrench=np.array([0.0, 0.0, 0.0, 1e3, 0.0, 0.0]))),
    Case(name="camera unplugged", words="no frame arrives any more", break_it=_set(unplugged=True)),
    Case(name="camera unplugged for 0.3 s", words="frames are missing for a while",
         break_it=_set(unplugged=True), repair_s=0.3, ends=State.RUNNING),
    Case(name="camera frozen", words="new frames repeat the last picture", break_it=_set(frozen=True)),
    Case(name="camera blank", words="a cap is on the lens",
         break_it=_set(picture=lambda image: np.full_like(image, 3))),
    Case(name="picture of another shape", words="a camera was set to another size",
         break_it=_set(picture=lambda image: image[:, ::2, ::2])),
    Case(name="inference late", words="a decision takes 120 ms", break_it=_set(late_s=0.12)),
    Case(name="inference late once", words="one decision takes 120 ms", break_it=_set(late_s=0.12),
         repair_s=0.06, ends=State.RUNNING),
    Case(name="inference never", words="the policy hangs", break_it=_set(late_s=1e9)),
    Case(name="policy answers NaN", words="the graph gives NaN",
         break_it=_set(raises=DecisionError("policy.onnx answers x with nan"))),
    Case(name="policy asks for far too much", words="the network answers 50 before clipping",
         break_it=_set(preclip=50.0)),
    Case(name="emergency stop", words="the controller's bit", break_it=_reports(status=Status.EMERGENCY_STOP),
         ends=State.ESTOP),
    Case(name="protective stop", words="the controller's bit",
         break_it=_reports(status=Status.PROTECTIVE_STOP), ends=State.ESTOP),
    Case(name="safeguard stop", words="a gate is open", break_it=_reports(status=Status.SAFEGUARD_STOP),
         ends=State.ESTOP),
    Case(name="controller's program ended", words="it takes no more setpoints",
         break_it=_reports(status=Status.NOT_IN_CONTROL), ends=State.ESTOP),
    Case(name="force", words="the part hits something: 60 N", break_it=_set(state=_with_wrench(60.0))),
    Case(name="force sensor gone", words="a controller reports no wrench any more",
         break_it=_reports(wrench=None)),
    Case(name="controller silent", words="no state arrives", break_it=_set(silent=True)),
    Case(name="connection lost", words="the driver says so", break_it=_set(lost=True)),
    Case(name="setpoints refused", words="the driver cannot send", break_it=_set(refuses=True)),
    Case(name="robot does not follow", words="it stands, and setpoints go on", break_it=_set(stuck=True)),
    Case(name="controller's clock jumps", words="by an hour", break_it=_set(state=_jumped)),
    Case(name="controller's clock stands", words="the same state comes again and again",
         break_it=_set(state=_standing_clock)),
    Case(name="this computer stalls", words="0.4 s between two cycles", break_it=_set(stall_s=0.4)),
    Case(name="joints outside of the fences", words="a controller reports a joint at 7 rad",
         break_it=_reports(joints_rad=np.full(6, 7.0))),
)  # fmt: skip


def inject(case: Case, mode: Mode = Mode.TOOL_POSE, limits: Limits | None = None) -> Outcome:
    """Run a session to full speed, break it, and see how it ends."""
    place = Workplace(mode, limits)
    session = place.session
    session.connect()
    session.arm()
    session.start()
    place.run(0.7)
    while not (abs(place.speed_m_s()) > _FAST * SPEED_M_S and place.envelope.state is State.RUNNING):
        place.run(CYCLE_S)
    place.run(0.1)
    speed_m_s, broken_s = abs(place.speed_m_s()), place.now_s
    noted, sent = len(place.envelope.happenings), len(place.sent)
    case.break_it(place.faults)
    found: Happening | None = None
    rest_s = first = None
    while place.now_s < broken_s + LONGEST_S and not session.over:
        place.run(CYCLE_S)
        if found is None and len(place.envelope.happenings) > noted:
            found = next((each for each in place.envelope.happenings[noted:] if each.fault), None)
            first = session.state
        if (
            found is not None
            and rest_s is None
            and (place.envelope.at_rest or not place.envelope.rights.sends)
        ):
            rest_s = place.now_s
        if case.repair_s is not None and place.now_s > broken_s + case.repair_s:
            place.faults = Faults()
    if found is None or found.fault is None or rest_s is None or first is None:
        raise RuntimeError(f"{case.name}: nothing was noticed, or the motion never ended")
    return Outcome(
        name=case.name,
        words=case.words,
        found=found.fault.name.lower(),
        detection_s=round(found.time_s - broken_s, 4),
        reaction_s=round(rest_s - found.time_s, 4),
        first=first.value,
        last=session.state.value,
        speed_m_s=round(speed_m_s, 4),
        worst=round(_worst(place, sent), 6),
    )


def _worst(place: Workplace, sent: int) -> float:
    """Of the setpoints around and after the fault: largest fraction of declared acceleration and jerk."""
    if place.driver.mode is Mode.TOOL_POSE:
        turns, axes = TurnsFrom(place.sent[0].tolist()), place.limits.tool
        points = np.array([turns.coordinates(each.tolist()) for each in place.sent[sent - 5 :]])
    else:
        axes, points = place.limits.joints, np.array(place.sent[sent - 5 :])
    acceleration = np.diff(points, n=2, axis=0) / CYCLE_S**2
    jerk = np.diff(points, n=3, axis=0) / CYCLE_S**3
    fractions = (np.abs(acceleration) / axes.acceleration).max(), (np.abs(jerk) / axes.jerk).max()
    return float(max(fractions))


def all_outcomes(mode: Mode = Mode.TOOL_POSE) -> list[Outcome]:
    """Of every fault."""
    return [inject(case, mode) for case in CASES]
