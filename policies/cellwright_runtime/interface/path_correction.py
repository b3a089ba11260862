"""Connects a weld's policy with the robot: fills the observation, follows the seam, corrects the process.

The environment calls it at every step, and so does a robot program, which has only to say where the torch is,
to hand on frames and weld signals, and to carry commands out. It takes all of its numbers from a `Layout`,
the environment's or that of a bundle's manifest, and from the taught seam.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_perception.seam.line_profile import check_profile
from cellwright_perception.seam.line_tracker import PROFILE_POINTS, LineTracker
from cellwright_perception.seam.look_ahead import LookAhead
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import SeamFrames, TorchPlace
from cellwright_runtime.bundle.cameras import seam_sensor
from cellwright_runtime.interface.arrays import decision, numbers
from cellwright_runtime.interface.averages import WeldAverages
from cellwright_runtime.interface.groups import BoundedGroups
from cellwright_runtime.interface.history import History, read_lags
from cellwright_runtime.interface.kept import KeptElements, commands
from cellwright_runtime.interface.seam_following import SeamFollower
from cellwright_runtime.vocabulary import Component, Layout

Array = NDArray[np.float64]

COMMANDS = ("lateral_offset", "height_offset", "travel_speed_trim", "wire_feed_trim", "voltage_trim")
"""Commands of a weld's actions, in order; the offsets are from the measured seam, which the controller
follows."""
GUARD_CONFIDENCE = 0.6
"""The guard acts from this confidence of the seam sensor on."""
_CORRECTIONS = 2
_MOTION = _CORRECTIONS + WeldAverages.TRIMS + len(COMMANDS)
"""Elements of the group `motion` at one time: corrections beside the path, trims, and the last action."""
_PLACES = ("seam_done", "curvature", "arc_on")
"""Components at the end of the programme, which follow the torch along the seam."""


@dataclass(frozen=True, kw_only=True)
class Programme:
    """The welding procedure of one seam, as on the drawing."""

    joint: str
    """`lap`, `t_fillet` or `butt`."""
    thickness_m: float
    wire_feed_m_s: float
    voltage_v: float
    travel_speed_m_s: float
    contact_tip_distance_m: float
    """Contact-tip-to-work distance (CTWD)."""
    gap_m: float
    work_angle_rad: float = 0.0
    """Torch about the travel direction, from the joint's bisector; + points the arc to the left."""
    push_angle_rad: float = 0.0
    """Torch about the lateral axis, + for push."""

    def components(self) -> dict[str, float]:
        """Values by name that a group `programme` may have, but for the joint and where the torch is."""
        return {
            "thickness": self.thickness_m,
            "nominal_wire_feed": self.wire_feed_m_s,
            "nominal_voltage": self.voltage_v,
            "nominal_travel_speed": self.travel_speed_m_s,
            "nominal_contact_tip_distance": self.contact_tip_distance_m,
            "nominal_gap": self.gap_m,
            "work_angle": self.work_angle_rad,
            "push_angle": self.push_angle_rad,
        }


class TaughtSeam:
    """A seam as it was taught: its programme, its path, and where the seam sensor looks along it."""

    def __init__(
        self,
        programme: Programme,
        frames: SeamFrames,
        torch_rotations_w: Array,
        geometry: SeamSensorGeometry,
    ) -> None:
        """`torch_rotations_w` (N, 3, 3) are the torch's at the samples of `frames`; columns are x forward in
        travel, y left, z up along the wire. This takes some milliseconds: make it once for each seam.
        """
        self.programme = programme
        self.frames = frames
        self.torch_rotations_w = torch_rotations_w
        self.look_ahead = LookAhead(frames, torch_rotations_w, geometry)


