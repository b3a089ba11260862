"""An expert that reads the true state: leads the torch onto the true seam and sets the safest trims."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.expert import Actions, Observations

OFFSET_M = 1.5e-3
"""Full action: how far beside the measured seam its controller leads the torch."""
IDEAL = ("ideal_travel_speed", "ideal_wire_feed", "ideal_voltage")


class Oracle:
    """Needs the `privileged` group and the names of its components.

    The controller follows the measured seam: the oracle commands what is left to the true one.
    """

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
        left_m = state[:, self._errors] - observations["tracking"][:, :2]
        actions = np.concatenate([left_m / OFFSET_M, state[:, self._ideal]], axis=1)
        return np.clip(actions, -1.0, 1.0).astype(np.float32)
