"""The protocol of a scripted expert: batched observations in, batched actions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Observations = Mapping[str, NDArray[Any]]
Actions = NDArray[np.float32]


class Expert(Protocol):
    """A scripted controller of a cell."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Forget the episodes of all `cells`, or only those of `indices`."""
        ...

    def act_batch(self, observations: Observations) -> Actions:
        """Actions (n, actions) within [-1, 1] for observations batched along axis 0."""
        ...
