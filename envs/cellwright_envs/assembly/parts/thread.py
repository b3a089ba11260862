"""A nut on a bolt, without a physics engine: where threads catch, how the nut advances, what torque it takes.

Rigid-body engines cannot compute contact between threads. So the thread is a screw joint with rules for its
two ends:

- Until it has caught, the nut stands on the bolt's first thread and rides over it. It catches where the
  starts of both threads meet while it turns right, pressed on and near enough to the axis. Leaning by more
  than a quarter pitch across its diameter it catches askew instead: it is cross-threaded and wedges as it
  turns on.
- Once it has caught, depth and turn are coupled by the pitch, within the play of the flanks. Turned left past
  the start it is free again.
- Torque follows from the load F on the flanks as in VDI 2230 part 1 (from memory): to tighten, F (P / 2 pi +
  mu d2 / (2 cos 30) + mu D / 2) with D the mean diameter of the bearing face, which counts once the nut is
  seated; to loosen, the same with the term of the lead negative. Seated, F is the clamp load, which grows
  with the joint's stiffness.

Angles count to the right, which tightens: the nut seen from above turns clockwise, about -z.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from math import atan2, cos, floor, hypot, inf, pi, radians
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

TURN_RAD = 2.0 * pi
FLANK_RAD = radians(30.0)
"""Half the angle between the flanks, ISO 68-1."""
CATCH_N = 0.5
"""Least push under which threads catch (assumption)."""
WEDGE_N_M_RAD = 1.2
"""Rise of the torque while a cross-threaded nut is turned further (assumption)."""
SOCKET_N_M_RAD = 40.0
"""Stiffness of the drive shaft between motor and nut (assumption)."""
SPIN_UP_REV_S2 = 20.0
"""Rate at which the motor changes its speed (assumption)."""
AXIAL_PLAY_M = 0.05e-3
RADIAL_PLAY_M = 0.1e-3
"""Play of the flanks, half of it to each side, and of the diameters; the order of 6H/6g (assumption)."""
FLANK_N_M = 40e3
SIDE_N_M = 20e3
UPRIGHT_N_M_RAD = 60.0
"""Stiffnesses with which flanks hold the nut along, across and upright: as stiff as physics steps of 4 ms
take with the arm's virtual mass, far below steel. A push of 5 N goes 0.13 mm into the flanks."""
FLANK_N_S_M = 200.0
SIDE_N_S_M = 100.0
UPRIGHT_N_M_S_RAD = 0.3
_NOTHING = np.zeros(6)


@dataclass(frozen=True, kw_only=True)
class ThreadForm:
    """A metric thread, profile of ISO 68-1: flanks at 60 degrees."""

    diameter_m: float
    pitch_m: float

    @cached_property
    def lead_m_rad(self) -> float:
        """Advance per turned angle."""
        return self.pitch_m / TURN_RAD

    @cached_property
    def pitch_diameter_m(self) -> float:
        """d2 of ISO 724."""
        return self.diameter_m - 0.6495 * self.pitch_m

    @cached_property
    def minor_diameter_m(self) -> float:
        """D1 of ISO 724, the bore of the nut."""
        return self.diameter_m - 1.0825 * self.pitch_m

    @cached_property
    def lean_limit_rad(self) -> float:
        """Lean at which one side of the nut is lifted by a quarter pitch (assumption)."""
        return self.pitch_m / (4.0 * self.diameter_m)

    @cached_property
    def lateral_limit_m(self) -> float:
        """Half the overlap of the flanks, 0.54 P: further off, the starts do not meet (assumption)."""
        return 0.27 * self.pitch_m


