"""Gears: bores that fit their shaft, teeth that fit between their neighbours', and the order of the two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import BLOCK_HEIGHT_M, CONTROL_PERIOD_S, LINE_RAD, Surface
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, CellState, Conditions, pose_matrix
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.disturbances.mechanics import AS_SET_GRIP
from cellwright_envs.assembly.gear_mesh import GearMesh, GearMeshScorecard
from cellwright_envs.assembly.parts.gears import GEARS, Gear
from cellwright_envs.assembly.parts.solids import about_z
from cellwright_envs.physics.world import Box
from cellwright_runtime.interface.force_loop import LEASH_RETURN

Polygon = NDArray[np.float64]

ALL = pytest.mark.parametrize("gear", GEARS.parts, ids=lambda gear: gear.name)
SOME = pytest.mark.parametrize(
    "name",
    ["m1-z16-b6-0.25-chamfer", "m1.25-z19-b8-0.3", "m1.5-z17-b10-0.2-chamfer", "m2-z16-b8-0.1-chamfer"],
)
ODD: dict[str, Any] = {
    "name": "odd",
    "module_m": 1.75e-3,
    "teeth": 13,
    "size_m": 9e-3,
    "clearance_m": 0.2e-3,
    "first_neighbour": 30,
    "second_neighbour": 15,
    "backlash_m": 0.3e-3,
}


@pytest.fixture(scope="module")
def env() -> Iterator[GearMesh]:
    env = GearMesh(privileged=True, record_trace=True)
    yield env
    env.close()


# Teeth, in plan


def plan(box: Box) -> Polygon:
    """Corners (4, 2) of an upright box."""
    corners = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]) * box.half_m[:2]
    return np.asarray(corners @ box.rotation_body[:2, :2].T + box.centre_body[:2])


def turned(polygon: Polygon, yaw_rad: float) -> Polygon:
    return np.asarray(polygon @ about_z(yaw_rad)[:2, :2].T)


def overlap(a: Polygon, b: Polygon) -> bool:
    """Whether two convex polygons overlap: no edge of either separates them."""
    edges = np.concatenate([np.roll(each, -1, axis=0) - each for each in (a, b)])
    across = np.column_stack([edges[:, 1], -edges[:, 0]])
    ours, theirs = across @ a.T, across @ b.T
    apart = (ours.max(axis=1) < theirs.min(axis=1)) | (theirs.max(axis=1) < ours.min(axis=1))
    return not bool(apart.any())


def boxes_meet(gear: Gear, yaw_rad: float) -> bool:
    """Whether the seated gear's boxes, turned by `yaw_rad`, overlap one of its neighbours' teeth."""
    teeth = [plan(box) for box in gear._neighbour_teeth()]
    return any(overlap(turned(plan(box), yaw_rad), tooth) for box in gear.solids() for tooth in teeth)


def outlines_cross(gear: Gear, yaw_rad: float) -> bool:
    """The same of the involutes that pictures show: whether two of their edges cross."""
    own = turned(gear.wheel.outline(LINE_RAD, fine=True), yaw_rad)
    return any(
        crossing(own, mesh.neighbour.outline(mesh.neighbour_turn_rad, fine=True) + mesh.centre_m)
        for mesh in gear.meshes
    )


def crossing(a: Polygon, b: Polygon) -> bool:
    def cross(u: Polygon, v: Polygon) -> Polygon:
        return np.asarray(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])

    along_a, along_b = (np.roll(each, -1, axis=0) - each for each in (a, b))
    start, across = b[None] - a[:, None], cross(along_a[:, None], along_b[None])
    across = np.where(across == 0.0, np.inf, across)
    share_a, share_b = cross(start, along_b[None]) / across, cross(start, along_a[:, None]) / across
    return bool(((share_a > 0.0) & (share_a < 1.0) & (share_b > 0.0) & (share_b < 1.0)).any())


@ALL
def test_a_seated_gear_turns_by_its_backlash_and_no_further(gear: Gear) -> None:
    free_rad = 0.5 * gear.backlash_m / (0.5 * gear.module_m * gear.teeth)
    assert gear.free_yaw_rad == pytest.approx(free_rad)
    for fraction in (-0.98, -0.5, 0.0, 0.5, 0.98):
        assert not boxes_meet(gear, fraction * free_rad)
    half_pitch_rad = 0.5 * gear.symmetry_rad
    for yaw_rad in np.linspace(1.02 * free_rad, half_pitch_rad, 24):
        assert boxes_meet(gear, yaw_rad)
        assert boxes_meet(gear, -yaw_rad)


@ALL
def test_drawn_teeth_have_the_play_of_those_that_collide(gear: Gear) -> None:
    """Up to what nine points on an involute cut off."""
    for sign in (-1.0, 1.0):
        assert not outlines_cross(gear, 0.98 * sign * gear.free_yaw_rad)
        assert outlines_cross(gear, 1.1 * sign * gear.free_yaw_rad)


@ALL
def test_teeth_that_collide_are_among_those_drawn(gear: Gear) -> None:
    for mesh in gear.meshes:
        for wheel, drawn_rad, boxes_rad in (
            (gear.wheel, LINE_RAD, mesh.gear_teeth_rad),
            (mesh.neighbour, mesh.neighbour_turn_rad, mesh.neighbour_teeth_rad),
        ):
            pitches = (boxes_rad - drawn_rad) / wheel.pitch_rad
            np.testing.assert_allclose(pitches, np.round(pitches), atol=1e-9)


@ALL
def test_bore_leaves_its_clearance_around_the_shaft(gear: Gear) -> None:
    staves = [plan(box) for box in gear.solids()[:8]]
    faces_m = [np.abs(stave @ (stave.mean(axis=0) / np.linalg.norm(stave.mean(axis=0)))) for stave in staves]
    np.testing.assert_allclose([face.min() for face in faces_m], 0.5 * gear.size_m, atol=1e-9)
    shaft = gear.fixture_solids(gear.clearance_m, gear.chamfer_m)[0]
    assert 0.5 * gear.size_m - shaft.radius_m == pytest.approx(gear.clearance_m)  # type: ignore[union-attr]


@ALL
def test_cameras_are_shown_closed_gears_without_their_undersides(gear: Gear) -> None:
    vertices, faces, surface = gear.fixture_shape(gear.clearance_m, gear.chamfer_m)
    assert vertices[:, 2].min() == pytest.approx(-BLOCK_HEIGHT_M)
    assert vertices[:, 2].max() == pytest.approx(0.0)
    corners = vertices[faces]
    assert (np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2] > -1e-12).all()
    # Seen from above, each neighbour covers its outline.
    upper = np.ptp(corners[..., 2], axis=1) < 1e-9
    top = corners[upper & (surface == Surface.GEAR) & np.isclose(corners[:, 0, 2], -gear.over_mesh_m)]
    area_m2 = 0.5 * np.linalg.norm(np.cross(top[:, 1] - top[:, 0], top[:, 2] - top[:, 0]), axis=1).sum()
    outlines = [mesh.neighbour.outline() for mesh in gear.meshes]
    x_y = [(each[:, 0], np.roll(each[:, 1], -1) - np.roll(each[:, 1], 1)) for each in outlines]
    assert area_m2 == pytest.approx(sum(0.5 * float(x @ dy) for x, dy in x_y))


def test_held_out_is_a_tooth_count_and_a_bore_that_training_never_sees() -> None:
    training = [GEARS.by_name[name] for name in GEARS.splits["train"]]
    unseen = [GEARS.by_name[name] for name in GEARS.held_out]
    assert {gear.teeth for gear in unseen} - {gear.teeth for gear in training} == {20}
    assert {gear.size_m for gear in unseen} - {gear.size_m for gear in training} == {7e-3}
    assert len(unseen) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"second_neighbour": 11}, r"second_neighbour=11 is outside"),
        ({"backlash_m": 0.0}, r"need 0 < self\.backlash_m=0\.0"),
        ({"clearance_m": 0.45e-3}, r"self\.clearance_m=0\.00045 is more than a quarter"),
        ({"module_m": 0.9e-3}, r"hub around self\.size_m=0\.009 is wider"),
        ({"depth_m": 15e-3, "face_m": 15e-3}, r"need self\.face_m=0\.015 < self\.depth_m=0\.015"),
        ({"teeth": 50}, r"teeth=50 is outside"),
    ],
)
def test_impossible_gear_is_refused_with_its_value(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gear(**{**ODD, **change})


# Contact


def press(
    gear: Gear,
    *,
    offset_m: tuple[float, float] = (0.0, 0.0),
    yaw_rad: float = 0.0,
    tighter_m: float = 0.0,
    steps: int = 200,
) -> tuple[CellState, float]:
    """Push the gear down while searching a little around `offset_m`, turned by `yaw_rad`.

    The last state, and the largest force before the gear came within 0.5 mm of the shaft's top.
    """
    cell = AssemblyCell(CONTROL_PERIOD_S, ComplianceConfig())
    conditions = Conditions(
        clearance_m=gear.clearance_m - tighter_m,
        chamfer_m=gear.chamfer_m,
        friction=gear.friction,
        grip=AS_SET_GRIP,
        grasp=(0.0, 0.0, 0.0),
        stiffness_scale=1.0,
        dead_band_n=1.0,
    )
    fixture_w = pose_matrix(np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0]))
    start = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, yaw_rad])
    start[:3] += [*offset_m, 4e-3]
    state = cell.begin(gear, conditions, start, fixture_w)
    clear_n, target = 0.0, start.copy()
    for step in range(steps):
        target[:2] = start[:2] + 0.2e-3 * np.array([np.cos(0.7 * step), np.sin(0.7 * step)])
        target[2] -= 0.3e-3
        target[2] += LEASH_RETURN * max(state.tool[2] - 3e-3 - target[2], 0.0)
        state = cell.move(target, fixture_w)
        if state.part_f[2, 3] > 0.5e-3:
            clear_n = max(clear_n, state.peak_force_n)
    cell.close()
    return state, clear_n


@SOME
def test_teeth_half_a_pitch_off_do_not_enter_and_those_a_pitch_off_do(name: str) -> None:
    gear = GEARS.by_name[name]
    stopped, clear_n = press(gear, yaw_rad=0.5 * gear.symmetry_rad)
    assert clear_n < 0.1  # what tool and part do to each other in the air
    assert stopped.part_f[2, 3] == pytest.approx(-gear.over_mesh_m, abs=0.1e-3)
    assert stopped.overlap_m < 0.1e-3
    for yaw_rad in (0.0, gear.symmetry_rad):
        seated, clear_n = press(gear, yaw_rad=yaw_rad)
        assert clear_n < 0.1
        assert seated.part_f[2, 3] == pytest.approx(-gear.depth_m, abs=0.1e-3)
        assert seated.overlap_m < 0.1e-3


@SOME
@pytest.mark.parametrize("angle_rad", LINE_RAD + 0.5 * np.pi * np.arange(4))
def test_a_gear_off_its_shaft_does_not_enter(name: str, angle_rad: float) -> None:
    gear = GEARS.by_name[name]
    # Beyond what the circling of the push covers, the shaft's end meets the gear.
    aside_m = gear.clearance_m + gear.chamfer_m + 0.6e-3
    state, _ = press(gear, offset_m=(aside_m * np.cos(angle_rad), aside_m * np.sin(angle_rad)), steps=40)
    assert state.part_f[2, 3] > -0.1e-3


@SOME
def test_a_bore_too_tight_by_a_twentieth_does_not_enter(name: str) -> None:
    gear = GEARS.by_name[name]
    state, _ = press(gear, tighter_m=gear.clearance_m + 0.05e-3, steps=60)
    assert state.part_f[2, 3] > -gear.chamfer_m - 0.3e-3


@pytest.mark.parametrize("angle_rad", [LINE_RAD, LINE_RAD + np.pi])
def test_a_gear_beside_its_shaft_stands_on_a_neighbour(angle_rad: float) -> None:
    gear = GEARS.by_name["m2-z16-b8-0.1-chamfer"]
    aside_m = 0.5 * gear.size_m + gear.wheel.root_m
    state, _ = press(gear, offset_m=(aside_m * np.cos(angle_rad), aside_m * np.sin(angle_rad)), steps=40)
    assert state.part_f[2, 3] > -gear.over_mesh_m - 0.1e-3


# Task


def push(env: GearMesh, *, yaw_rad: float, steps: int) -> tuple[bool, dict[str, Any]]:
    """Push on the true shaft, the gear turned by `yaw_rad`; whether the episode ended, and its info."""
    for _ in range(steps):
        lead = env.interface.reference - env._state.tool
        wanted = np.array(
            [*-env._state.part_f[:2, 3], -2.5e-3, 0.0, 0.0, yaw_rad - env.measurement.yaw_error_rad]
        )
        action = np.clip((wanted - lead) / env.layout.reach, -1.0, 1.0).astype(np.float32)
        _, _, terminated, _, info = env.step(action)
        if terminated:
            return True, info
    return False, info


def begin(env: GearMesh, product: str | Gear) -> None:
    env.reset(seed=1, options={"product": product, "disturbances": "none"})


def test_a_turned_gear_waits_on_its_shaft_until_its_teeth_find_their_gaps(env: GearMesh) -> None:
    begin(env, "m1-z24-b8-0.25")
    ended, _ = push(env, yaw_rad=0.06, steps=60)
    assert not ended
    card: GearMeshScorecard = env.scorecard()
    assert card.depth_share == pytest.approx(0.5, abs=0.01)
    assert card.meshed_share == pytest.approx(0.0, abs=0.02)
    ended, info = push(env, yaw_rad=0.0, steps=60)
    assert ended
    assert info["is_success"]
    assert info["scorecard"]["meshed_share"] == 1.0
    assert env.trace()["meshed_m"][-1] == pytest.approx(env.product.face_m)


def test_a_new_gear_is_data(env: GearMesh) -> None:
    gear = Gear(**ODD)
    assert len(gear.solids()) <= 16
    begin(env, gear)
    ended, info = push(env, yaw_rad=0.0, steps=100)
    assert ended
    assert info["is_success"]
    assert info["product"] == "odd"


def test_a_gear_beside_its_shaft_is_not_in_however_low(env: GearMesh) -> None:
    begin(env, "m1-z16-b6-0.25-chamfer")
    low = np.eye(4)
    low[:3, 3] = [0.2e-3, 0.0, -env.product.depth_m]
    assert env._measure_state(env._state._replace(part_f=low), before=env.measurement).meshed_m > 9.9e-3
    low[0, 3] = 9e-3
    beside = env._measure_state(env._state._replace(part_f=low), before=env.measurement)
    assert (beside.depth_m, beside.meshed_m, beside.held_s) == (0.0, 0.0, 0.0)


def test_mesh_is_paid_for_on_the_lower_half_and_paid_back(env: GearMesh) -> None:
    begin(env, "m1-z16-b6-0.25-chamfer")
    paid = []
    for height_m in (0.0, -10e-3, -15e-3, -20e-3, -10e-3):
        part_f = np.eye(4)
        part_f[2, 3] = height_m
        env._before = env.measurement
        env.measurement = env._measure_state(env._state._replace(part_f=part_f), before=env.measurement)
        paid.append(env._reward_terms(env.measurement)["mesh"])
    np.testing.assert_allclose(paid, [0.0, 0.0, 2.0, 2.0, -4.0], atol=1e-9)


def test_the_critic_knows_what_the_teeth_allow(env: GearMesh) -> None:
    begin(env, "m1-z16-b6-0.25-chamfer")
    told = dict(zip(env.privileged_names, env._privileged(), strict=True))
    assert (told["face"], told["backlash"]) == (10e-3, 0.25e-3)
    assert told["free_yaw"] == pytest.approx(0.125 / 8.0)
    assert told["symmetry"] == pytest.approx(2.0 * np.pi / 16)
