"""Connects an insertion's policy with a compliant controller: fills the observation, moves the reference.

The environments call it at every step, and so does a robot program, which has only to read poses, wrench and
frames, and to send the reference on. It takes all of its numbers from a `Layout`, the environment's or that
of a bundle's manifest.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import length, turned
from cellwright_runtime.interface.arrays import decision, numbers
from cellwright_runtime.interface.force_loop import LEASH_RETURN, approach_speed, require_fast_enough
from cellwright_runtime.interface.groups import BoundedGroups
from cellwright_runtime.interface.history import History, read_lags
from cellwright_runtime.interface.kept import Kept, KeptElements, commands
from cellwright_runtime.interface.rotation import rotation_rows
from cellwright_runtime.vocabulary import ControllerSetup, Layout

Array = NDArray[np.float64]

MOTION = 6
"""Commands that move and turn the reference; those behind them belong to the tool."""
SHARED = ("image", "pose", "wrench", "leash", "last_action", "history", "limit")
"""Groups of every insertion."""


class InsertionInterface:
    """One insertion after the other: `begin`, then once a period `observe`, `command` and `move`.

    Poses (6,) are a position [m] and a rotation vector [rad] of the tool. The tool's origin is in the middle
    of the tip of a part that is held as taught, z along the part and up, the fingers closing along y; the
    nominal fixture's is in the middle of the mouth, z up. Input of the wrong shape, or that is not finite,
    raises ValueError and changes nothing.
    """

    reference: Array
    """Where the controller is to take the tool (6,)."""
    last_action: Array
    """(actions,) of the last `command`; zeros before the first."""
    kept: KeptElements
    """The lead of the reference, which a tool that is held uses up, and the policy's own commands."""

    def __init__(
        self, layout: Layout, *, origin: ArrayLike = (0.0, 0.0, 0.0), lag_s: float | None = None
    ) -> None:
        """Read the settings; raises ValueError where one is missing or makes no sense.

        `origin` (3,) [m] is the nominal fixture's in the frame that poses are given in, whose axes are
        parallel to the fixture's: zero where poses are in the nominal fixture's frame. `lag_s` is that of the
        driver, from a force to the motion that answers it; one for which the gains of the force loop are not
        stable is refused with SlowDriverError.
        """
        if lag_s is not None:
            require_fast_enough(layout.controller, lag_s)
        self._approach_m_s, self._period_s = approach_speed(layout.controller), layout.control_period_s
        self._largest_m: float | None = None
        self._origin = np.array([*origin, 0.0, 0.0, 0.0], dtype=np.float64)  # type: ignore[misc]
        self._low, self._high = (self._origin + end for end in _box(layout.controller))
        self._leash_m = float(layout.controller.read("leash", "m", above=0.0)[0])
        self._leash_rad = float(layout.controller.read("turning_leash", "rad", above=0.0)[0])
        self._low_pass = float(layout.controller.read("wrench_low_pass", "1", above=0.0)[0])
        if self._low_pass > 1.0:
            raise ValueError(f"wrench_low_pass must be within 0..1, got {self._low_pass}")
        self._reach = layout.reach
        self._groups = BoundedGroups(layout.groups)
        self._past = _history(layout)
        self.kept = _kept(layout, self._leash_m, self._leash_rad)
        self._begun = False

    def begin(self, tool: ArrayLike, wrench: ArrayLike, *, reference: ArrayLike | None = None) -> None:
        """Start where the approach has ended: `tool` (6,), the part hanging free; `wrench` is the tare.

        A wrench (6,) [N] and [N m] is what the sensor reads in the tool's frame about its origin, positive as
        it acts on the part, as a mean over the last control period. `reference` (6,) is where the controller
        holds the tool; the tool's own pose where it is not given. A tool outside of the reference's box, as
        in another frame or with z down, is refused.
        """
        tool, wrench = _six("tool", tool), _six("wrench", wrench)
        reference = tool.copy() if reference is None else _six("reference", reference)
        if not ((self._low <= tool) & (tool <= self._high)).all():
            raise ValueError(
                f"the approach ended at {np.round(tool, 4).tolist()}, outside of the box "
                f"{self._low.tolist()} to {self._high.tolist()}; "
                "poses are in a frame parallel to the nominal fixture's, z up"
            )
        self.reference, self._tare = reference, wrench
        self._wrench, self.last_action = np.zeros(MOTION), np.zeros(len(self._reach))
        self._past.reset(self._moment(tool))
        self._begun, self._largest_m = True, None  # the next part may bear less

    def lead_from(self, reference: ArrayLike) -> None:
        """Go on from a reference (6,) that is where the robot was held meanwhile; its box holds."""
        self._require_begun()
        self.reference = np.minimum(np.maximum(_six("reference", reference), self._low), self._high)

    def observe(
        self,
        tool: ArrayLike,
        wrench: ArrayLike,
        frames: NDArray[np.uint8],
        *,
        force_limit_n: float,
        own: Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """The policy's observation, for frames (2, H, W) of the camera on the hand and of the fixed one.

        `force_limit_n` is the force above which the part counts as broken. `own` has the groups that one task
        alone observes, such as a nut's `spindle`.
        """
        self._require_begun()
        tool, wrench = _six("tool", tool), _six("wrench", wrench)
        groups = {name: np.asarray(values, dtype=np.float64) for name, values in (own or {}).items()}
        if clash := [name for name in groups if name in SHARED]:
            raise ValueError(f"own holds {clash[0]!r}, which every insertion has")
        if not 0.0 < force_limit_n < math.inf:
            raise ValueError(f"force_limit_n must be positive, got {force_limit_n}")
        self._largest_m = self._period_s * self._approach_m_s(force_limit_n)
        self._wrench = self._wrench + self._low_pass * (wrench - self._tare - self._wrench)
        self._past.push(self._moment(tool))
        values: dict[str, NDArray[Any]] = {
            "pose": tool - self._origin,
            "wrench": self._wrench,
            "leash": self.reference - tool,
            "last_action": self.last_action,
            "history": self._past.sample(),
            "limit": np.array([force_limit_n]),
            **groups,
        }
        return {"image": frames, **self._groups.hold(values)}

    def command(self, action: ArrayLike) -> Array:
        """Commands (actions,) of an `action` within [-1, 1]: six for `move`, then the tool's own."""
        self._require_begun()
        self.last_action = decision(action, len(self._reach))
        return self.last_action * self._reach

    def move(self, tool: ArrayLike, commands: ArrayLike) -> Array:
        """The reference (6,) to send, for a tool that is at `tool` (6,) now.

        The first six `commands` move and turn the reference along and about its own axes, within its box and
        no further ahead of the tool than the leash, and no faster than the part's force limit allows: see
        `force_loop.approach_speed_m_s`. The others are the caller's.
        """
        self._require_begun()
        if self._largest_m is None:
            raise ValueError("call observe before move: it says how fast the part may be approached")
        tool, motion = _six("tool", tool), _six("motion", np.asarray(commands)[:MOTION])
        distance_m = float(length(motion[:3]))
        if distance_m > self._largest_m:
            motion[:3] *= self._largest_m / distance_m
        moved = self.reference + _turned_out(self.reference[3:], motion)
        self.reference = self._leashed(np.minimum(np.maximum(moved, self._low), self._high), tool)
        return self.reference.copy()

    def _leashed(self, reference: Array, tool: Array) -> Array:
        """The reference, led back where it is further ahead of the tool than the leash.

        By `LEASH_RETURN` of what is beyond.
        """
        lead = reference - tool
        for span, leash in ((slice(0, 3), self._leash_m), (slice(3, 6), self._leash_rad)):
            ahead = float(length(lead[span]))
            if ahead > leash:
                left = leash + (1.0 - LEASH_RETURN) * (ahead - leash)
                lead[span] *= left / ahead
        return np.asarray(tool + lead)

    def _moment(self, tool: Array) -> Array:
        return np.concatenate([tool - self._origin, self._wrench, self.last_action])

    def _require_begun(self) -> None:
        if not self._begun:
            raise ValueError("call begin where the approach ends, before observe and move")


def _box(controller: ControllerSetup) -> tuple[Array, Array]:
    """Lowest and highest reference (6,) in the nominal fixture's frame."""
    turn = np.repeat(controller.read("reference_turn", "rad", above=0.0), 3)
    low, high = (controller.read(name, "m", count=3) for name in ("reference_low", "reference_high"))
    if not (low < high).all():
        raise ValueError(f"reference_low {low} must be below reference_high {high}")
    return np.concatenate([low, -turn]), np.concatenate([high, turn])


def _history(layout: Layout) -> History:
    """Pose, wrench and last action at the lags of the manifest, checked against the size of the group."""
    lags = read_lags(layout.controller, "history_lags")
    moment = 2 * MOTION + len(layout.actions)
    size = len(layout.groups.get("history", ())) or moment * len(lags)
    if size != moment * len(lags):
        raise ValueError(f"history is {size} numbers, its {len(lags)} lags need {moment} each")
    return History(moment, lags)


def _kept(layout: Layout, leash_m: float, leash_rad: float) -> KeptElements:
    """What the interface fills in by itself, of the groups that this layout has."""
    groups, actions = layout.groups, len(layout.actions)
    lead = [("leash", leash_m)] * 3 + [("turning_leash", leash_rad)] * 3
    moment, size = 2 * MOTION + actions, len(groups.get("history", ()))
    found = {
        "leash": {index: Kept(low=-most, high=most, setting=name) for index, (name, most) in enumerate(lead)},
        "last_action": commands(groups.get("last_action", ()), range(actions)),
        "history": commands(
            groups.get("history", ()), (index for index in range(size) if index % moment >= 2 * MOTION)
        ),
    }
    return {name: elements for name, elements in found.items() if name in groups}


def _turned_out(rotation_rad: Array, motion: Array) -> Array:
    """`motion` (6,) along and about axes turned by `rotation_rad` (3,), as it is outside of them."""
    rows = np.array(rotation_rows(*rotation_rad.tolist()))
    return np.concatenate([turned(rows, motion[:3]), turned(rows, motion[3:])])


def _six(name: str, values: ArrayLike) -> Array:
    return numbers(name, values, 6)
