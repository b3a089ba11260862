"""Disturbances of the robot below the force loop: other lags, another mass, another stiffness than set up."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from cellwright_envs.disturbances.sampling import Range, draw_in, require_range


@dataclass(frozen=True, kw_only=True)
class ServoLag:
    """The position servo follows later or sooner than set up; other interfaces of a UR10e lag 8 to 34 ms."""

    factor: Range = (1.0, 1.0)
    """Time constant over the set one, drawn per episode (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "factor", low=0.05)

    def draw(self, rng: np.random.Generator) -> ServoLagState:
        """Draw this episode's servo."""
        return ServoLagState(factor=draw_in(rng, self.factor))


@dataclass(frozen=True, kw_only=True)
class ServoLagState:
    """The servo of one episode."""

    factor: float


@dataclass(frozen=True, kw_only=True)
class SensorLag:
    """The force sensor's low-pass is another one; users set 20 Hz to none at all."""

    factor: Range = (1.0, 1.0)
    """Time constant over the set one, drawn per episode (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "factor", low=0.05)

    def draw(self, rng: np.random.Generator) -> SensorLagState:
        """Draw this episode's filter."""
        return SensorLagState(factor=draw_in(rng, self.factor))


@dataclass(frozen=True, kw_only=True)
class SensorLagState:
    """The sensor's low-pass of one episode."""

    factor: float


@dataclass(frozen=True, kw_only=True)
class CellStiffness:
    """Arm, fingers and fixture bend by more or less than set up; no figure of a UR10e was measured.

    Each is drawn per episode on a logarithmic scale, over the set one (assumptions).
    """

    arm: Range = (1.0, 1.0)
    """A UR10e has 1e4 to 6e4 N/m, by its pose and its joints."""
    fingers: Range = (1.0, 1.0)
    """A 2F-85 has 1e4 to 3e4 N/m, a parallel gripper such as a Hand-E 3e4 to 1e5."""
    fixture: Range = (1.0, 1.0)
    """Printed nests have 1e5 to 5e5 N/m, machined ones 1e6 and more."""

    def __post_init__(self) -> None:
        require_range(self, "arm", "fingers", "fixture", low=0.05)

    def draw(self, rng: np.random.Generator) -> CellStiffnessState:
        """Draw this episode's stiffness."""
        arm, fingers, fixture = (
            math.exp(draw_in(rng, (math.log(low), math.log(high))))
            for low, high in (self.arm, self.fingers, self.fixture)
        )
        return CellStiffnessState(arm=arm, fingers=fingers, fixture=fixture)


@dataclass(frozen=True, kw_only=True)
class CellStiffnessState:
    """How stiff the cell of one episode is, over what is set up."""

    arm: float
    fingers: float
    fixture: float


@dataclass(frozen=True, kw_only=True)
class ArmMass:
    """The arm's effective mass at the tool, which follows from its pose and from rotors nobody publishes."""

    factor: Range = (1.0, 1.0)
    """Mass over the set one, drawn per episode: 5 to 15 kg of a UR10e (assumption)."""

    def __post_init__(self) -> None:
        require_range(self, "factor", low=0.05)

    def draw(self, rng: np.random.Generator) -> ArmMassState:
        """Draw this episode's mass."""
        return ArmMassState(factor=draw_in(rng, self.factor))


@dataclass(frozen=True, kw_only=True)
class ArmMassState:
    """The arm's mass of one episode."""

    factor: float
