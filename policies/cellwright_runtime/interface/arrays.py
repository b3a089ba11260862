"""Checks of the arrays that a robot program gives to an interface, before anything moves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def numbers(name: str, values: ArrayLike, count: int) -> NDArray[np.float64]:
    """A copy (count,); raises ValueError where `values` are not as many finite numbers."""
    array = np.array(values, dtype=np.float64)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must be {count} finite numbers, got {array.tolist()}")
    return array


def decision(action: ArrayLike, count: int) -> NDArray[np.float64]:
    """A copy of an action (count,); raises ValueError where it is not within [-1, 1]."""
    array = numbers("action", action, count)
    if not (np.abs(array) <= 1.0).all():
        raise ValueError(f"action must be within -1..1, got {array.tolist()}")
    return array
