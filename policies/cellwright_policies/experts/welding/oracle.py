"""An expert that reads the true state: follows the true seam and sets the safest trims."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_assets.weld_cell import CORRECTION_RATE_M_S
from cellwright_perception.seam.tracker import PROFILE_POINTS
from cellwright_policies.experts.expert import Actions, Observations
from cellwright_policies.experts.welding.base import Programme, profile_at

PROPORTIONAL_1_S = 5.0
OFFSET_M, PREVIEW_S, LEAST_CONFIDENCE = 1.5e-3, 0.165, 0.35
"""Of the controller that follows the measured seam in WeldSeam-v1."""
IDEAL = ("ideal_travel_speed", "ideal_wire_feed", "ideal_voltage")


class Oracle:
    """Needs the `privileged` group and the names of its components."""

    def __init__(self, privileged_names: Sequence[str]) -> None:
        if not set(IDEAL) <= set(privileged_names):
            raise ValueError(
                "the oracle needs the environment's privileged_names; make it with privileged=True"
            )
        # One millimetre ahead covers servo lag and latency at welding speed.
        self._errors = [privileged_names.index(f"{axis}_error_1_mm_ahead") for axis in ("lateral", "height")]
        self._ideal = [privileged_names.index(name) for name in IDEAL]

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Nothing to forget: everything is in the state."""

    def act_batch(self, observations: Observations) -> Actions:
        if "privileged" not in observations:
            raise ValueError("the oracle needs observations made with privileged=True")
        state = observations["privileged"]
        rates = PROPORTIONAL_1_S * state[:, self._errors] / CORRECTION_RATE_M_S
        actions = np.concatenate([rates, state[:, self._ideal]], axis=1)
        return np.clip(actions, -1.0, 1.0).astype(np.float32)


class TrackedOracle(Oracle):
    """The same over a controller that follows the measured seam: commands what is left to the true one."""

    def act_batch(self, observations: Observations) -> Actions:
        actions = super().act_batch(observations)
        seam, programme = observations["seam"], Programme(observations)
        ahead_m = PREVIEW_S * programme.travel_speed_m_s
        measured_m = np.stack([profile_at(seam[:, start:], ahead_m) for start in (0, PROFILE_POINTS)], axis=1)
        measured_m[seam[:, -1] < LEAST_CONFIDENCE] = 0.0
        true_m = observations["privileged"][:, self._errors]
        actions[:, :2] = np.clip((true_m - measured_m) / OFFSET_M, -1.0, 1.0)
        return actions
