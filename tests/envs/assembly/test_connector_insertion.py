"""Connectors: sockets that fit, ribs that tell one turn from the other, latches that have to snap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S, Surface
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, CellState, Conditions, pose_matrix
from cellwright_envs.assembly.connector_insertion import (
    STRONG,
    ConnectorInsertion,
    ConnectorInsertionConfig,
    ConnectorScorecard,
)
from cellwright_envs.assembly.disturbances import resolve
from cellwright_envs.assembly.disturbances.mechanics import AS_SET_GRIP
from cellwright_envs.assembly.parts.connectors import (
    CONNECTORS,
    HOME_FRACTION,
    RAMP_M,
    RETENTION_N,
    SNAP_M,
    YIELD_M,
    Connector,
    Latch,
)
from cellwright_envs.assembly.parts.mating import LIMIT_SHARE, Mating
from cellwright_envs.physics.world import Box
from cellwright_runtime.interface.force_loop import LEASH_RETURN

ALL = pytest.mark.parametrize("part", CONNECTORS.parts, ids=lambda part: part.name)
LEASH_M = STRONG.leash_m


@pytest.fixture(scope="module")
def env() -> Iterator[ConnectorInsertion]:
    env = ConnectorInsertion(privileged=True, record_trace=True)
    yield env
    env.close()


@pytest.fixture(scope="module")
def patient() -> Iterator[ConnectorInsertion]:
    """An environment that lets a plugged connector be worked on for longer."""
    env = ConnectorInsertion(config=ConnectorInsertionConfig(hold_s=60.0))
    yield env
    env.close()


def inside(box: Box, point: NDArray[np.float64]) -> bool:
    return bool(np.all(np.abs(box.rotation_body.T @ (point - box.centre_body)) <= box.half_m))


def free_m(boxes: list[Box], start: tuple[float, float], direction: tuple[float, float], z_m: float) -> float:
    """How far one can go from `start` until a box is met, to 5 micrometres."""
    for distance_m in np.arange(0.0, 20e-3, 5e-6):
        point = np.array([*(np.array(start) + distance_m * np.array(direction)), z_m])
        if any(inside(box, point) for box in boxes):
            return float(distance_m)
    raise AssertionError("the socket has a gap")


# Sockets and plugs


@ALL
def test_socket_leaves_its_clearance_on_every_side_of_the_plug(part: Connector) -> None:
    walls = part.fixture_solids(part.clearance_m, part.chamfer_m)
    deep_m = -0.7 * part.depth_m
    half_x_m, half_y_m, rib_out_m = 0.5 * part.size_m, 0.5 * part.thickness_m, -part.outline()[:, 1].min()
    beside_m = 0.4 * part.size_m
    for start, direction, reach_m in (
        ((0.0, 0.0), (1.0, 0.0), half_x_m),
        ((0.0, 0.0), (-1.0, 0.0), half_x_m),
        ((0.0, 0.0), (0.0, 1.0), half_y_m),
        ((beside_m, 0.0), (0.0, -1.0), half_y_m),
        ((-beside_m, 0.0), (0.0, -1.0), half_y_m),
        ((0.0, 0.0), (0.0, -1.0), rib_out_m),
    ):
        assert free_m(walls, start, direction, deep_m) - reach_m == pytest.approx(part.clearance_m, abs=1e-5)


@ALL
def test_a_seated_plug_overlaps_nothing_and_its_housing_stays_out(part: Connector) -> None:
    walls = part.fixture_solids(part.clearance_m, part.chamfer_m)
    for x, y in 0.999 * part.outline():
        for height_m in np.linspace(0.01, 0.99, 7) * part.depth_m:
            point = np.array([x, y, height_m])
            assert any(inside(box, point) for box in part.solids())
            assert not any(inside(wall, point - [0.0, 0.0, part.depth_m]) for wall in walls)
    housing = part.solids()[-1]
    assert housing.centre_body[2] - housing.half_m[2] > part.depth_m
    assert 2.0 * housing.half_m[1] == pytest.approx(part.width_m)


@ALL
def test_chamfer_leads_in_from_every_side(part: Connector) -> None:
    walls = part.fixture_solids(part.clearance_m, part.chamfer_m)
    for start, direction in (((0.0, 0.0), (1.0, 0.0)), ((0.0, 0.0), (0.0, 1.0)), ((0.0, 0.0), (0.0, -1.0))):
        deep_m = free_m(walls, start, direction, -0.7 * part.depth_m)
        mouth_m = free_m(walls, start, direction, -0.1e-3)
        assert mouth_m - deep_m == pytest.approx(part.chamfer_m - 0.1e-3, abs=2e-5)


@ALL
def test_the_rib_is_in_the_way_of_a_turned_plug_even_in_the_widest_socket(part: Connector) -> None:
    fit = resolve("train").part_fit
    clearance_m = fit.clearance_factor[1] * part.clearance_m + fit.wear_m
    walls = part.fixture_solids(clearance_m, part.chamfer_m)
    rib_out_m = -part.outline()[:, 1].min()
    # Pushed as far aside as the socket allows, its rib still stands over the edge.
    free_y_m = free_m(walls, (0.0, 0.0), (0.0, 1.0), -0.7 * part.depth_m)
    lowest_m = free_m(walls, (0.4 * part.size_m, 0.0), (0.0, -1.0), -0.7 * part.depth_m)
    assert rib_out_m + 0.5 * part.thickness_m > free_y_m + lowest_m + 0.3e-3


@ALL
def test_cameras_are_shown_the_socket_that_the_plug_meets(part: Connector) -> None:
    vertices, faces, surface = part.fixture_shape(part.clearance_m, part.chamfer_m)
    corners = vertices[faces]
    walls = part.fixture_solids(part.clearance_m, part.chamfer_m)
    for kind in (Surface.WALL, Surface.CHAMFER, Surface.GROUND, Surface.HOUSING):
        chosen = corners[surface == kind]
        assert len(chosen) > 0
        normals = np.cross(chosen[:, 1] - chosen[:, 0], chosen[:, 2] - chosen[:, 0])
        normals /= np.linalg.norm(normals, axis=1, keepdims=True)
        for middle, normal in zip(chosen.mean(axis=1), normals, strict=True):
            flank = kind == Surface.CHAMFER and abs(normal[2]) < 1e-9
            assert not any(inside(box, middle + 5e-5 * normal) for box in walls)
            assert flank or any(inside(box, middle - 5e-5 * normal) for box in walls)


def test_held_out_are_a_family_and_fits_that_training_never_sees() -> None:
    training = [CONNECTORS.by_name[name] for name in CONNECTORS.splits["train"]]
    unseen = [CONNECTORS.by_name[name] for name in CONNECTORS.held_out]
    assert {part.family for part in unseen} - {part.family for part in training} == {"hdmi"}
    fits = {(part.family, part.clearance_m, part.chamfer_m) for part in CONNECTORS.parts}
    assert len(fits) == len(CONNECTORS.parts)  # no two are the same under different names
    assert min(part.clearance_m for part in training) == 0.1e-3
    assert max(part.clearance_m for part in training) == 0.5e-3


def test_impossible_connector_is_refused_with_its_value() -> None:
    sizes: dict[str, Any] = {"size_m": 12e-3, "thickness_m": 4.5e-3, "clearance_m": 0.3e-3, "depth_m": 9e-3}
    with pytest.raises(ValueError, match="got 'scart'"):
        Connector(name="odd", family="scart", **sizes)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"clearance_m=0\.001 is outside"):
        Connector(name="loose", family="usb-a", **{**sizes, "clearance_m": 1e-3})


# Latch


def resistance_n(latch: Latch, missing_m: float) -> float:
    """What the latch does with the plug `missing_m` short of its seat."""
    part_f = np.eye(4)
    part_f[2, 3] = missing_m - latch.depth_m
    wrench_f = latch.wrench_f(part_f, 4e-3)
    assert np.all(wrench_f[[0, 1, 3, 4, 5]] == 0.0)
    assert wrench_f[2] == latch.resistance_n
    return float(wrench_f[2])


def test_latch_resists_over_the_last_millimetre_then_snaps_and_pulls_home() -> None:
    latch = Latch(depth_m=9e-3, force_n=8.0)
    assert resistance_n(latch, 5e-3) == resistance_n(latch, SNAP_M + RAMP_M) == 0.0
    assert resistance_n(latch, SNAP_M + 0.5 * RAMP_M) == pytest.approx(4.0)
    assert resistance_n(latch, SNAP_M + 1e-9) == pytest.approx(8.0, abs=1e-4)
    assert not latch.latched
    assert resistance_n(latch, SNAP_M) == pytest.approx(-HOME_FRACTION * 8.0)
    assert latch.latched


def test_a_snapped_latch_holds_up_to_its_pull_out_force_and_then_lets_go() -> None:
    latch = Latch(depth_m=9e-3, force_n=8.0)
    resistance_n(latch, 0.0)
    assert resistance_n(latch, SNAP_M) == pytest.approx(-HOME_FRACTION * 8.0)
    pulls_n = [resistance_n(latch, SNAP_M + fraction * YIELD_M) for fraction in (0.2, 0.6, 1.0)]
    assert pulls_n == sorted(pulls_n, reverse=True)
    assert pulls_n[-1] == pytest.approx(-RETENTION_N)
    assert latch.latched
    assert resistance_n(latch, SNAP_M + YIELD_M + 1e-6) >= 0.0
    assert not latch.latched


# Contact


def press(
    part: Connector,
    *,
    offset_m: tuple[float, float] = (0.0, 0.0),
    turned: bool = False,
    thicker_m: float = 0.0,
    steps: int = 250,
) -> tuple[CellState, Mating, float]:
    """Push the plug down by the whole leash while searching a little around `offset_m`.

    The last state, contacts and latch, and the largest force before the plug came within 0.5 mm of the mouth.
    """
    cell = AssemblyCell(CONTROL_PERIOD_S, STRONG)
    conditions = Conditions(
        clearance_m=part.clearance_m - thicker_m,
        chamfer_m=part.chamfer_m,
        friction=part.friction,
        grip=AS_SET_GRIP,
        grasp=(0.0, 0.0, 0.0),
        stiffness_scale=1.0,
        dead_band_n=1.0,
    )
    latch = Mating(part, share=LIMIT_SHARE[1])
    fixture_w = pose_matrix(np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, np.pi if turned else 0.0]))
    start = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])
    start[:3] += [*offset_m, 5e-3]
    state = cell.begin(part, conditions, start, fixture_w, latch)
    clear_n, target = 0.0, start.copy()
    for step in range(steps):
        target[:2] = start[:2] + 0.4e-3 * np.array([np.cos(0.7 * step), np.sin(0.7 * step)])
        target[5] = start[5] + 0.02 * np.sin(0.3 * step)
        target[2] -= 0.3e-3
        target[2] += LEASH_RETURN * max(state.tool[2] - LEASH_M - target[2], 0.0)
        state = cell.move(target, fixture_w)
        if state.part_f[2, 3] > 0.5e-3:
            clear_n = max(clear_n, state.peak_force_n)
    cell.close()
    return state, latch, clear_n


@pytest.mark.parametrize("name", ["usb-a-0.3-0.8", "terminal-0.5-1", "modular-0.5-0.5", "hdmi-0.1-0.8"])
def test_a_plug_turned_by_half_a_turn_does_not_enter(name: str) -> None:
    part = CONNECTORS.by_name[name]
    state, latch, clear_n = press(part)
    assert latch.latched
    assert state.part_f[2, 3] == pytest.approx(-part.depth_m, abs=0.1e-3)
    assert state.overlap_m < 0.1e-3
    assert clear_n < 0.1  # what tool and part do to each other in the air
    turned, unlatched, _ = press(part, turned=True)
    assert turned.part_f[2, 3] > -part.chamfer_m - 0.1e-3
    assert not unlatched.latched
    assert turned.overlap_m < 0.1e-3


@pytest.mark.parametrize("name", ["usb-a-0.3-0.5", "d-sub-0.3-1", "modular-0.2-0.8", "terminal-0.1-1"])
@pytest.mark.parametrize("direction", [(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)])
def test_a_plug_outside_of_clearance_and_chamfer_does_not_enter(
    name: str, direction: tuple[float, float]
) -> None:
    part = CONNECTORS.by_name[name]
    # Beyond what the circling of the push covers, its edge stays on the socket's face.
    aside_m = part.clearance_m + part.chamfer_m + 0.7e-3
    state, latch, _ = press(part, offset_m=(aside_m * direction[0], aside_m * direction[1]), steps=40)
    # Pushed with 65 N on its edge it leans, into the chamfer on the other side.
    assert state.part_f[2, 3] > -0.5e-3
    assert not latch.latched


@pytest.mark.parametrize("name", ["usb-a-0.3-0.8", "d-sub-0.5-0.5"])
def test_a_plug_too_thick_by_a_tenth_does_not_enter(name: str) -> None:
    part = CONNECTORS.by_name[name]
    state, latch, _ = press(part, thicker_m=part.clearance_m + 0.1e-3, steps=60)
    assert state.part_f[2, 3] > -part.chamfer_m - 0.3e-3
    assert not latch.latched


# Task


def push(env: ConnectorInsertion, lead_m: float, steps: int) -> tuple[bool, dict[str, Any]]:
    """Bring the lead along z to `lead_m`, over the true socket; whether the episode ended, and its info."""
    for _ in range(steps):
        lead = env.interface.reference - env._state.tool
        wanted = np.array([*-env._state.part_f[:2, 3], lead_m, 0.0, 0.0, -env.measurement.yaw_error_rad])
        action = np.clip((wanted - lead) / env.layout.reach, -1.0, 1.0).astype(np.float32)
        action[3:5] = 0.0
        _, _, terminated, _, info = env.step(action)
        if terminated:
            return True, info
    return False, info


def begin(env: ConnectorInsertion, name: str) -> None:
    env.reset(seed=1, options={"product": name, "disturbances": "none"})


def test_success_is_a_latch_that_has_snapped(env: ConnectorInsertion) -> None:
    begin(env, "terminal-0.5-1")
    ended, info = push(env, -4.5e-3, 100)
    assert ended
    assert info["is_success"]
    card: ConnectorScorecard = env.scorecard()
    assert card.success
    assert card.latched
    assert 5.0 < card.peak_force_n < env.product.force_limit_n
    trace = env.trace()
    assert trace["latched"][-1] == 1.0
    assert 0.5 * env._mating.peak_n < trace["resistance_n"].max() <= env._mating.peak_n


def test_a_push_below_the_latch_force_stops_before_it_snaps(patient: ConnectorInsertion) -> None:
    begin(patient, "modular-0.3-0.8")
    mating = patient._mating
    plateau_n = mating.template.plateau * mating.peak_n
    assert mating.peak_n < plateau_n + 0.9 * mating.force_n  # the contacts open, and the latch does not
    push_n = 0.5 * (mating.peak_n + plateau_n + mating.force_n)
    push(patient, -(push_n - STRONG.dead_band_n) / STRONG.stiffness_n_m, 200)
    m = patient.measurement
    assert SNAP_M < m.height_m + patient.product.depth_m < SNAP_M + RAMP_M
    assert m.resistance_n == pytest.approx(push_n, rel=0.1)
    assert not m.latched
    assert m.held_s == 0.0
    push(patient, -4.5e-3, 30)
    assert patient.measurement.latched
    assert patient.measurement.held_s > 0.25


def test_a_seat_without_its_latch_is_no_success(env: ConnectorInsertion) -> None:
    begin(env, "usb-a-0.3-0.8")
    seated = np.eye(4)
    seated[2, 3] = -env.product.depth_m
    state = env._state._replace(part_f=seated)
    assert env._measure_state(state, before=env.measurement).held_s == 0.0
    env._mating.latched = True
    assert env._measure_state(state, before=env.measurement).held_s > 0.0


def test_a_snapped_plug_stays_when_let_go_and_when_pulled(patient: ConnectorInsertion) -> None:
    begin(patient, "usb-a-0.3-0.5")
    push(patient, -4.5e-3, 60)
    assert patient.measurement.latched
    push(patient, 0.0, 20)
    assert patient.measurement.height_m < -patient.product.depth_m + SNAP_M
    push(patient, 2e-3, 20)
    assert patient.measurement.latched
    assert patient.measurement.resistance_n < -8.0
    assert patient.measurement.height_m < -patient.product.depth_m + SNAP_M + YIELD_M


def test_the_latch_pays_once_and_is_paid_back_when_it_lets_go(env: ConnectorInsertion) -> None:
    begin(env, "usb-a-0.3-0.8")
    paid = []
    for latched in (False, True, True, False):
        env._mating.latched = latched
        env.measurement = env._measure_state(env._state, before=env.measurement)
        paid.append(env._reward_terms(env.measurement)["latch"])
        env._before = env.measurement
    assert paid == [0.0, 4.0, 0.0, -4.0]


def test_a_new_episode_begins_with_an_open_latch(env: ConnectorInsertion) -> None:
    begin(env, "terminal-0.5-1")
    push(env, -4.5e-3, 100)
    assert env.measurement.latched
    begin(env, "terminal-0.5-1")
    assert not env.measurement.latched
    assert not env.scorecard().latched


def test_the_critic_knows_the_latch(env: ConnectorInsertion) -> None:
    begin(env, "d-sub-0.3-1")
    told = dict(zip(env.privileged_names, env._privileged(), strict=True))
    assert (told["mating_force"], told["latched"]) == (pytest.approx(env._mating.peak_n, rel=1e-6), 0.0)
    assert 12.0 <= told["mating_force"] <= 24.0  # 0.4 to 0.8 of the 30 N of a D-Sub
    assert told["symmetry"] == pytest.approx(2.0 * np.pi)
