"""The mechanics of the assembly cell: what touches, what it weighs, what enters, what slips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest

from cellwright_assets import ur10e
from cellwright_assets.assembly_cell import CONTROL_PERIOD_S
from cellwright_assets.gripper import GRIPPER_MASS_KG
from cellwright_envs.assembly.arm_dynamics import total_stiffness_n_m
from cellwright_envs.assembly.cell import (
    GRAVITY_M_S2,
    NOMINAL_FIXTURE_W,
    AssemblyCell,
    CellState,
    Conditions,
    arm,
    pose_matrix,
)
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.parts.pegs import PEGS, Peg
from cellwright_envs.physics.world import Box, Cylinder, Grip

FIRM = Grip(along_n=200.0, across_n=200.0, twist_n_m=5.0)
FIXTURE_W = pose_matrix(np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0]))
ONE_OF_EACH = ("round-8-0.5", "square-8-0.3", "keyed-12-0.5-chamfer", "hexagonal-12-0.3")


@pytest.fixture(scope="module")
def cell() -> Iterator[AssemblyCell]:
    cell = AssemblyCell(CONTROL_PERIOD_S, ComplianceConfig())
    yield cell
    cell.close()


def conditions(part: Peg, **changed: object) -> Conditions:
    usual = Conditions(
        clearance_m=part.clearance_m,
        chamfer_m=0.0,
        friction=part.friction,
        grip=FIRM,
        grasp=(0.0, 0.0, 0.0),
        stiffness_scale=1.0,
        dead_band_n=1.0,
    )
    return replace(usual, **changed)


def above(height_m: float, lateral_m: float = 0.0, tilt_rad: float = 0.0) -> np.ndarray:
    return np.array([*(NOMINAL_FIXTURE_W + np.array([lateral_m, 0.0, height_m])), 0.0, tilt_rad, 0.0])


def press(cell: AssemblyCell, state: CellState, *, steps: int, down_m: float = 0.4e-3) -> list[CellState]:
    """Lower the reference step by step, never further than the leash ahead of the tool."""
    states, target = [], state.tool.copy()
    start = state.tool.copy()
    for _ in range(steps):
        low_m = max(target[2] - down_m, state.tool[2] - cell.compliance.leash_m)
        target = np.array([*start[:2], low_m, *start[3:]])
        state = cell.move(target, FIXTURE_W)
        states.append(state)
    return states


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_no_force_while_clear_of_the_hole(cell: AssemblyCell, name: str) -> None:
    """Down through the middle of the hole, as far as 2 mm over its ground."""
    part = PEGS.by_name[name]
    state = cell.begin(part, conditions(part), above(5e-3), FIXTURE_W)
    states = press(cell, state, steps=65)
    assert states[-1].part_f[2, 3] < -0.018
    assert max(state.peak_force_n for state in states) < 1e-3
    assert max(state.overlap_m for state in states) == 0.0


@pytest.mark.parametrize("name", ONE_OF_EACH)
@pytest.mark.parametrize("beyond_m", [0.2e-3, 0.5e-3, 2e-3])
@pytest.mark.parametrize("direction_rad", [0.0, 1.57, 2.5, 3.7, 4.71])
def test_a_part_outside_its_clearance_stays_outside(
    cell: AssemblyCell, name: str, beyond_m: float, direction_rad: float
) -> None:
    part = PEGS.by_name[name]
    stiff = conditions(part, stiffness_scale=3.0)
    # Past the corner of a square hole, not only past its flats.
    reach_m = (1.0 if part.family == "round" else 1.5) * part.clearance_m + beyond_m
    start = above(2e-3)
    start[:2] += reach_m * np.array([np.cos(direction_rad), np.sin(direction_rad)])
    states = press(cell, cell.begin(part, stiff, start, FIXTURE_W), steps=100)
    assert states[-1].peak_force_n > 10.0
    assert min(state.part_f[2, 3] for state in states) > -0.15e-3


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_part_a_tenth_too_thick_stays_outside(cell: AssemblyCell, name: str) -> None:
    part = PEGS.by_name[name]
    state = cell.begin(part, conditions(part, clearance_m=-0.1e-3), above(2e-3), FIXTURE_W)
    assert min(state.part_f[2, 3] for state in press(cell, state, steps=150)) > -0.3e-3


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_a_part_within_its_clearance_goes_in(cell: AssemblyCell, name: str) -> None:
    part = PEGS.by_name[name]
    state = cell.begin(part, conditions(part), above(2e-3, 0.8 * part.clearance_m), FIXTURE_W)
    states = press(cell, state, steps=112)
    assert states[-1].part_f[2, 3] == pytest.approx(-part.depth_m, abs=0.1e-3)
    assert max(state.overlap_m for state in states) < 0.1e-3


@pytest.mark.parametrize(("height_m", "lateral_m"), [(2e-3, 2e-3), (2e-3, 0.0)])
def test_tared_sensor_agrees_with_the_contacts_at_rest(
    cell: AssemblyCell, height_m: float, lateral_m: float
) -> None:
    """Standing on the rim, and at the ground of the hole."""
    part = PEGS.by_name["round-12-0.3"]
    state = cell.begin(part, conditions(part), above(height_m, lateral_m), FIXTURE_W)
    states = press(cell, state, steps=150)
    felt_t = states[-1].wrench_t[:3] - states[0].wrench_t[:3]
    rotation = pose_matrix(states[-1].tool)[:3, :3]
    true_w = cell.world.contact("fixture")[0]
    assert np.linalg.norm(true_w) > 5.0
    assert np.linalg.norm(rotation @ felt_t - true_w) < 0.05 * np.linalg.norm(true_w)


def test_tared_sensor_agrees_with_the_friction_that_holds_a_side_load(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-12-0.3"]
    before = cell.begin(part, conditions(part, friction=0.4), above(2e-3, 2e-3), FIXTURE_W)
    state = press(cell, before, steps=100)[-1]
    pulled = state.tool + np.array([0.0, 0.0, -cell.compliance.leash_m, 0.0, 0.0, 0.0])
    for step in range(70):
        pulled[0] += 0.05e-3 * (step < 50)  # so slowly that the damper does not make it slide
        state = cell.move(pulled, FIXTURE_W)
    felt_w = pose_matrix(state.tool)[:3, :3] @ (state.wrench_t - before.wrench_t)[:3]
    true_w = cell.world.contact("fixture")[0]
    assert felt_w[0] < -1.0
    np.testing.assert_allclose(felt_w, true_w, atol=0.05 * float(np.linalg.norm(true_w)))


def test_sensor_feels_the_weight_of_gripper_and_part_in_the_air(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-16-1"]
    tilt_rad = 0.1
    state = cell.begin(part, conditions(part), above(0.02, tilt_rad=tilt_rad), FIXTURE_W)
    weight_n = (GRIPPER_MASS_KG + part.mass_kg) * GRAVITY_M_S2
    expected = weight_n * np.array([np.sin(tilt_rad), 0.0, -np.cos(tilt_rad)])
    np.testing.assert_allclose(state.wrench_t[:3], expected, rtol=1e-6)
    # The centre of mass is over the tip and the tool leans towards +x: it turns the sensor further about +y.
    assert state.wrench_t[4] > 0.05


def test_leash_times_stiffness_bounds_the_force(cell: AssemblyCell) -> None:
    part = PEGS.by_name["square-16-1"]
    config = cell.compliance
    state = cell.begin(part, conditions(part), above(1e-3, 4e-3), FIXTURE_W)
    states = press(cell, state, steps=150)
    bound_n = config.leash_m * config.stiffness_n_m + config.dead_band_n
    assert states[-1].peak_force_n == pytest.approx(bound_n, rel=0.01)


def test_part_slips_at_the_limit_of_the_grip_and_stays_where_it_slipped_to(cell: AssemblyCell) -> None:
    part = PEGS.by_name["square-16-1"]
    weak = conditions(part, grip=Grip(along_n=4.0, across_n=50.0, twist_n_m=1.0))
    state = cell.begin(part, weak, above(1e-3, 4e-3), FIXTURE_W)
    states = press(cell, state, steps=75)
    assert states[-1].peak_force_n == pytest.approx(4.0, rel=0.05)
    lifted = states[-1].tool + np.array([0.0, 0.0, 0.01, 0.0, 0.0, 0.0])
    for _ in range(10):
        cell.move(lifted, FIXTURE_W)
    assert cell.grasp[2] > 5e-3
    assert cell.world.grip_state()[0][2] == pytest.approx(cell.grasp[2], abs=0.01e-3)


@pytest.mark.parametrize("grasp", [(0.0, 0.0, 0.0), (0.03, 1e-3, -2e-3)])
def test_part_hangs_where_the_grasp_says(cell: AssemblyCell, grasp: tuple[float, float, float]) -> None:
    part = PEGS.by_name["round-8-0.5"]
    state = cell.begin(part, conditions(part, grasp=grasp), above(0.02), FIXTURE_W)
    turn_rad, x_m, z_m = grasp
    pads_m = 0.048
    tip_f = [x_m - pads_m * np.sin(turn_rad), 0.0, 0.02 + z_m + pads_m * (1.0 - np.cos(turn_rad))]
    np.testing.assert_allclose(state.part_f[:3, 3], tip_f, atol=1e-9)
    assert np.arctan2(state.part_f[0, 2], state.part_f[2, 2]) == pytest.approx(turn_rad)
    moved = cell.move(above(0.02), FIXTURE_W)
    np.testing.assert_allclose(moved.part_f[:3, 3], tip_f, atol=1e-6)


def test_dead_band_holds_the_arm_still_under_small_forces(cell: AssemblyCell) -> None:
    part = PEGS.by_name["square-16-1"]
    forces_n = []
    for dead_band_n in (0.5, 4.0):
        state = cell.begin(part, conditions(part, dead_band_n=dead_band_n), above(1e-3, 4e-3), FIXTURE_W)
        for _ in range(20):
            state = cell.move(above(-1.2e-3, 4e-3), FIXTURE_W)
        forces_n.append(state.peak_force_n)
    # 1.2 mm under the surface: the spring's 1.8 N and whatever band comes on top, less what bends.
    bends = cell.compliance.stiffness_n_m / total_stiffness_n_m(cell.compliance.arm)
    assert forces_n == pytest.approx([(1.8 + band_n) / (1.0 + bends) for band_n in (0.5, 4.0)], rel=0.01)


def test_reference_goes_no_faster_than_the_joints(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-8-0.5"]
    state = cell.begin(part, conditions(part), above(0.05), FIXTURE_W)
    joints_rad = cell.joints_rad
    state = cell.move(above(0.05, 0.5), FIXTURE_W)
    moved_m = state.tool[0] - NOMINAL_FIXTURE_W[0]
    assert moved_m < 0.2
    state = cell.move(state.tool, FIXTURE_W)
    step_rad = np.asarray(ur10e.SPEED_LIMIT_RAD_S) * CONTROL_PERIOD_S
    assert np.all(np.abs(cell.joints_rad - joints_rad) <= step_rad + 1e-9)


def test_joints_follow_the_tool(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-8-0.5"]
    state = cell.begin(part, conditions(part), above(0.02), FIXTURE_W)
    target = above(0.01, 2e-3)
    for _ in range(60):
        state = cell.move(target, FIXTURE_W)
    np.testing.assert_allclose(state.tool, target, atol=3e-6)
    np.testing.assert_allclose(arm().tool_pose(cell.joints_rad), pose_matrix(target), atol=1e-5)


def test_tight_fits_are_simulated_at_twice_the_rate(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-12-0.3"]
    periods_s = []
    for clearance_m in (0.26e-3, 0.24e-3):
        cell.begin(part, conditions(part, clearance_m=clearance_m), above(2e-3), FIXTURE_W)
        periods_s.append(cell.world.physics_period_s)
    assert periods_s[1] == pytest.approx(0.5 * periods_s[0])


def test_a_moving_fixture_takes_the_part_along(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-8-0.5"]
    state = cell.begin(part, conditions(part), above(2e-3), FIXTURE_W)
    states = press(cell, state, steps=50)
    moved_w = FIXTURE_W.copy()
    for step in range(70):
        moved_w[0, 3] += 0.05e-3 * (step < 40)
        state = cell.move(states[-1].tool, moved_w)
    # Through its clearance the part stays; then the arm gives way by what fingers and joints do not bend.
    assert state.tool[0] - states[-1].tool[0] == pytest.approx(2e-3 - 0.5e-3, abs=0.3e-3)
    assert state.overlap_m < 0.2e-3
    np.testing.assert_array_equal(cell.fixture_w, moved_w)


def test_one_begin_is_one_course_of_events(cell: AssemblyCell) -> None:
    """Also after another part has been in the cell."""

    def course() -> np.ndarray:
        part = PEGS.by_name["keyed-8-0.3-chamfer"]
        state = cell.begin(part, conditions(part), above(2e-3, 0.4e-3), FIXTURE_W)
        return np.array([state.part_f for state in press(cell, state, steps=75)])

    first = course()
    other = PEGS.by_name["square-12-0.1-chamfer"]
    press(cell, cell.begin(other, conditions(other), above(2e-3), FIXTURE_W), steps=25)
    np.testing.assert_array_equal(course(), first)


class Pull:
    """A wrench that is the same at every moment, in the fixture's frame."""

    def __init__(self, *wrench_f: float) -> None:
        self.wrench = np.array(wrench_f)
        self.seen: list[np.ndarray] = []

    def wrench_f(self, part_f: np.ndarray, dt: float) -> np.ndarray:
        self.seen.append(part_f)
        return self.wrench


