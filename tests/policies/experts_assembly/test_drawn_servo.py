"""Finding sockets, bolts and shafts by comparing the cell's drawing with both frames, and working by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellwright_assets.gripper import PAD_BLACK
from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.disturbances import AssemblyDisturbances
from cellwright_envs.assembly.disturbances.fixture import FixturePose
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_policies.experts import make_expert
from cellwright_policies.experts.assembly.base import lead_to_action
from cellwright_policies.experts.assembly.cell_drawings import GEAR, NUT, PEGS, PLUG, CellDrawing
from cellwright_policies.experts.assembly.cell_fit import CellFit, Sighting
from cellwright_policies.experts.assembly.drawn_cell import (
    Drawing,
    Prism,
    rectangle,
    rigid,
)
from cellwright_policies.experts.assembly.drawn_servo import DrawnServo, DrawnSettings
from cellwright_policies.experts.assembly.spiral_search import SpiralSearch

SEED = 7000
Work = Callable[..., list[Any]]
TASKS = {
    "cellwright/ConnectorInsertion-v1": (ConnectorInsertion, PLUG),
    "cellwright/NutFastening-v2": (NutFastening, NUT),
    "cellwright/GearMesh-v1": (GearMesh, GEAR),
}


@pytest.fixture(scope="module", params=TASKS)
def task(request: pytest.FixtureRequest) -> Iterator[tuple[str, Any, CellDrawing]]:
    """A task's id, its cell, and the drawing of it."""
    made, cell = TASKS[request.param]
    env = made(privileged=True)
    yield request.param, env, cell
    env.close()


def hovering(env: Any, seed: int, disturbances: str, product: str = "train") -> dict[str, Any]:
    """What is seen once the part has been raised to where it is looked from."""
    observation, _ = env.reset(seed=seed, options={"disturbances": disturbances, "product": product})
    for _ in range(8):
        action = np.zeros(env.action_space.shape, dtype=np.float32)
        wanted = -observation["pose"][None].astype(np.float64)
        wanted[:, 2] += DrawnSettings().hover_m
        action[:6] = lead_to_action(np.clip(wanted, -3e-3, 3e-3), observation["leash"][None], fraction=0.6)[0]
        observation = env.step(action)[0]
    return dict(observation)


def sighting(cell: CellDrawing, observation: dict[str, Any]) -> Sighting:
    drawing = Drawing(cell.prisms, cell.sizes.usual)
    fit = CellFit(cell, drawing, observation["image"], observation["pose"].astype(np.float64))
    return fit.refine(fit.search(0))


def true_place_m(env: Any, observation: dict[str, Any]) -> Any:
    return observation["pose"][:2] + env.cell.fixture_w[:2, 3] - env.part_w[:2, 3]


@pytest.mark.parametrize("cell", [PLUG, NUT, GEAR, *PEGS])
def test_corners_follow_the_sizes(cell: CellDrawing) -> None:
    """What is worked out from the usual sizes is right for all others."""
    drawing = Drawing(cell.prisms, cell.sizes.usual)
    other = cell.sizes.usual + 0.7 * cell.sizes.spread
    np.testing.assert_allclose(
        drawing.corners(other[None])[0], Drawing(cell.prisms, other).corners(other[None])[0], atol=1e-9
    )


