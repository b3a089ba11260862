"""A weld at work: the seam sensor's frames and the source's meters in, a torch pose and two outputs out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import product
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import TorchPlace
from cellwright_runtime.drivers.driver import STOPS, DriverError, RobotState
from cellwright_runtime.drivers.power_source import PowerCommand, PowerSource
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.observation_guard import Finding
from cellwright_runtime.interface.path_correction import SensorFrame, TaughtSeam, WeldCommand, WeldInterface
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector
from cellwright_runtime.interface.torch_path import TorchPath, Welding, welding
from cellwright_runtime.operation.line import Line
from cellwright_runtime.operation.task import Camera, Observed
from cellwright_runtime.vocabulary import Layout

Array = NDArray[np.float64]

BENT_M = 1e-3
"""A bent wire may end so far behind the torch (assumption), and nobody measures it: the arc goes on so far
beyond the seam's end."""
EARLIER_M = 0.5e-3
"""It may also end ahead: the arc strikes so much earlier. In training it strikes by the wire's end, so that
no policy has seen an arc much further before the seam."""
ACCELERATION_M_S2 = 0.125
"""Of the way along the path (assumption): a torch that starts at once has to catch up, faster than it may."""
BEGINS_ALONG_M, BEGINS_ACROSS_M, BEGINS_TURNED_RAD = 5e-3, 3e-3, math.radians(10.0)
"""A weld begins so near to the start of its lead-in (assumption). A robot repeats a taught place within
0.1 mm, and fixtures that place a part worse are the seam sensor's to correct, from there on; a torch farther
away was left somewhere else. 10 mm before the seam nothing burns yet, whatever these add up to."""
ARC_OFF_M = 5e-3
"""Across the path, between the torch and where it was sent: farther away no arc burns (assumption). A robot
that answers after 0.18 s is 2.5 mm behind corrections of 10 mm/s in both directions."""
LONGEST_STRIKE_S = 1.0
"""An arc that does not burn after this will not (assumption)."""


class Exposed(NamedTuple):
    """A frame of the seam sensor, and when it was exposed on the session's clock."""

    frame: SensorFrame
    exposed_s: float


class SeamCamera(Protocol):
    """The seam sensor."""

    def newest(self) -> Exposed | None:
        """The newest frame that has arrived; None before the first."""

    def expose(self, window_px: tuple[float, float]) -> None:
        """Read the next frame with its window around the laser line shifted by (columns, rows)."""


