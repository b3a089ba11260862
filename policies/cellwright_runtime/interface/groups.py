"""Groups of an observation as a policy takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.vocabulary import Component


class BoundedGroups:
    """Holds low-dimensional groups inside their bounds, as float32."""

    def __init__(self, groups: Mapping[str, Sequence[Component]]) -> None:
        self._bounds = {name: bounds(components) for name, components in groups.items()}

    def hold(self, values: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[np.float32]]:
        """New arrays; a group without bounds is passed on as it is."""
        held = {name: np.array(group, dtype=np.float32) for name, group in values.items()}
        for name, (low, high) in self._bounds.items():
            if name in held:
                np.maximum(held[name], low, out=held[name])
                np.minimum(held[name], high, out=held[name])
        return held


def bounds(components: Sequence[Component]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lower and upper bounds (components,) of a group."""
    low = np.array([component.low for component in components], dtype=np.float32)
    return low, np.array([component.high for component in components], dtype=np.float32)
