"""Random draws of the disturbances: named streams, truncated normals, ranges and smooth random fields."""

import math
import zlib
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cellwright_assets.arithmetic import cos
from cellwright_perception.compiled import compiled

Floats = NDArray[np.float64]

Range = tuple[float, float]
"""Lowest and highest value, both included."""

_COMPONENTS = 8
_TRUNCATION_SIGMA = 2.0
_NORMAL = NormalDist()


def named_stream(root: int, name: str) -> np.random.Generator:
    """Return the random stream called `name` under `root`.

    The stream depends on nothing but its name and the root, so adding, removing or switching off one
    disturbance leaves the draws of all others as they were.
    """
    return np.random.default_rng([zlib.crc32(name.encode()), root])


def truncated_normal(rng: np.random.Generator, sigma: float) -> float:
    """Draw from N(0, sigma) truncated at two sigma; exactly zero where sigma is zero."""
    tail = _NORMAL.cdf(-_TRUNCATION_SIGMA)
    return sigma * _NORMAL.inv_cdf(float(rng.uniform(tail, 1.0 - tail)))


def draw_in(rng: np.random.Generator, interval: Range) -> float:
    """Draw uniformly from `interval`."""
    return float(rng.uniform(*interval))


def draw_sign(rng: np.random.Generator) -> float:
    """Draw -1 or +1."""
    return float(rng.choice((-1.0, 1.0)))


def require_not_negative(owner: object, *names: str) -> None:
    """Raise ValueError naming the first of the fields `names` of `owner` that is negative or not finite."""
    for name in names:
        value = getattr(owner, name)
        if not (math.isfinite(value) and value >= 0.0):
            raise ValueError(f"{type(owner).__name__}: need {name} >= 0, got {value}")


def require_positive(owner: object, *names: str) -> None:
    """Raise ValueError naming the first of the fields `names` of `owner` that is not above zero."""
    for name in names:
        value = getattr(owner, name)
        if not (math.isfinite(value) and value > 0.0):
            raise ValueError(f"{type(owner).__name__}: need {name} > 0, got {value}")


def require_probability(owner: object, *names: str) -> None:
    """Raise ValueError naming the first of the fields `names` of `owner` that is no probability."""
    for name in names:
        value = getattr(owner, name)
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{type(owner).__name__}: need 0 <= {name} <= 1, got {value}")


def require_range(owner: object, *names: str, low: float = -math.inf, high: float = math.inf) -> None:
    """Raise ValueError unless each named field is a range (lowest, highest) inside [low, high]."""
    for name in names:
        first, last = getattr(owner, name)
        if not low <= first <= last <= high:
            wanted = f"{low} <= lowest <= highest <= {high}"
            raise ValueError(f"{type(owner).__name__}: need {wanted} for {name}, got {(first, last)}")


@compiled
def _cosines(position: float, wavenumber: Floats, phase: Floats) -> float:
    """Return the sum of cosines at `position`, scaled to a standard deviation of 1."""
    total = 0.0
    for i in range(wavenumber.size):
        total += math.cos(wavenumber[i] * position + phase[i])
    return total * math.sqrt(2.0 / wavenumber.size)


@dataclass(frozen=True, kw_only=True, eq=False)
class SmoothField:
    """A smooth random function of one variable with mean 0 and standard deviation `amplitude`.

    A sum of cosines with random wavenumbers (random Fourier features, Rahimi and Recht 2007): over many
    draws its correlation at distance d is exp(-(d / correlation)^2). Never leaves +-4 `amplitude`.
    """

    amplitude: float
    wavenumber: Floats
    """(8,) [rad per unit of the variable]."""
    phase: Floats
    """(8,) [rad]."""

    @classmethod
    def draw(cls, rng: np.random.Generator, *, amplitude: float, correlation: float) -> "SmoothField":
        """Draw a field; `correlation` is the distance at which correlation has fallen to 1/e."""
        return cls(
            amplitude=amplitude,
            wavenumber=rng.normal(0.0, math.sqrt(2.0) / correlation, _COMPONENTS),
            phase=rng.uniform(0.0, 2.0 * math.pi, _COMPONENTS),
        )

    def at(self, position: ArrayLike) -> Floats:
        """Return the value at each `position` (any shape)."""
        angle = np.multiply.outer(np.asarray(position, dtype=np.float64), self.wavenumber) + self.phase
        return np.asarray(cos(angle).sum(axis=-1) * (self.amplitude * math.sqrt(2.0 / _COMPONENTS)))

    def at_scalar(self, position: float) -> float:
        """Return the value at one position; a third of the time of `at`, for what is asked at every step."""
        if self.amplitude == 0.0:
            return 0.0
        return self.amplitude * float(_cosines(position, self.wavenumber, self.phase))

    def integral(self, position: float) -> float:
        """Return the integral of the field from 0 to `position`."""
        if self.amplitude == 0.0:
            return 0.0
        total = 0.0
        for wavenumber, phase in zip(self.wavenumber.tolist(), self.phase.tolist(), strict=True):
            # sin(b) - sin(a) as a product: stays exact where the wavenumber is tiny.
            half = 0.5 * wavenumber * position
            sinc = math.sin(half) / half if abs(half) > 1e-9 else 1.0
            total += position * sinc * math.cos(half + phase)
        return self.amplitude * math.sqrt(2.0 / _COMPONENTS) * total
