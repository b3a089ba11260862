"""Disturbances that happen once, in the middle of a seam.

`path_fraction` is the part of the seam already behind the torch, or ahead at a point of it: 0 to 1.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from cellwright_envs.disturbances.sampling import (
    Floats,
    Range,
    draw_in,
    draw_sign,
    require_not_negative,
    require_probability,
    require_range,
)

_NEVER = 2.0  # a path fraction that no seam reaches


@dataclass(frozen=True, kw_only=True)
class FixtureBump:
    """Something knocks the fixture: the rest of the seam is displaced from then on."""

    probability: float = 0.0
    """Probability of one bump in an episode."""
    jump_m: Range = (0.5e-3, 1.5e-3)
    """Sideways distance of the jump [m], to either side (assumption)."""
    height_fraction: float = 0.4
    """Largest upward jump as a fraction of the sideways one (assumption)."""
    at_fraction: Range = (0.2, 0.7)
    """Where along the seam it happens."""

    def __post_init__(self) -> None:
        require_probability(self, "probability")
        require_range(self, "jump_m", low=0.0)
        require_not_negative(self, "height_fraction")
        require_range(self, "at_fraction", low=0.0, high=1.0)

    def draw(self, rng: np.random.Generator) -> "FixtureBumpState":
        """Draw whether, where and how far the fixture jumps."""
        happens = rng.random() < self.probability
        jump_m = draw_in(rng, self.jump_m)
        return FixtureBumpState(
            at_fraction=_place(rng, self.at_fraction, happens),
            lateral_m=jump_m * draw_sign(rng),
            height_m=jump_m * draw_in(rng, (0.0, self.height_fraction)),
        )


@dataclass(frozen=True, kw_only=True)
class FixtureBumpState:
    """The bump of one episode; beyond the end of the seam if there is none."""

    at_fraction: float
    lateral_m: float
    height_m: float

    def offset_m(self, path_fraction: float) -> tuple[float, float]:
        """Return how far (lateral, height) [m] the seam has moved once the torch is at `path_fraction`."""
        return (self.lateral_m, self.height_m) if path_fraction >= self.at_fraction else (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class GapStep:
    """A badly cut edge or a slipped clamp: the gap is wider over a stretch of the seam."""

    probability: float = 0.0
    """Probability of one such stretch in an episode."""
    extra_of_thickness: Range = (0.1, 0.2)
    """Widening as a fraction of the plate thickness."""
    limit_m: float = 0.6e-3
    """Widening never exceeds this [m]."""
    at_fraction: Range = (0.15, 0.7)
    """Where along the seam the stretch begins."""
    length_fraction: Range = (0.1, 0.3)
    """Length of the stretch as a fraction of the seam (assumption)."""

    def __post_init__(self) -> None:
        require_probability(self, "probability")
        require_range(self, "extra_of_thickness", low=0.0)
        require_not_negative(self, "limit_m")
        require_range(self, "at_fraction", "length_fraction", low=0.0, high=1.0)

    def draw(self, rng: np.random.Generator) -> "GapStepState":
        """Draw whether and where the gap opens."""
        happens = rng.random() < self.probability
        start = _place(rng, self.at_fraction, happens)
        return GapStepState(
            start_fraction=start,
            end_fraction=start + draw_in(rng, self.length_fraction),
            extra_of_thickness=draw_in(rng, self.extra_of_thickness),
            limit_m=self.limit_m,
        )


@dataclass(frozen=True, kw_only=True)
class GapStepState:
    """The widened stretch of one episode."""

    start_fraction: float
    end_fraction: float
    extra_of_thickness: float
    limit_m: float

    def extra_gap_m(self, path_fraction: ArrayLike, thickness_m: float) -> Floats:
        """Return the widening [m] at each `path_fraction` of the seam (any shape)."""
        fraction = np.asarray(path_fraction, dtype=np.float64)
        is_wide = (fraction >= self.start_fraction) & (fraction < self.end_fraction)
        return np.where(is_wide, min(self.extra_of_thickness * thickness_m, self.limit_m), 0.0)


class Procedure(NamedTuple):
    """Differences of the procedure that is set from that on the drawing."""

    wire_feed_factor: float
    voltage_offset_v: float
    travel_speed_factor: float


_AS_SET = Procedure(1.0, 0.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class ProcedureChange:
    """An operator changes the procedure: from a place of the seam on, other welding parameters apply."""

    probability: float = 0.0
    """Probability of one change in an episode."""
    wire_feed: float = 0.08
    """Largest relative change of wire feed, to either side (assumption)."""
    voltage_v: float = 0.8
    """Largest change of voltage [V], to either side (assumption)."""
    travel_speed: float = 0.10
    """Largest relative change of travel speed, to either side (assumption)."""
    at_fraction: Range = (0.1, 0.7)
    """Where along the seam it happens."""

    def __post_init__(self) -> None:
        require_probability(self, "probability")
        require_not_negative(self, "voltage_v")
        for name in ("wire_feed", "travel_speed"):
            if not 0.0 <= getattr(self, name) < 1.0:
                raise ValueError(f"ProcedureChange: need 0 <= {name} < 1, got {getattr(self, name)}")
        require_range(self, "at_fraction", low=0.0, high=1.0)

    def draw(self, rng: np.random.Generator) -> "ProcedureChangeState":
        """Draw whether, where and how the procedure changes."""
        happens = rng.random() < self.probability
        at_fraction = _place(rng, self.at_fraction, happens)
        wire_feed, voltage_v, travel_speed = (
            draw_in(rng, (-limit, limit)) for limit in (self.wire_feed, self.voltage_v, self.travel_speed)
        )
        return ProcedureChangeState(
            at_fraction=at_fraction, after=Procedure(1.0 + wire_feed, voltage_v, 1.0 + travel_speed)
        )


@dataclass(frozen=True, kw_only=True)
class ProcedureChangeState:
    """The change of one episode; beyond the end of the seam if there is none."""

    at_fraction: float
    after: Procedure

    def procedure(self, path_fraction: float) -> Procedure:
        """Return the differences with the torch at `path_fraction`."""
        return self.after if path_fraction >= self.at_fraction else _AS_SET


def _place(rng: np.random.Generator, interval: Range, happens: bool) -> float:
    """Draw a place in `interval`; if nothing happens, drawn all the same and put out of reach."""
    fraction = draw_in(rng, interval)
    return fraction if happens else _NEVER
