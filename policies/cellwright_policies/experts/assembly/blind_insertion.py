"""The taught programme: straight down where the drawing has the hole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.assembly.base import LEASH, POSE, lead_to_action
from cellwright_policies.experts.expert import Actions, Observations

DESCENT_M = 2.0e-3
"""Lead along z: sets the speed in the air, and a push of some 3 N in contact."""


class BlindInsertion:
    """Uses neither cameras nor wrist sensor; only the compliance of the arm helps it.

    From `inside_m` below the nominal mouth on it presses with a lead of `press_m`.
    """

    def __init__(self, press_m: float = DESCENT_M, inside_m: float = 0.0) -> None:
        self._press_m, self._inside_m = press_m, inside_m

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Nothing to forget: it acts on where the tool is."""

    def act_batch(self, observations: Observations) -> Actions:
        pose = np.asarray(observations[POSE], dtype=np.float64)
        wanted = -pose
        wanted[:, 2] = np.where(pose[:, 2] < -self._inside_m, -self._press_m, -DESCENT_M)
        lead = np.asarray(observations[LEASH], dtype=np.float64)
        return lead_to_action(wanted, lead, fraction=0.6)