@dataclass(frozen=True, kw_only=True)
class BoltedJoint:
    """One bolted joint in one episode; heights are below the bolt's end."""

    form: ThreadForm
    first_thread_m: float
    """Depth at which the thread begins."""
    run_m: float
    """Distance from there to the contact of nut and flange."""
    bearing_diameter_m: float
    """Mean diameter of the nut's bearing face."""
    stiffness_n_m: float
    """Clamp load per further advance of the seated nut."""
    friction: float
    prevailing_n_m: float
    """Torque to turn a caught nut without load: dirt, burrs."""
    start_rad: float
    """Turn, from where the nut is at the beginning, at which the threads' starts first meet."""

    def __post_init__(self) -> None:
        if min(self.first_thread_m, self.prevailing_n_m, self.friction) < 0.0 or self.run_m <= 0.0:
            raise ValueError(
                f"need run_m > 0 and no negative first_thread_m, prevailing_n_m, friction: {self}"
            )
        if not 0.0 <= self.start_rad < TURN_RAD:
            raise ValueError(f"need 0 <= start_rad < 2 pi, got {self.start_rad}")

    @cached_property
    def thread_arm_m(self) -> float:
        """Friction torque of the flanks per axial load."""
        return self.friction * self.form.pitch_diameter_m / (2.0 * cos(FLANK_RAD))

    @cached_property
    def bearing_arm_m(self) -> float:
        """Friction torque of the bearing face per clamp load."""
        return 0.5 * self.friction * self.bearing_diameter_m

    @cached_property
    def tightening_arm_m(self) -> float:
        """Torque per clamp load to tighten."""
        return self.thread_arm_m + self.bearing_arm_m + self.form.lead_m_rad

    @cached_property
    def loosening_arm_m(self) -> float:
        """Torque per clamp load to loosen; negative where the thread does not hold by itself."""
        return self.thread_arm_m + self.bearing_arm_m - self.form.lead_m_rad

    @cached_property
    def torque_rate_n_m_rad(self) -> float:
        """Rise of the seated nut's torque per turned angle."""
        return self.tightening_arm_m * self.stiffness_n_m * self.form.lead_m_rad


class Bite(IntEnum):
    """State of the threads: free, caught straight, or cross-threaded."""

    FREE = 0
    ENGAGED = 1
    CROSSED = 2


class Load(NamedTuple):
    """Load of the nut on the thread: force along the axis, positive for a push down; force across; moment
    that straightens the nut; lean, and distance from the axis."""

    push_n: float = 0.0
    side_n: float = 0.0
    moment_n_m: float = 0.0
    lean_rad: float = 0.0
    lateral_m: float = 0.0


NO_LOAD = Load()


class _Rising(NamedTuple):
    """Torque that resists: `base`, and from the angle `above` on rising by `rate`."""

    base_n_m: float
    rate_n_m_rad: float
    above_rad: float

    def at(self, angle_rad: float) -> float:
        return self.base_n_m + self.rate_n_m_rad * max(angle_rad - self.above_rad, 0.0)

    def reached_rad(self, torque_n_m: float) -> float:
        """Angle up to which `torque_n_m` overcomes it."""
        over_n_m = torque_n_m - self.base_n_m
        if over_n_m <= 0.0:
            return -inf
        return self.above_rad + over_n_m / self.rate_n_m_rad if self.rate_n_m_rad > 0.0 else inf