class WeldTask:
    """A `Task`: one seam, from over the lead-in to its end."""

    def __init__(
        self,
        layout: Layout,
        seam_of: Callable[[SeamSensorGeometry], TaughtSeam],
        camera: SeamCamera,
        power: PowerSource,
        *,
        cycle_s: float,
        pool: Camera | None = None,
        approach_m_s: float | None = None,
        interface: WeldInterface | None = None,
    ) -> None:
        """`seam_of` makes the taught seam, in the base frame, for the geometry of the policy's sensor.

        As long as the envelope blends the policy in, the torch stands and no arc strikes: it would not be
        where the policy wants it, and its speed would be one that nobody has asked for.

        `approach_m_s` is the speed over the lead-in where that of the manifest is too fast for a robot.

        `pool` gives pictures (1, H, W) of the pool, rectified as the manifest says. Raises ValueError where
        the policy needs it and it is missing, or the other way round.
        """
        if layout.controller.has("pool_across") != (pool is not None):
            needs = "needs" if pool is None else "has never seen what is shown by"
            raise ValueError(f"this policy {needs} a pool camera")
        self.control_period_s = layout.control_period_s
        self.interface = interface or WeldInterface(layout)
        self.power = power
        self._seam = seam_of(self.interface.geometry)
        self._approach_m_s = approach_m_s or float(
            layout.controller.read("approach_speed", "m/s", above=0.0)[0]
        )
        self._approach_m = float(layout.controller.read("approach", "m", above=0.0)[0])
        self._camera, self._pool, self._cycle_s = camera, pool, cycle_s
        self._path = TorchPath(self._seam.frames, self._seam.torch_rotations_w)
        self._signals = len(layout.groups["signals"]) // len(layout.controller["signals_lags"])

    def begin(self, state: RobotState, now_s: float) -> None:
        """Raises ValueError, one line, for a torch that is not over the start of the lead-in.

        Welding goes by where the torch is along the path: anywhere else it would strike its arc at once.
        """
        start = np.array([-self._approach_m, 0.0, 0.0])
        if away := self._away(state.tool, start):
            raise ValueError(
                f"a weld begins over its lead-in, {1e3 * self._approach_m:.0f} mm before the first point of "
                f"the seam, but the torch is {away} from there; move it there, also after a stop: what is "
                "left of a seam is welded as a [seam] of its own"
            )
        self._power_state = self.power.connect()
        self.interface.begin(self._seam, self._meters())
        self._place = self._seam.frames.place(state.tool[:3], -self._approach_m)
        self._line = Line(start, self.control_period_s)
        self._travel_m_s = 0.0
        self._welding: Welding | None = None
        self._problem: Finding | None = None
        self._asked_s: float | None = None
        self._burnt = self._out = False

    def sense(self, state: RobotState, now_s: float) -> None:
        self._place = self._seam.frames.place(state.tool[:3], self._place.path_position_m)
        try:
            self._power_state = self.power.read()
        except DriverError as gone:
            self._problem = Finding(Fault.POWER_SOURCE, str(gone))
        else:
            self._problem = self._arc_problem(now_s)
        # At once: a robot that stands already is stopped in this very cycle, and then nobody asks for a rest.
        self._out = self._problem is not None or bool(state.status & STOPS)
        if self._out:
            self._stop_source()

    def resume(self, tool: Array, now_s: float) -> None:
        """The line goes on from where `rest` has left it; a torch that is elsewhere is a problem."""
        if away := self._away(tool, self._line.at(now_s)):
            self._problem = Finding(Fault.TRACKING, f"the torch is {away} from where its weld goes on")

    def problem(self) -> Finding | None:
        return self._problem

    def observe(self, state: RobotState, now_s: float) -> Observed:
        self._camera.expose(self.interface.window_px(self._place.path_position_m))
        exposed = self._camera.newest()
        if exposed is None:
            raise ValueError("the seam sensor has sent no frame yet")
        ages_s = {"seam sensor": now_s - exposed.exposed_s, "robot": state.age_s}
        picture = None
        if self._pool is not None:
            picture = self._pool.newest()
            if picture is None:
                raise ValueError("the pool camera has sent no picture yet")
            ages_s["pool camera"] = now_s - picture.exposed_s
        observation = self.interface.observe(
            self._place,
            exposed.frame,
            self._meters(),
            pool=None if picture is None else picture.image[0],
        )
        return Observed(observation, ages_s)

    def act(self, action: NDArray[Any], state: RobotState, now_s: float, *, authority: float) -> None:
        if authority < 1.0:
            return
        command = self.interface.correct(self.interface.accept(action))
        along_m = float(self._line.end[0])
        # A robot answers late. It slows down where it is sent slowly, and the arc burns where the torch is.
        travel_m_s = self._programmed(command, along_m).travel_speed_m_s
        done = self._welding = self._programmed(command, self._place.path_position_m)
        # A torch that travels on before its arc burns leaves a gap.
        waits = done.arc_on and not (self._asked_s is None or self._power_state.arc_established)
        most_m_s = ACCELERATION_M_S2 * self.control_period_s
        faster_m_s = (0.0 if waits else travel_m_s) - self._travel_m_s
        self._travel_m_s += min(max(faster_m_s, -most_m_s), most_m_s)
        along_m += self._travel_m_s * self.control_period_s
        self._line.to(np.array([along_m, command.lateral_m, command.height_m]), now_s)

    def _programmed(self, command: WeldCommand, path_position_m: float) -> Welding:
        programme = self._seam.programme
        return welding(
            command,
            path_position_m + EARLIER_M,
            wire_feed_m_s=programme.wire_feed_m_s,
            voltage_v=programme.voltage_v,
            travel_speed_m_s=programme.travel_speed_m_s,
            approach_speed_m_s=self._approach_m_s,
        )

    def target(self, state: RobotState, now_s: float) -> Array:
        self._put_out(now_s)
        point, rotation = self._path.pose(*self._line.at(now_s + self._cycle_s).tolist())
        rows: Any = rotation.tolist()
        return np.array([*point, *rotation_vector(rows)])

    def verdict(self) -> str:
        """A torch that lies beyond the end has welded the seam only where it was sent there along it."""
        length_m = self._seam.frames.length_m
        sent = self._line.end[0] >= length_m
        return "seam done" if sent and self._place.path_position_m >= length_m + BENT_M else ""

    def rest(self, now_s: float) -> None:
        """Nothing travels, and nothing burns."""
        self._line = Line(self._line.at(now_s), self.control_period_s)
        self._travel_m_s = 0.0
        self._asked_s, self._burnt, self._welding = None, False, None
        self._stop_source()

    def _stop_source(self) -> None:
        try:
            self.power.stop()
        except DriverError as gone:
            self._problem = self._problem or Finding(Fault.POWER_SOURCE, str(gone))

    def _put_out(self, now_s: float) -> None:
        done, wiring = self._welding, self.power.wiring
        if done is None or self._out:
            return
        if done.arc_on and (off_m := self._off_m(now_s)) > ARC_OFF_M:
            told = f"the torch is {1e3 * off_m:.0f} mm beside where it was sent, and no arc burns there"
            self._problem = self._problem or Finding(Fault.TRACKING, told)
            self._out = True
            self._stop_source()
            return
        if done.arc_on and self._asked_s is None:
            self._asked_s = now_s
        try:
            self.power.send(
                PowerCommand(
                    wire_feed_v=wiring.wire_feed.volts(done.wire_feed_m_s) if done.arc_on else 0.0,
                    voltage_v=wiring.voltage.volts(done.voltage_v) if done.arc_on else 0.0,
                    arc_on=done.arc_on,
                )
            )
        except (DriverError, ValueError) as refused:
            self._problem = self._problem or Finding(Fault.POWER_SOURCE, str(refused))

    def _off_m(self, now_s: float) -> float:
        """Distance across the path between the torch and where it was sent."""
        _, lateral_m, height_m = self._line.at(now_s).tolist()
        return math.hypot(self._place.lateral_m - lateral_m, self._place.height_m - height_m)

    def _away(self, tool: Array, wanted: Array) -> str:
        """How far a torch (6,) is from `wanted` (3,), its place along the path [m]; empty where near."""
        along_m, lateral_m, height_m = wanted.tolist()
        place = self._seam.frames.place(tool[:3], along_m)
        by = TorchPlace(
            place.path_position_m - along_m, place.lateral_m - lateral_m, place.height_m - height_m
        )
        _, rotation = self._path.pose(along_m, lateral_m, height_m)
        turn: Any = product(rotation.T, np.array(rotation_rows(*tool[3:].tolist()))).tolist()
        turned_rad = math.hypot(*rotation_vector(turn))
        across_m = math.hypot(by.lateral_m, by.height_m)
        # Of numbers that are not finite nothing is near.
        near = abs(by.path_position_m) <= BEGINS_ALONG_M and across_m <= BEGINS_ACROSS_M
        if near and turned_rad <= BEGINS_TURNED_RAD:
            return ""
        return (
            f"{1e3 * by.path_position_m:.0f} mm along, {1e3 * by.lateral_m:.0f} mm to the left, "
            f"{1e3 * by.height_m:.0f} mm above and {math.degrees(turned_rad):.0f} degrees"
        )

    def _arc_problem(self, now_s: float) -> Finding | None:
        if not self._power_state.ready:
            return Finding(Fault.POWER_SOURCE, "the power source reports a fault")
        if self._asked_s is None:
            return None
        if self._power_state.arc_established:
            self._burnt = True
        elif self._burnt:
            return Finding(Fault.POWER_SOURCE, "the arc went out")
        elif now_s - self._asked_s > LONGEST_STRIKE_S:
            return Finding(Fault.POWER_SOURCE, f"no arc after {1e3 * (now_s - self._asked_s):.0f} ms")
        return None

    def _meters(self) -> Array:
        signals = self._power_state.signals
        if len(signals) != self._signals:
            raise ValueError(
                f"the power source gives {len(signals)} signals, the policy observes {self._signals}"
            )
        return np.array(signals)
