"""Figures of a benchmark and the effort that they may take."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Figures = dict[str, dict[str, Any]]
ALL_ENV_DISTURBANCES = "train"


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to measure."""

    repeats: int
    env_steps: int
    """Control steps per repeat."""
    frames: int
    decisions: int
    training_iterations: int
    """PPO iterations after the first, which compiles and warms up; 0 leaves training out."""


FULL = Effort(repeats=7, env_steps=600, frames=200, decisions=5000, training_iterations=4)
QUICK = Effort(repeats=3, env_steps=250, frames=60, decisions=1500, training_iterations=1)


def figure(values: NDArray[np.float64] | list[float], unit: str, aim: str = "") -> dict[str, Any]:
    """Median over repeats with the smallest and the largest."""
    array = np.asarray(values, float)
    return {
        "value": float(np.median(array)),
        "low": float(array.min()),
        "high": float(array.max()),
        "repeats": int(array.size),
        "unit": unit,
        "aim": aim,
    }


def missing(reason: str, unit: str, aim: str = "") -> dict[str, Any]:
    """A figure that could not be measured here, and why."""
    return {"missing": reason, "unit": unit, "aim": aim}


def seconds_each(work: Callable[[], object], count: int) -> float:
    """Mean seconds of `work` over `count` calls."""
    begin = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - begin) / count
