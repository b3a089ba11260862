"""Between an insertion's policy and a compliant controller: fills the observation and moves the reference.

All that it knows comes from the bundle's manifest. It does what the environment does between policy and
controller, so that a robot program has only to read poses, wrench and frames, and to send the reference on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_runtime.bundle.policy import PolicySpec

if TYPE_CHECKING:
    from cellwright_runtime.runtime import Decision

Array = NDArray[np.float64]

MOTION = 6
"""Commands that move and turn the reference; those behind them belong to the tool."""
SHARED = ("image", "pose", "wrench", "leash", "last_action", "history", "limit")
"""Groups of every insertion."""


class InsertionInterface:
    """One insertion after the other: `begin`, then once a period `observe` and `move`.

    Poses (6,) are a position [m] and a rotation vector [rad] of the tool in the nominal fixture's frame. The
    tool's origin is in the middle of the tip of a part that is held as it should be, z along the part and up,
    the fingers closing along y; the nominal fixture's is in the middle of the mouth, z up. Input of the wrong
    shape, or that is not finite, raises ValueError and changes nothing.
    """

    def __init__(self, spec: PolicySpec) -> None:
        """Read the settings; raises `ValueError` where one is missing or makes no sense."""
        setting = spec.controller
        turn = np.repeat(setting.read("reference_turn", "rad", above=0.0), 3)
        self._low = np.concatenate([setting.read("reference_low", "m", count=3), -turn])
        self._high = np.concatenate([setting.read("reference_high", "m", count=3), turn])
        if not (self._low < self._high).all():
            raise ValueError(f"reference_low {self._low[:3]} must be below reference_high {self._high[:3]}")
        leashes = (("leash", "m"), ("turning_leash", "rad"))
        self._leash = tuple(float(setting.read(name, unit, above=0.0)[0]) for name, unit in leashes)
        self._low_pass = float(setting.read("wrench_low_pass", "1", above=0.0)[0])
        if self._low_pass > 1.0:
            raise ValueError(f"wrench_low_pass must be within 0..1, got {self._low_pass}")
        self._actions = len(spec.action)
        self._lags = _lags(spec)
        self._begun = False

    def begin(self, tool: ArrayLike, wrench: ArrayLike) -> None:
        """Start where the approach has ended: `tool` (6,), the part hanging free; `wrench` is the tare.

        A wrench (6,) [N] and [N m] is what the sensor reads in the tool's frame about its origin, positive as
        it acts on the part, as a mean over the last control period. A tool outside of the reference's box,
        as in another frame or with z down, is refused.
        """
        tool, wrench = _vector("tool", tool), _vector("wrench", wrench)
        if not ((self._low <= tool) & (tool <= self._high)).all():
            raise ValueError(
                f"the approach ended at {np.round(tool, 4).tolist()}, outside of the box "
                f"{self._low.tolist()} to {self._high.tolist()}; "
                "poses are in the nominal fixture's frame, z up"
            )
        self.reference = tool.copy()
        self._tare = wrench
        self._wrench, self._action = np.zeros(6), np.zeros(self._actions)
        moment = np.concatenate([tool, self._wrench, self._action])
        self._past = deque([moment] * (self._lags[-1] + 1), maxlen=self._lags[-1] + 1)
        self._begun = True

    def observe(
        self,
        tool: ArrayLike,
        wrench: ArrayLike,
        frames: NDArray[np.uint8],
        *,
        force_limit_n: float,
        own: Mapping[str, ArrayLike] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """What to give the policy now, for frames (2, H, W) of the hand's camera and of the standing one.

        `force_limit_n` is what the part must not see. `own` has the groups that one task alone observes, such
        as a nut's `spindle`.
        """
        self._require_begun()
        tool, wrench = _vector("tool", tool), _vector("wrench", wrench)
        groups = {name: np.asarray(values, dtype=np.float64) for name, values in (own or {}).items()}
        if clash := [name for name in groups if name in SHARED]:
            raise ValueError(f"own holds {clash[0]!r}, which every insertion has")
        if not 0.0 < force_limit_n < np.inf:
            raise ValueError(f"force_limit_n must be positive, got {force_limit_n}")
        self._wrench = self._wrench + self._low_pass * (wrench - self._tare - self._wrench)
        self._past.appendleft(np.concatenate([tool, self._wrench, self._action]))
        values: dict[str, Array] = {
            "pose": tool,
            "wrench": self._wrench,
            "leash": self.reference - tool,
            "last_action": self._action,
            "history": np.concatenate([self._past[lag] for lag in self._lags]),
            "limit": np.array([force_limit_n]),
            **groups,
        }
        return {"image": frames, **{name: value.astype(np.float32) for name, value in values.items()}}

    def move(self, tool: ArrayLike, decision: Decision) -> Array:
        """The reference (6,) to send, a pose of the tool in the nominal fixture's frame.

        `tool` (6,) is where the tool is now. Commands behind the six motions are the caller's.
        """
        self._require_begun()
        tool = _vector("tool", tool)
        turned = _rotation_matrix(self.reference[3:])
        motion = decision.command[:MOTION].astype(np.float64)
        moved = self.reference + np.concatenate([turned @ motion[:3], turned @ motion[3:]])
        lead = np.clip(moved, self._low, self._high) - tool
        for span, leash in zip((slice(0, 3), slice(3, 6)), self._leash, strict=True):
            lead[span] *= leash / max(float(np.linalg.norm(lead[span])), leash)
        self.reference = tool + lead
        self._action = decision.action.astype(np.float64)
        return self.reference.copy()

    def _require_begun(self) -> None:
        if not self._begun:
            raise ValueError("call begin where the approach ends, before observe and move")


def _lags(spec: PolicySpec) -> list[int]:
    """Lags of the history [control steps], checked against the size of the group."""
    value = spec.controller["history_lags"]
    history = next((group for group in spec.observation if group.name == "history"), None)
    moment = 2 * MOTION + len(spec.action)
    if history is not None and history.shape != (moment * len(value),):
        raise ValueError(f"history is {history.shape}, its {len(value)} lags need {moment} numbers each")
    whole = (value == np.round(value)).all()
    if not whole or value[0] < 1 or (np.diff(value) <= 0).any() or value[-1] > 1000:
        raise ValueError(f"history_lags must be whole numbers that rise from 1 on, got {value.tolist()}")
    return [int(lag) for lag in value]


def _vector(name: str, values: ArrayLike) -> Array:
    """A pose or wrench (6,); raises ValueError where it is none."""
    array = np.array(values, dtype=np.float64)
    if array.shape != (6,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be six finite numbers, got {array.tolist()}")
    return array


def _rotation_matrix(vector: Array) -> Array:
    """Matrix (3, 3) of a rotation vector (3,) [rad] (Rodrigues)."""
    angle = max(float(np.linalg.norm(vector)), 1e-12)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross)
