"""Between an insertion's policy and a compliant controller: fills the observation and moves the reference.

All that it knows comes from the bundle's manifest. It does what the environment does between policy and
controller, so that a robot program has only to read poses, wrench and frames, and to send the reference on.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_policies.bundle import PolicySpec
from cellwright_policies.runtime import Decision

Array = NDArray[np.float64]

MOTION = 6
"""Commands that move and turn the reference; those behind them belong to the tool."""


class InsertionInterface:
    """One insertion after the other; call `begin`, then `observe` and `move` in turn at the policy's rate.

    Poses (6,) are a position [m] and a rotation vector [rad] of the tool in the nominal fixture's frame. The
    tool's origin is in the middle of the tip of a part that is held as it should be, z along the part and up;
    the nominal fixture's is in the middle of the mouth, z up.
    """

    def __init__(self, spec: PolicySpec) -> None:
        """Read the settings; raises `BundleError` where the policy is not one of an insertion."""
        setting = spec.controller
        turn = np.repeat(setting["reference_turn"], 3)
        self._low = np.concatenate([setting["reference_low"], -turn])
        self._high = np.concatenate([setting["reference_high"], turn])
        self._leash = float(setting["leash"][0]), float(setting["turning_leash"][0])
        self._low_pass = float(setting["wrench_low_pass"][0])
        self._lags = setting["history_lags"].astype(int).tolist()
        self._actions = len(spec.action)

    def begin(self, tool: Array, wrench: Array) -> None:
        """Start where the approach has ended: `tool` (6,), the part hanging free; `wrench` is the tare.

        A wrench (6,) [N] and [N m] is what the sensor reads in the tool's frame about its origin, positive as
        it acts on the part, as a mean over the last control period.
        """
        self.reference = np.array(tool, dtype=np.float64)
        self._tare = np.array(wrench, dtype=np.float64)
        self._wrench, self._action = np.zeros(6), np.zeros(self._actions)
        moment = np.concatenate([tool, self._wrench, self._action])
        self._past = deque([moment] * (self._lags[-1] + 1), maxlen=self._lags[-1] + 1)

    def observe(
        self,
        tool: Array,
        wrench: Array,
        frames: NDArray[np.uint8],
        *,
        force_limit_n: float,
        own: Mapping[str, Array] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """What to give the policy now, for frames (2, H, W) of the hand's camera and of the standing one.

        `force_limit_n` is what the part must not see. `own` has the groups that one task alone observes, such
        as a nut's `spindle`.
        """
        self._wrench = self._wrench + self._low_pass * (wrench - self._tare - self._wrench)
        self._past.appendleft(np.concatenate([tool, self._wrench, self._action]))
        values: dict[str, Array] = {
            "pose": tool,
            "wrench": self._wrench,
            "leash": self.reference - tool,
            "last_action": self._action,
            "history": np.concatenate([self._past[lag] for lag in self._lags]),
            "limit": np.array([force_limit_n]),
            **(own or {}),
        }
        return {"image": frames, **{name: value.astype(np.float32) for name, value in values.items()}}

    def move(self, tool: Array, decision: Decision) -> Array:
        """The reference (6,) to send, a pose of the tool in the nominal fixture's frame.

        `tool` (6,) is where the tool is now. Commands behind the six motions are the caller's.
        """
        turned = _rotation_matrix(self.reference[3:])
        motion = decision.command[:MOTION].astype(np.float64)
        moved = self.reference + np.concatenate([turned @ motion[:3], turned @ motion[3:]])
        lead = np.clip(moved, self._low, self._high) - tool
        for span, leash in zip((slice(0, 3), slice(3, 6)), self._leash, strict=True):
            lead[span] *= leash / max(float(np.linalg.norm(lead[span])), leash)
        self.reference = tool + lead
        self._action = decision.action.astype(np.float64)
        return self.reference.copy()


def _rotation_matrix(vector: Array) -> Array:
    """Matrix (3, 3) of a rotation vector (3,) [rad] (Rodrigues)."""
    angle = max(float(np.linalg.norm(vector)), 1e-12)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * cross @ cross)
