"""Nothing gets through a wall in many physics steps of pushing as hard as actions can, any way.

`TUNNELLING_STEPS=1000000` runs a million of them, which takes some minutes; the suite runs a few per cent.
"""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, Conditions, pose_matrix
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.disturbances.mechanics import AS_SET_GRIP
from cellwright_envs.assembly.parts.pegs import PEGS, Peg
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_runtime.interface.compliant_reference import MOTION, InsertionInterface

STEPS = int(os.environ.get("TUNNELLING_STEPS", "60000"))
PARTS = ("round-8-0.1-chamfer", "square-12-0.1-chamfer", "keyed-12-0.5-chamfer", "hexagonal-12-0.3")
DEEP_M = 0.3e-3
"""Overlap that would be on its way through; the walls are centimetres thick."""
LOST_M = 0.01
FRAMES = np.zeros((2, 64, 64), np.uint8)
ENTER = np.array([0.0, 0.0, -1.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("name", PARTS)
def test_no_part_gets_through_a_wall_however_it_is_pushed(name: str) -> None:
    rng = np.random.default_rng(PARTS.index(name))
    part = PEGS.resolve(name)[0]
    cell = AssemblyCell(CONTROL_PERIOD_S, ComplianceConfig())
    env = PegInsertion()
    # Its part bears so much that it moves as fast as a full action, twice the approach speed and more.
    interface = InsertionInterface(env.layout, origin=NOMINAL_FIXTURE_W)
    env.close()
    start = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])
    fixture_w = pose_matrix(start)
    done, deepest_m, loaded = 0, 0.0, 0
    for episode in itertools.count():
        if done >= STEPS // len(PARTS):
            break
        state = cell.begin(
            part, _conditions(part, rng), *_begin(start, rng, beside=episode % 2 == 1), fixture_w
        )
        interface.begin(state.tool, np.zeros(6))
        interface.observe(state.tool, np.zeros(6), FRAMES, force_limit_n=1e3)
        for push in range(30):
            action = ENTER if push < 6 else np.sign(rng.normal(size=MOTION)) * (rng.random(MOTION) < 0.7)
            for _ in range(int(rng.integers(5, 25))):
                reference = interface.move(state.tool, interface.command(action))
                state = cell.move(reference, fixture_w)
                done += cell._sub_steps
                loaded += state.peak_force_n > 5.0
                deepest_m = max(deepest_m, -state.part_f[2, 3])
                if np.abs(cell.grasp).max() > LOST_M:
                    break  # out of the fingers: the episode is over
                assert state.overlap_m < DEEP_M
                assert not _in_a_wall(state.part_f, part, cell.conditions.clearance_m)
    cell.close()
    assert deepest_m > 0.5 * part.depth_m, "it was in the hole"
    assert loaded > 100, "it was pushed against something"


def _conditions(part: Peg, rng: np.random.Generator) -> Conditions:
    return Conditions(
        clearance_m=part.clearance_m,
        chamfer_m=part.chamfer_m,
        friction=part.friction * rng.uniform(0.5, 2.0),
        grip=AS_SET_GRIP,
        grasp=(0.0, 0.0, 0.0),
        stiffness_scale=1.0,
        dead_band_n=1.0,
    )


def _begin(start: np.ndarray, rng: np.random.Generator, *, beside: bool) -> tuple[np.ndarray]:
    """Over the hole, or beside it."""
    above = start.copy()
    above[2] += 1e-3
    above[:2] += beside * rng.uniform(-0.008, 0.008, 2)
    return (above,)


def _in_a_wall(part_f: np.ndarray, part: Peg, clearance_m: float) -> bool:
    """Whether the tip is below the block's top and further aside than hole, chamfer and lean allow."""
    below_m, aside_m = -part_f[2, 3], float(np.hypot(*part_f[:2, 3]))
    lean = float(np.hypot(*part_f[:2, 2]))
    # Eight walls touch a round peg after 1.08 clearances, four a square one after 1.41 along the diagonal.
    free_m = 1.5 * (clearance_m + (part.chamfer_m if below_m < 1.5 * part.chamfer_m else 0.0))
    free_m += lean * max(below_m, 0.0) + part.size_m * lean * lean
    return bool(below_m > DEEP_M and aside_m > free_m + DEEP_M)