class SensorFrame(NamedTuple):
    """A frame of the seam sensor, as it arrives."""

    number: int
    """Counts up; one that has arrived before is not measured again."""
    image: NDArray[np.uint8]
    """(2, H, W): the overview and the window around the laser line."""
    torch: TorchPlace
    """Where the torch was when it was exposed."""
    window_px: tuple[float, float]
    """Shift (columns, rows) that the window had then, see `WeldInterface.window_px`."""
    profile: NDArray[np.float64]
    """(columns, 2): lateral and height [m] of the laser line in the tool frame, from the right to the left,
    NaN where nothing was measured."""


class WeldCommand(NamedTuple):
    """The command to the robot and its power source for the next control period."""

    lateral_m: float
    """Displacement from the taught path, + to the left of travel."""
    height_m: float
    """The same upwards, away from the work."""
    travel_speed_factor: float
    """Of what the programme prescribes; it holds from shortly before the seam on."""
    wire_feed_factor: float
    voltage_offset_v: float


class WeldInterface:
    """One seam after the other: `begin`, then once a period `observe`, `accept` and `correct`.

    Input of the wrong shape, or that is not finite, raises ValueError and changes nothing.
    """

    seam: TaughtSeam
    """The seam that is welded now."""
    tracker: LineTracker
    """Measures the seam between wire and laser."""
    last_action: Array
    """(5,) of the last `accept`; zeros before the first."""
    kept: KeptElements
    """The policy's own commands: its trims, now, before and on average, and the offsets that it asked for."""

    def __init__(self, layout: Layout, *, guard_m: float | None = None) -> None:
        """Read the settings; raises ValueError where one is missing or makes no sense.

        `guard_m` is how far from the measured seam a policy may take the torch, sideways and in height, while
        the sensor is confident; None leaves it free. A commanded path that is farther away is brought back at
        the full rate of the path correction.
        """
        if guard_m is not None and not 0.0 < guard_m < math.inf:
            raise ValueError(f"need {guard_m=} above 0, or None for no guard")
        self._guard_m = guard_m
        setup, period_s = layout.controller, layout.control_period_s
        if (named := tuple(each.name for each in layout.actions)) != COMMANDS:
            raise ValueError(f"a weld's actions are {', '.join(COMMANDS)}; got {', '.join(named)}")
        self._follower = SeamFollower(layout)
        self.geometry = seam_sensor(layout.controller, layout.image_size_px)
        self._period_s = period_s
        self._reach: list[float] = layout.reach.tolist()
        self._range_m = tuple(
            float(setup.read(name, "m", above=0.0)[0]) for name in ("lateral_range", "height_range")
        )
        self._slew = float(setup.read("trim_slew", "1/s", above=0.0)[0]) * period_s
        self._groups = BoundedGroups(layout.groups)
        self.tracker = _line_tracker(layout, self.geometry)
        self._signals = _history(layout, "signals")
        self._motion = _history(layout, "motion")
        self._averages = WeldAverages(layout, self._signals.width)
        self.kept = {
            name: commands(layout.groups[name], (at for at in range(len(layout.groups[name])) if held(at)))
            for name, held in (("motion", _is_command), ("averages", self._averages.is_trim))
        }
        self._sees_pool = setup.has("pool_across")
        self._described = layout.groups.get("programme", ())
        _require_size(layout.groups, "seam", 5 * PROFILE_POINTS + 1)
        self._begun = False

    def begin(self, seam: TaughtSeam, signals: ArrayLike) -> None:
        """Start on a seam, the torch on its taught path; `signals` (n,) are read with the arc off."""
        signals = numbers("signals", signals, self._signals.width)
        self._programme = _programme(self._described, seam.programme)
        self._signals.reset(signals)
        self.seam = seam
        self.tracker.load(seam.programme.joint, seam.frames, seam.look_ahead)
        self.tracker.reset()
        self._correction_m, self._trims = [0.0, 0.0], [0.0, 0.0, 0.0]
        self._seam_m: list[float] | None = None
        self._follower.reset()
        programme = seam.programme
        self._averages.reset(signals, voltage_v=programme.voltage_v, wire_feed_m_s=programme.wire_feed_m_s)
        self.last_action = np.zeros(len(COMMANDS))
        self._motion.reset(self._motion_now())
        self._measured = -1
        self._begun = True

    def window_px(self, path_position_m: float) -> tuple[float, float]:
        """Shift (columns, rows) of the sensor's window that keeps the taught seam in its middle."""
        self._require_begun()
        return self.tracker.window_px(path_position_m)

    def observe(
        self,
        torch: TorchPlace,
        frame: SensorFrame,
        signals: ArrayLike,
        *,
        pool: NDArray[np.uint8] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """The policy's observation: the torch is at `torch`, `frame` is the newest that has arrived.

        `signals` (n,) are means and deviations over the last control period, in the manifest's order. A frame
        that arrives twice is given twice. `pool` (H, W) is the newest picture of the pool camera, rectified
        as the settings `pool_across`, `pool_along` and `pool_arc` say, where the policy was trained with one.
        """
        self._require_begun()
        signals = numbers("signals", signals, self._signals.width)
        _check_place(torch)
        self._check_frame(frame)
        image = self._with_pool(frame.image, pool)
        self._signals.push(signals)
        self._measure(frame)
        self._motion.push(self._motion_now())
        frames, position_m = self.seam.frames, torch.path_position_m
        self._programme[-len(_PLACES) :] = (
            position_m / frames.length_m,
            frames.curvature_1_m[frames.index(position_m)],
            position_m >= 0.0,
        )
        seam = self.tracker.profile(*torch)
        self._follower.update(seam, torch, self.seam.programme.travel_speed_m_s)
        self._seam_m = None
        if seam[-1] >= GUARD_CONFIDENCE:
            self._seam_m = [float(seam[0]) + torch.lateral_m, float(seam[PROFILE_POINTS]) + torch.height_m]
        self._averages.push(signals, self._trims_now())
        values: dict[str, NDArray[Any]] = {
            "seam": seam,
            "signals": self._signals.sample(),
            "programme": self._programme,
            "motion": self._motion.sample(),
            "averages": self._averages.sample(),
            "tracking": self._follower.sample(),
        }
        return {"image": image, **self._groups.hold(values)}

    def accept(self, action: ArrayLike) -> list[float]:
        """Take note of what the policy has decided, (5,) within [-1, 1]; hand the answer to `correct`.

        In training, the latency of the robot acts between the two.
        """
        self._require_begun()
        self.last_action = decision(action, len(COMMANDS))
        asked: list[float] = self.last_action.tolist()
        for axis in range(2):
            asked[axis] = self._follower.rate(axis, asked[axis] * self._reach[axis])
        return asked

    def correct(self, asked: list[float]) -> WeldCommand:
        """Move path correction and trims on by one control period, within range and slew rate."""
        self._require_begun()
        for axis, limit_m in enumerate(self._range_m):
            step_m = asked[axis] * self._follower.rate_m_s * self._period_s
            if self._guard_m is not None:
                step_m = self._guarded(axis, step_m, self._guard_m)
            moved_m = self._correction_m[axis] + step_m
            self._correction_m[axis] = min(max(moved_m, -limit_m), limit_m)
        for trim in range(3):
            change = asked[2 + trim] - self._trims[trim]
            self._trims[trim] += min(max(change, -self._slew), self._slew)
        speed, wire, voltage_v = self._trims_now()
        lateral_m, height_m = self._correction_m
        return WeldCommand(lateral_m, height_m, 1.0 + speed, 1.0 + wire, voltage_v)

    def _guarded(self, axis: int, step_m: float, guard_m: float) -> float:
        """The step along lateral (0) or height (1) that stays at the seam, or goes back to it."""
        if self._seam_m is None:
            return step_m
        away_m = self._correction_m[axis] - self._seam_m[axis]
        most_m = self._follower.rate_m_s * self._period_s
        nearest_m = min(max(away_m + step_m, -guard_m), guard_m) - away_m
        return min(max(nearest_m, -most_m), most_m)

    def _check_frame(self, frame: SensorFrame) -> None:
        _check_place(frame.torch)
        size, image = self.geometry.image_size_px, frame.image
        if image.shape != (2, size, size) or image.dtype != np.uint8:
            raise ValueError(f"a frame is uint8 (2, {size}, {size}), got {image.dtype} {image.shape}")
        if not np.isfinite(frame.window_px).all():
            raise ValueError(f"window_px must be finite, got {frame.window_px}")
        check_profile(frame.profile, self.tracker.columns)

    def _with_pool(self, image: NDArray[np.uint8], pool: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
        if pool is None and not self._sees_pool:
            return image
        size = self.geometry.image_size_px
        if pool is None or not self._sees_pool:
            needs = "needs" if self._sees_pool else "has never seen"
            raise ValueError(f"this policy {needs} a picture of the pool")
        if pool.shape != (size, size) or pool.dtype != np.uint8:
            raise ValueError(
                f"a picture of the pool is uint8 ({size}, {size}), got {pool.dtype} {pool.shape}"
            )
        return np.concatenate([image, pool[np.newaxis]])

    def _measure(self, frame: SensorFrame) -> None:
        if frame.number <= self._measured:
            return
        # Measured again, one outlier would agree with itself and look like a joint that moved.
        self._measured = frame.number
        self.tracker.update(frame.profile, *frame.torch)

    def _trims_now(self) -> tuple[float, float, float]:
        speed, wire, voltage = (
            reach * trim for reach, trim in zip(self._reach[2:], self._trims, strict=True)
        )
        return speed, wire, voltage

    def _motion_now(self) -> Array:
        return np.array([*self._correction_m, *self._trims_now(), *self.last_action])

    def _require_begun(self) -> None:
        if not self._begun:
            raise ValueError("call begin where the torch is over the lead-in, before observe and correct")


def _is_command(index: int) -> bool:
    """Whether an element of the group `motion` is a trim, or a command of the last action.

    The corrections beside the path are not: they show how far the seam is off.
    """
    return index % _MOTION >= _CORRECTIONS


def _check_place(torch: TorchPlace) -> None:
    if not all(map(math.isfinite, torch)):
        raise ValueError(f"a torch's place must be finite, got {torch}")


def _line_tracker(layout: Layout, geometry: SeamSensorGeometry) -> LineTracker:
    """The tracker for profiles of as many columns as the setting `line_columns` says."""
    columns = float(layout.controller.read("line_columns", "1", above=0.0)[0])
    if columns != int(columns):
        raise ValueError(f"line_columns must be a whole number, got {columns:g}")
    return LineTracker(geometry, int(columns))


def _history(layout: Layout, group: str) -> History:
    """The group at the lags of the setting `<group>_lags`; raises ValueError where the two do not fit."""
    lags = read_lags(layout.controller, f"{group}_lags")
    size = len(layout.groups.get(group, ()))
    if not size or size % len(lags):
        raise ValueError(f"{group} is {size} numbers, which {len(lags)} lags do not share evenly")
    return History(size // len(lags), lags)


def _require_size(groups: Mapping[str, tuple[Component, ...]], name: str, size: int) -> None:
    if (found := len(groups.get(name, ()))) != size:
        raise ValueError(f"{name} must be {size} numbers, the layout has {found}")


def _programme(described: tuple[Component, ...], programme: Programme) -> Array:
    """The group by the names of its components; the torch's place at the end is still zero."""
    joints = [each.name for each in described if each.name.startswith("joint_is_")]
    if (joint := f"joint_is_{programme.joint}") not in joints:
        known = ", ".join(name.removeprefix("joint_is_") for name in joints)
        raise ValueError(f"the policy does not know the joint {programme.joint!r}; it knows: {known}")
    given = programme.components()
    values = {**dict.fromkeys(joints, 0.0), joint: 1.0, **given, **dict.fromkeys(_PLACES, 0.0)}
    if (named := [each.name for each in described]) != list(values):
        raise ValueError(f"a programme is {', '.join(values)}; the layout has {', '.join(named)}")
    return np.array(list(values.values()))