class Thread:
    """The nut as it turns on the bolt; it has no inertia of its own."""

    def __init__(self, joint: BoltedJoint) -> None:
        self.joint = joint
        self.bite = Bite.FREE
        self.nut_rad = 0.0
        """Turn of the nut since the beginning."""
        self.caught_rad = inf
        """Turn at which the threads caught."""
        self.was_crossed = False

    @property
    def height_m(self) -> float:
        """Height over the bolt's end at which the thread holds the nut's face."""
        return -self.joint.first_thread_m - self.joint.form.lead_m_rad * self.caught_turn_rad

    @property
    def caught_turn_rad(self) -> float:
        """Turn since the threads caught; 0 while they have not."""
        return 0.0 if self.bite is Bite.FREE else self.nut_rad - self.caught_rad

    @property
    def clamp_n(self) -> float:
        """Load between bolt and flange."""
        if self.bite is not Bite.ENGAGED:
            return 0.0
        beyond_m = self.joint.form.lead_m_rad * self.caught_turn_rad - self.joint.run_m
        return self.joint.stiffness_n_m * max(beyond_m, 0.0)

    @property
    def tightness_n_m(self) -> float:
        """Torque with which the nut is tightened: 0 until it meets the flange."""
        clamp_n = self.clamp_n
        return clamp_n * self.joint.tightening_arm_m + self.joint.prevailing_n_m if clamp_n > 0.0 else 0.0

    def left_to_turn_rad(self, torque_n_m: float) -> float:
        """Turn to go until the nut is tightened to `torque_n_m`, the next meeting of the starts included."""
        joint = self.joint
        seated_rad = max(torque_n_m - joint.prevailing_n_m, 0.0) / joint.torque_rate_n_m_rad
        whole_rad = joint.run_m / joint.form.lead_m_rad + seated_rad
        if self.bite is Bite.FREE:
            return whole_rad + (joint.start_rad - self.nut_rad) % TURN_RAD
        return whole_rad - self.caught_turn_rad

    def turn(self, socket_rad: float, load: Load = NO_LOAD, limit_n_m: float = inf) -> tuple[float, float]:
        """Let the socket pull the nut along, with no more torque than `limit_n_m`.

        Returns how far the socket gets, and the torque [N m] between it and the nut, positive to the right.
        Dry friction by return mapping: the shaft between them winds up until it overcomes the resistance,
        then the nut follows until both are equal.
        """
        right, left = self._resisting(load)
        wound_rad = limit_n_m / SOCKET_N_M_RAD
        socket_rad = min(socket_rad, max(self.nut_rad, right.reached_rad(limit_n_m)) + wound_rad)
        if left.at(self.nut_rad) > limit_n_m:
            socket_rad = max(socket_rad, self.nut_rad - wound_rad)
        torque = SOCKET_N_M_RAD * (socket_rad - self.nut_rad)
        if torque > right.at(self.nut_rad):
            self._turn_right(max(self.nut_rad, _yield_at(socket_rad, right, 1.0)), load)
        elif torque < -left.at(self.nut_rad):
            self.nut_rad = min(self.nut_rad, _yield_at(socket_rad, left, -1.0))
            if self.bite is not Bite.FREE and self.nut_rad < self.caught_rad:
                self.bite, self.caught_rad = Bite.FREE, inf
        return socket_rad, SOCKET_N_M_RAD * (socket_rad - self.nut_rad)

    def _resisting(self, load: Load) -> tuple[_Rising, _Rising]:
        """Resistance to turning right, and to turning left."""
        joint, form = self.joint, self.joint.form
        base = joint.thread_arm_m * abs(load.push_n)
        if self.bite is Bite.FREE:
            return _Rising(base, 0.0, inf), _Rising(base, 0.0, inf)
        across = 0.5 * form.pitch_diameter_m * load.side_n + load.moment_n_m
        base += joint.prevailing_n_m + joint.friction * across
        # A push down helps to turn right: it does work on the way down.
        helped = form.lead_m_rad * load.push_n
        if self.bite is Bite.CROSSED:
            return (
                _Rising(base - helped, WEDGE_N_M_RAD, self.caught_rad),
                _Rising(base + helped, 0.0, inf),
            )
        seat_rad = self.caught_rad + joint.run_m / form.lead_m_rad
        loosening = joint.loosening_arm_m * joint.stiffness_n_m * form.lead_m_rad
        return (
            _Rising(base - helped, joint.torque_rate_n_m_rad, seat_rad),
            _Rising(base + helped, loosening, seat_rad),
        )

    def _turn_right(self, nut_rad: float, load: Load) -> None:
        before_rad, self.nut_rad = self.nut_rad, nut_rad
        if self.bite is not Bite.FREE:
            return
        start_rad = self.joint.start_rad
        meeting_rad = start_rad + TURN_RAD * floor((nut_rad - start_rad) / TURN_RAD)
        form = self.joint.form
        pressed = load.push_n >= CATCH_N and load.lateral_m <= form.lateral_limit_m
        if meeting_rad <= before_rad or not pressed:
            return
        straight = load.lean_rad <= form.lean_limit_rad
        self.bite = Bite.ENGAGED if straight else Bite.CROSSED
        self.was_crossed |= not straight
        self.caught_rad = meeting_rad


def _yield_at(socket_rad: float, resisting: _Rising, sense: float) -> float:
    """Angle of the nut at which shaft and resistance are equal; `sense` is 1 to the right, -1 to the left."""
    stiffness, base, rate = SOCKET_N_M_RAD, resisting.base_n_m, resisting.rate_n_m_rad
    angle_rad = socket_rad - sense * base / stiffness
    if angle_rad <= resisting.above_rad:
        return angle_rad
    return (stiffness * socket_rad - sense * (base - rate * resisting.above_rad)) / (stiffness + sense * rate)


