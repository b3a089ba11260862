"""Disturbances between a command and the tool: latency and backlash."""

from dataclasses import dataclass
from typing import overload

import numpy as np

from cellwright_envs.disturbances.sampling import (
    Floats,
    Range,
    draw_in,
    require_range,
)


@dataclass(frozen=True, kw_only=True)
class ActuatorLatency:
    """Commands take effect some control steps late."""

    steps: tuple[int, int] = (0, 0)
    """Fewest and most control steps, drawn per episode; 0-3 for a path correction (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "steps", low=0)

    def draw(self, rng: np.random.Generator) -> "ActuatorLatencyState":
        """Draw this episode's latency."""
        low, high = self.steps
        return ActuatorLatencyState(steps=int(rng.integers(low, high, endpoint=True)))


@dataclass(frozen=True, kw_only=True)
class ActuatorLatencyState:
    """The latency of one episode."""

    steps: int
    """Whole control steps from command to effect."""


@dataclass(frozen=True, kw_only=True)
class Backlash:
    """Play in the path correction: reversing moves nothing until the play is used up."""

    play_m: Range = (0.0, 0.0)
    """Width of the dead zone [m], drawn per episode; below 0.2 mm for a sound robot (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "play_m", low=0.0)

    def draw(self, rng: np.random.Generator) -> "BacklashState":
        """Draw this episode's play."""
        return BacklashState(play_m=draw_in(rng, self.play_m))


@dataclass(frozen=True, kw_only=True)
class BacklashState:
    """The play of one episode."""

    play_m: float

    @overload
    def apply(self, command: float, previous: float) -> float: ...
    @overload
    def apply(self, command: Floats, previous: Floats) -> Floats: ...
    def apply(self, command: float | Floats, previous: float | Floats) -> float | Floats:
        """Return the position [m] reached from `previous` on `command` (the play operator)."""
        half_m = 0.5 * self.play_m
        if isinstance(command, float) and isinstance(previous, float):
            return min(max(previous, command - half_m), command + half_m)
        reached: Floats = np.clip(previous, np.subtract(command, half_m), np.add(command, half_m))
        return reached