def test_resistance_pulls_along_the_axes_of_the_fixture(cell: AssemblyCell) -> None:
    """Also about them, with a part whose frame is neither the fixture's nor the world's."""
    part = PEGS.by_name["round-8-0.5"]
    leaning = pose_matrix(np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.5 * np.pi]))
    pull = Pull(6.0, 0.0, 0.0, 0.0, 0.2, 0.0)
    start = above(0.02, tilt_rad=0.1)
    free = cell.begin(part, conditions(part), start, leaning, pull)
    for _ in range(120):  # the damper gives way to the spring within a second
        state = cell.move(start, leaning)
    turned = pose_matrix(state.tool)[:3, :3]
    # The fixture's x is the world's y, its y the world's -x.
    force_w = turned @ state.wrench_t[:3] - pose_matrix(free.tool)[:3, :3] @ free.wrench_t[:3]
    np.testing.assert_allclose(force_w, [0.0, 6.0, 0.0], atol=0.02)
    # The dead band of 1 N, then the spring.
    moved_m = (state.tool - free.tool)[:3]
    np.testing.assert_allclose(moved_m, [0.0, (6.0 - 1.0) / 1500.0, 0.0], atol=0.03e-3)
    leant_rad = (state.tool - free.tool)[3:]
    assert leant_rad[0] == pytest.approx(-(0.2 - 0.02) / 12.0, abs=0.1e-3)
    assert abs(leant_rad[1]) < 1e-3
    assert state.peak_force_n == pytest.approx(6.0, rel=0.02)
    np.testing.assert_allclose(pull.seen[-1], state.part_f, atol=1e-6)


