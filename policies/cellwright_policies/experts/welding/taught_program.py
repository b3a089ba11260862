"""The taught path and the drawing's procedure, played back without looking."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cellwright_policies.experts.expert import Actions, Observations


class TaughtProgram:
    """What a cell without sensors does."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Nothing to forget."""

    def act_batch(self, observations: Observations) -> Actions:
        return np.zeros((len(observations["programme"]), 5), dtype=np.float32)
