"""Paired differences of candidates that are no worse, of many shapes."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Draw = Callable[[np.random.Generator, tuple[int, ...]], NDArray[np.float64]]


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Both parts of a pair are skewed alike, and on top of what they have in common."""
    return 0.02 * (rng.lognormal(0.0, 1.5, shape) - rng.lognormal(0.0, 1.5, shape))


def _growing(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Every pair is noisier than those before: the sizes of the past say too little of the next one."""
    return rng.normal(0.0, 1e-3, shape) * np.linspace(1.0, 100.0, shape[-1])


def _seldom_worse_by_more(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Worse as often as better, and gains are larger: better, but for the signs."""
    return np.where(rng.random(shape) < 0.5, 0.1, -0.3) * rng.random(shape)


NULL_SHAPES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(0.0, 0.1, shape),
    "heavy tails": lambda rng, shape: np.clip(0.05 * rng.standard_cauchy(shape), -1.0, 1.0),
    "mostly zero": lambda rng, shape: np.where(rng.random(shape) < 0.8, 0.0, rng.normal(0.0, 0.1, shape)),
    "three values": lambda rng, shape: rng.integers(-1, 2, shape).astype(float),
    "skewed parts": _skewed,
    "growing noise": _growing,
    "gaps": lambda rng, shape: np.where(rng.random(shape) < 0.3, np.nan, rng.normal(0.0, 0.1, shape)),
    "better": _seldom_worse_by_more,
}


def most_alarms(alpha: float, repeats: int) -> float:
    """The rate of false alarms that `repeats` of a test at `alpha` exceed once in a thousand times."""
    return alpha + 3.0 * float(np.sqrt(alpha * (1.0 - alpha) / repeats))
