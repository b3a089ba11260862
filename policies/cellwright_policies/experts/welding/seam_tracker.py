"""Laser seam tracking alone: the drawing's procedure, while the controller follows the measured seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.expert import Actions, Observations


class SeamTracker:
    """The usual controller with a laser seam sensor: no offset from the measured seam, no trims."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Nothing to forget: the controller itself follows the seam."""

    def act_batch(self, observations: Observations) -> Actions:
        return np.zeros((len(observations["seam"]), 5), dtype=np.float32)
