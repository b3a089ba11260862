"""What parts weigh: volumes of their drawings' measures, times the density of what they are made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.peg_insertion import PegInsertion

STEEL_KG_MM3, PLASTIC_KG_MM3 = 7.85e-6, 1.5e-6
GRIPPER_KG = 1.205 - 0.300  # FT 300 with 2-Finger 85 and without the sensor, see gripper.py


def disc_mm2(diameter_mm: float) -> float:
    return 0.25 * np.pi * diameter_mm**2


USB_MM3 = 12.0 * 4.5 * 9.5 + 3.6 * 1.5 * 9.0 + 16.0 * 9.5 * (60.0 - 9.5)
"""A plug and its rib, and the housing around it by 2 and 2.5 mm, to 60 mm."""
M12_MM3 = disc_mm2(2.0 * (18.0 / np.sqrt(3.0) + 3.0)) * 26.0 + disc_mm2(22.0) * (75.0 - 26.0)
"""Socket around the corners, and the nut-runner's body."""
GEAR_MM3 = disc_mm2(24.0) * 10.0 + disc_mm2(12.0) * 50.0 - disc_mm2(8.0) * 60.0
"""A pitch circle of 24 mm, 10 mm high; a hub of 2 mm around the bore of 8 mm, to 60 mm."""
WEIGHED: list[tuple[Any, str, float]] = [
    (PegInsertion, "round-16-1", STEEL_KG_MM3 * disc_mm2(16.0) * 60.0),
    (PegInsertion, "square-12-0.5-chamfer", STEEL_KG_MM3 * 12.0**2 * 60.0),
    (PegInsertion, "hexagonal-12-0.3", STEEL_KG_MM3 * 0.5 * np.sqrt(3.0) * 12.0**2 * 60.0),
    (PegInsertion, "keyed-12-0.5-chamfer", STEEL_KG_MM3 * (disc_mm2(12.0) + 4.0 * 1.8) * 60.0),
    (ConnectorInsertion, "usb-a-0.3-0.8", PLASTIC_KG_MM3 * USB_MM3),
    (NutFastening, "M12", STEEL_KG_MM3 * M12_MM3),
    (GearMesh, "m1-z24-b8-0.25", STEEL_KG_MM3 * GEAR_MM3),
]


@pytest.mark.parametrize(("made", "product", "mass_kg"), WEIGHED, ids=[name for _, name, _ in WEIGHED])
def test_the_wrist_weighs_gripper_and_part(made: Any, product: str, mass_kg: float) -> None:
    """Circles are drawn with few corners: up to 4 % less."""
    env = made(product=product, disturbances="none")
    env.reset(seed=0)
    weight_n = -float(env.cell.move(env._state.tool, env.cell.fixture_w).wrench_t[2])
    env.close()
    assert weight_n / 9.81 - GRIPPER_KG == pytest.approx(mass_kg, rel=0.04)
