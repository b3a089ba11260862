"""Cross-sections of the three joints: the truth that measurements are tested on."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray

PLATE_M = 0.040
CHAMFER_M, CHAMFER_DEPTH_M = 0.3e-3, 0.5e-3


@dataclass(frozen=True, kw_only=True)
class Joint:
    """One cross-section in the laser plane and where it lies in the tool frame."""

    kind: str
    lateral_m: float = 0.0
    height_m: float = 0.0
    gap_m: float = 0.0
    mismatch_m: float = 0.0
    thickness_m: float = 4e-3
    roll_rad: float = 0.0

    def surfaces_t(self) -> NDArray[np.float64]:
        """Return the surfaces (N, 2, 2) as end points (y_t, z_t) [m]."""
        surfaces = np.array(getattr(self, f"_{self.kind}")())
        cos, sin = np.cos(self.roll_rad), np.sin(self.roll_rad)
        return surfaces @ np.array([[cos, sin], [-sin, cos]]) + (self.lateral_m, self.height_m)

    def _butt(self) -> list:
        lip, foot, deep = self.gap_m / 2 + CHAMFER_M, self.gap_m / 2, CHAMFER_DEPTH_M
        top, thick = self.mismatch_m, self.thickness_m
        return [
            [(-PLATE_M, 0.0), (-lip, 0.0)],
            [(-lip, 0.0), (-foot, -deep)],
            [(-foot, -deep), (-foot, -thick)],
            [(foot, top - thick), (foot, top - deep)],
            [(foot, top - deep), (lip, top)],
            [(lip, top), (PLATE_M, top)],
        ]

    def _t_fillet(self) -> list:
        out, up = np.array([-1.0, 1.0]) / np.sqrt(2.0), np.array([1.0, 1.0]) / np.sqrt(2.0)
        return [[-self.gap_m * out, PLATE_M * out], [self.gap_m * up, PLATE_M * up]]

    def _lap(self) -> list:
        out, up = np.array([-1.0, 1.0]) / np.sqrt(2.0), np.array([1.0, 1.0]) / np.sqrt(2.0)
        foot, edge = self.gap_m * up, (self.gap_m + self.thickness_m) * up
        return [[-self.gap_m * out, PLATE_M * out], [foot, edge], [edge, edge - PLATE_M * out]]


@pytest.fixture(scope="session")
def laser() -> ModuleType:
    """This module, so that tests need no import path to it."""
    return sys.modules[__name__]