def test_small_motions_are_rotations() -> None:
    pose = rigid(np.array([[0.0, 0.0, 0.1, 1.0, 2.0, 3.0]]))[0]
    np.testing.assert_allclose(pose[:3, 3], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(pose[:2, 0], [np.cos(0.1), np.sin(0.1)], atol=2e-4)
    np.testing.assert_allclose(pose[:3, :3] @ pose[:3, :3].T, np.eye(3), atol=1e-4)


def test_what_is_in_front_hides_what_is_behind() -> None:
    """A camera 100 mm above a plate and a smaller block on it."""
    plate, block = rectangle(-0.01, 0.01, -0.01, 0.01), rectangle(-0.005, 0.005, -0.005, 0.005)
    prisms = [
        Prism(bottom=plate, top=plate, low_m=0.0, high_m=0.0, grey=0.5),
        Prism(bottom=block, top=block, low_m=0.0, high_m=0.01, grey=0.9),
    ]
    drawing = Drawing(lambda _: prisms, np.zeros(1))
    below = np.array([1.0, -1.0, -1.0]) * drawing.corners(np.zeros((1, 1))) + np.array([0.0, 0.0, 0.1])
    out = np.zeros((64, 64), dtype=np.uint8)
    drawing.painter(below, 100.0, 1)(0, out)
    # The plate is 20 px wide, the block's top, which is nearer, 11 px; its sides cannot be seen.
    assert (out[32, [0, 24, 32, 40, 63]] == [0, 1, 6, 1, 0]).all()
    assert set(np.unique(out)) == {0, 1, 6}
    assert abs(np.count_nonzero(out[32] == 6) - 11) <= 1


@pytest.mark.parametrize("disturbances", ["none", "fixture_pose", "fixture_pose+hand_camera"])
def test_sight_finds_the_place_to_a_millimetre(task: tuple[str, Any, CellDrawing], disturbances: str) -> None:
    _, env, cell = task
    errors_m = []
    for seed in range(SEED, SEED + 3):
        observation = hovering(env, seed, disturbances)
        found = sighting(cell, observation).place_m
        errors_m.append(np.linalg.norm(found - true_place_m(env, observation)))
    assert np.median(errors_m) < 1.0e-3
    assert max(errors_m) < 3.0e-3


def test_sockets_are_seen_to_be_turned() -> None:
    """The turns found go with the true ones, and are nearer to them than no turn is."""
    env = ConnectorInsertion(privileged=True)
    found, true = [], []
    for seed in range(SEED, SEED + 8):
        observation = hovering(env, seed, "fixture_pose")
        found.append(sighting(PLUG, observation).turn_rad)
        true.append(float(observation["pose"][5] - observation["privileged"][5]))
    env.close()
    assert np.corrcoef(found, true)[0, 1] > 0.7
    assert np.std(np.subtract(found, true)) < 0.8 * np.std(true)


def test_pegs_are_told_apart_and_seen_to_be_turned() -> None:
    """Which of the four drawings agrees best, and what turn it finds for what is not round."""
    env = PegInsertion(privileged=True)
    families = ["round", "square", "keyed", "hexagonal"]
    right, errors_rad, turns_rad = [], [], []
    for seed, product in enumerate(
        ("round-12-0.3", "square-12-0.5-chamfer", "keyed-16-0.3", "hexagonal-16-0.2-chamfer")
    ):
        observation = hovering(env, SEED + seed, "fixture_pose", product)
        seen = [sighting(cell, observation) for cell in PEGS]
        best = int(np.argmin([each.cost for each in seen]))
        family = product.split("-")[0]
        right.append(families[best] == family)
        if family != "round":
            turns_rad.append(float(observation["pose"][5] - observation["privileged"][5]))
            errors_rad.append(seen[best].turn_rad - turns_rad[-1])
    env.close()
    assert np.mean(right) >= 0.75
    assert np.linalg.norm(errors_rad) < 0.7 * np.linalg.norm(turns_rad)


def test_a_frame_that_agrees_worse_costs_more() -> None:
    env = ConnectorInsertion(privileged=True)
    observation = hovering(env, SEED, "none")
    env.close()
    upside_down = {**observation, "image": np.ascontiguousarray(observation["image"][:, ::-1])}
    assert sighting(PLUG, upside_down).cost > 2.0 * sighting(PLUG, observation).cost


def test_sight_finds_more_than_the_drawing_has(task: tuple[str, Any, CellDrawing], work: Work) -> None:
    """On the same seeds, where the fixture stands up to 6 mm away along x and along y."""
    env_id, env, _ = task
    elsewhere = AssemblyDisturbances(fixture_pose=FixturePose(sigma_m=3e-3))
    blind, visual = (
        np.mean([card.success for card in work(env, expert, episodes=4, disturbances=elsewhere)])
        for expert in (make_expert(env_id, name) for name in ("blind-insertion", "visual-servo"))
    )
    assert visual >= 0.75
    assert blind <= visual - 0.3


def test_the_blind_finish_what_stands_where_the_drawing_has_it(
    task: tuple[str, Any, CellDrawing], work: Work
) -> None:
    env_id, env, _ = task
    cards = work(env, make_expert(env_id, "blind-insertion"), episodes=6, disturbances="none")
    assert all(card.success for card in cards)


def test_a_batch_is_handled_as_its_cells_alone() -> None:
    """One that has looked already beside one that is yet to."""
    env_id = "cellwright/ConnectorInsertion-v1"
    env = ConnectorInsertion()
    first, second = (hovering(env, seed, "train") for seed in (SEED, SEED + 1))
    env.close()
    together, alone = make_expert(env_id, "visual-servo"), make_expert(env_id, "visual-servo")
    pair = {name: np.stack([first[name], second[name]]) for name in first}
    single = {name: values[None] for name, values in second.items()}
    together.reset(2)
    for _ in range(13):
        together.act_batch(pair)
    together.reset(2, [1])
    alone.reset(1)
    for _ in range(13):
        np.testing.assert_allclose(together.act_batch(pair)[1], alone.act_batch(single)[0], atol=1e-6)


def test_a_place_too_far_away_is_not_believed() -> None:
    env = ConnectorInsertion()
    observation = hovering(env, SEED, "fixture_pose")
    env.close()
    batch = {name: values[None] for name, values in observation.items()}
    settings = DrawnSettings(looks=(0,))
    for furthest_m, believed in ((settings.furthest_m, True), (1e-6, False)):
        servo = DrawnServo([PLUG], SpiralSearch(), replace(settings, furthest_m=furthest_m))
        blind = SpiralSearch()
        for _ in range(2):
            moved = servo.act_batch(batch)
        same = np.array_equal(moved, blind.act_batch(batch))
        assert same != believed


@pytest.mark.parametrize("cell", [*PEGS, PLUG, NUT, GEAR])
def test_drawn_fingers_close_on_what_they_hold(cell: CellDrawing) -> None:
    prisms = cell.prisms(cell.sizes.usual)
    pads = [prism for prism in prisms if prism.gripper and prism.grey == PAD_BLACK[0]]
    low_m, high_m = pads[0].low_m, pads[0].high_m
    held = [prism for prism in prisms if prism.held and not prism.gripper]
    gripped = [prism for prism in held if prism.low_m < high_m and prism.high_m > low_m]
    reach_m = max(np.abs(prism.bottom[:, 1]).max() for prism in gripped)
    inner_m = [np.abs(pad.bottom[:, 1]).min() for pad in pads]
    assert inner_m == pytest.approx([reach_m, reach_m], rel=0.02)