def test_torque_is_felt_in_the_frame_of_the_tool(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-8-0.5"]
    torque_n_m = np.array([0.1, -0.2, 0.05])
    start = above(0.02)
    start[5] = 0.5
    free = cell.begin(part, conditions(part), start, FIXTURE_W, Pull(0.0, 0.0, 0.0, *torque_n_m))
    for _ in range(30):
        state = cell.move(start, FIXTURE_W)
    felt_w, weight_w = (pose_matrix(each.tool)[:3, :3] @ each.wrench_t[3:] for each in (state, free))
    # Leaning by a hundredth of a radian, the gripper's weight adds as much of a newton metre.
    np.testing.assert_allclose(felt_w - weight_w, torque_n_m, atol=0.02)


def test_resistance_beyond_the_grip_pulls_the_part_out_of_the_fingers(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-8-0.5"]
    slips_m = []
    for pull_n in (3.0, 5.0):
        weak = conditions(part, grip=Grip(along_n=4.0, across_n=50.0, twist_n_m=1.0))
        cell.begin(part, weak, above(0.02), FIXTURE_W, Pull(0.0, 0.0, pull_n, 0.0, 0.0, 0.0))
        for _ in range(10):
            cell.move(above(0.02), FIXTURE_W)
        slips_m.append(cell.grasp[2])
    assert abs(slips_m[0]) < 0.1e-3
    assert slips_m[1] > 1e-3


def test_an_episode_without_resistance_feels_nothing_of_the_one_before(cell: AssemblyCell) -> None:
    part = PEGS.by_name["round-8-0.5"]
    cell.begin(part, conditions(part), above(0.02), FIXTURE_W, Pull(0.0, 0.0, 9.0, 0.0, 0.0, 0.0))
    cell.move(above(0.02), FIXTURE_W)
    cell.begin(part, conditions(part), above(0.02), FIXTURE_W)
    assert cell.move(above(0.02), FIXTURE_W).peak_force_n < 1e-3


@dataclass(frozen=True, kw_only=True)
class Pin(Peg):
    """The other way round: a hexagonal bar is held over a round pin that stands in the fixture."""

    def fixture_solids(self, clearance_m: float, chamfer_m: float) -> list[Cylinder]:
        return [Cylinder(radius_m=4e-3, length_m=0.02, centre_body=np.array([0.0, 0.0, -0.01]))]


def test_a_fixture_may_have_round_solids(cell: AssemblyCell) -> None:
    """Beyond 4 mm and the bar's own half width, 4 mm to its flat, there is nothing to stand on."""
    pin = Pin(name="bar", family="hexagonal", size_m=8e-3, clearance_m=0.5e-3)
    for aside_m, stands in ((7.9e-3, True), (8.1e-3, False)):
        state = cell.begin(pin, conditions(pin), above(2e-3, aside_m), FIXTURE_W)
        state = press(cell, state, steps=30)[-1]
        assert (state.part_f[2, 3] > -0.2e-3) == stands


def test_a_part_of_more_solids_than_the_physics_takes_is_refused(cell: AssemblyCell) -> None:
    class Hedgehog(Peg):
        def solids(self) -> list[Box | Cylinder]:
            return 17 * super().solids()

    hedgehog = Hedgehog(name="hedgehog", family="round", size_m=8e-3, clearance_m=0.5e-3)
    with pytest.raises(ValueError, match="at most 16 solids, got 17"):
        cell.begin(hedgehog, conditions(hedgehog), above(0.02), FIXTURE_W)


def test_control_period_must_be_whole_physics_steps() -> None:
    with pytest.raises(ValueError, match=r"control_period_s=0\.03"):
        AssemblyCell(0.03, ComplianceConfig())


@pytest.mark.parametrize("part", PEGS.parts, ids=lambda part: part.name)
def test_the_hole_holds_the_part_on_every_side(cell: AssemblyCell, part: Peg) -> None:
    """Pulled sideways in the hole, in twelve directions, the part meets a wall after its clearance."""
    for direction_rad in 2.0 * np.pi * np.arange(12) / 12:
        state = cell.begin(part, conditions(part, chamfer_m=part.chamfer_m), above(-0.02), FIXTURE_W)
        pull_m = part.clearance_m + 2.5e-3
        aside = above(-0.02)
        aside[:2] += pull_m * np.array([np.cos(direction_rad), np.sin(direction_rad)])
        for _ in range(12):
            state = cell.move(aside, FIXTURE_W)
        assert np.hypot(*state.part_f[:2, 3]) < 1.5 * part.clearance_m + 0.03e-3
        assert state.overlap_m < 0.05e-3


@pytest.mark.parametrize("name", ["round-8-0.1-chamfer", "square-12-0.1-chamfer", "round-16-0.2-chamfer"])
@pytest.mark.parametrize("direction_rad", [0.0, 0.4, 1.57, 2.0, 3.5, 5.0])
def test_a_part_that_slid_down_the_chamfer_stands_on_nothing(
    cell: AssemblyCell, name: str, direction_rad: float
) -> None:
    """Led over the middle once it has met the chamfer, a well oiled part goes to the ground of the hole."""
    part = PEGS.by_name[name]
    start = above(2e-3)
    start[:2] += 0.5e-3 * np.array([np.cos(direction_rad), np.sin(direction_rad)])
    oiled = conditions(part, chamfer_m=part.chamfer_m, friction=0.02)
    state = press(cell, cell.begin(part, oiled, start, FIXTURE_W), steps=15)[-1]
    for _ in range(120):
        state = cell.move(above(max(state.tool[2] - NOMINAL_FIXTURE_W[2] - 3e-3, -0.03)), FIXTURE_W)
    assert state.part_f[2, 3] == pytest.approx(-part.depth_m, abs=0.1e-3)