class NutRunner:
    """A nut-runner in the fingers with the nut in its socket; a `Resistance` with the load of the bolt.

    The part's frame is that of the housing, which does not turn along; what the socket's shaft carries turns
    the housing the other way.
    """

    def __init__(self, joint: BoltedJoint, *, torque_limit_n_m: float) -> None:
        self.thread = Thread(joint)
        self.command_rev_s = 0.0
        """Wanted speed, to the right."""
        self.speed_rev_s = 0.0
        self.spindle_rad = 0.0
        """Turn of the spindle in its housing."""
        self.torque_n_m = 0.0
        self.peak_torque_n_m = 0.0
        self.push_n = 0.0
        """Part of the arm's push that the thread carries, down."""
        self._limit_n_m = torque_limit_n_m
        self._before: tuple[float, float, float, float, float] | None = None

    def wrench_f(self, part_f: Array, dt: float) -> Array:
        """(6,) force [N] and torque [N m] on the housing about the middle of the nut's face."""
        (xx, xy, lean_x, x), (yx, yy, lean_y, y), (_, _, _, z) = part_f[:3].tolist()
        yaw_rad = atan2(yx - xy, xx + yy)
        thread = self.thread
        gap_m = z - thread.height_m
        if thread.bite is Bite.FREE and gap_m > 0.0:
            self._before, self.push_n = None, 0.0
            self._turn(yaw_rad, NO_LOAD, dt)
            return _NOTHING
        state = (gap_m, x, y, lean_x, lean_y)
        before = state if self._before is None else self._before
        rates = [(now - then) / dt for now, then in zip(state, before, strict=True)]
        self._before = state
        self.push_n = self._axial(gap_m, rates[0])
        lateral_m, lean_rad = hypot(x, y), hypot(lean_x, lean_y)
        force_x, force_y, torque_x, torque_y = self._guide(state, rates, lateral_m, lean_rad)
        load = Load(self.push_n, hypot(force_x, force_y), hypot(torque_x, torque_y), lean_rad, lateral_m)
        self._turn(yaw_rad, load, dt)
        return np.array([force_x, force_y, self.push_n, torque_x, torque_y, self.torque_n_m])

    def _axial(self, gap_m: float, rate_m_s: float) -> float:
        """Force of the flanks on the nut, up: they press, they do not stick."""
        play_m = 0.0 if self.thread.bite is Bite.FREE else AXIAL_PLAY_M
        if gap_m < -play_m:
            return max(-FLANK_N_M * (gap_m + play_m) - FLANK_N_S_M * rate_m_s, 0.0)
        if gap_m > play_m:
            return min(-FLANK_N_M * (gap_m - play_m) - FLANK_N_S_M * rate_m_s, 0.0)
        return 0.0

    def _guide(
        self, state: tuple[float, ...], rates: list[float], lateral_m: float, lean_rad: float
    ) -> tuple[float, float, float, float]:
        """Force along x and y and torque about them with which the thread centres and straightens the nut."""
        _, x, y, lean_x, lean_y = state
        _, rate_x, rate_y, lean_rate_x, lean_rate_y = rates
        force_x = force_y = torque_x = torque_y = 0.0
        if lateral_m > RADIAL_PLAY_M:
            centring = SIDE_N_M * (lateral_m - RADIAL_PLAY_M)
            if self.thread.bite is Bite.FREE:
                # The run-out of the bolt's thread is a cone of 45 degrees: the force across is as large as
                # that along.
                centring = min(centring, self.push_n)
            force_x = -centring * x / lateral_m - SIDE_N_S_M * rate_x
            force_y = -centring * y / lateral_m - SIDE_N_S_M * rate_y
        form = self.thread.joint.form
        play_rad = 2.0 * AXIAL_PLAY_M / form.pitch_diameter_m
        # Askew on the thread the nut keeps its lean.
        if self.thread.bite is Bite.ENGAGED and lean_rad > play_rad:
            straightening = UPRIGHT_N_M_RAD * (1.0 - play_rad / lean_rad)
            torque_x = straightening * lean_y + UPRIGHT_N_M_S_RAD * lean_rate_y
            torque_y = -straightening * lean_x - UPRIGHT_N_M_S_RAD * lean_rate_x
        return force_x, force_y, torque_x, torque_y

    def _turn(self, yaw_rad: float, load: Load, dt: float) -> None:
        """Run the motor towards its commanded speed, as far as its torque goes."""
        change = SPIN_UP_REV_S2 * dt
        self.speed_rev_s += min(max(self.command_rev_s - self.speed_rev_s, -change), change)
        asked_rad = self.spindle_rad + TURN_RAD * self.speed_rev_s * dt - yaw_rad
        socket_rad, self.torque_n_m = self.thread.turn(asked_rad, load, self._limit_n_m)
        if socket_rad != asked_rad:
            self.speed_rev_s = 0.0
        self.spindle_rad = socket_rad + yaw_rad
        self.peak_torque_n_m = max(self.peak_torque_n_m, abs(self.torque_n_m))
