"""Experts that put gears onto their shafts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cellwright_assets.assembly_cell import TURN_RAD
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_policies.experts import make_expert
from cellwright_policies.experts.assembly.guide import Spiral
from cellwright_policies.experts.assembly.mesh import PITCH_M, MeshGuide, MeshOracle
from cellwright_policies.experts.assembly.oracle import Oracle

ENV_ID = "cellwright/GearMesh-v1"
SEED = 7000
Work = Callable[..., list[Any]]
Misled = Callable[..., Any]


@pytest.fixture(scope="module")
def env() -> Iterator[GearMesh]:
    env = GearMesh(privileged=True)
    yield env
    env.close()


def batched(observation: dict[str, Any]) -> dict[str, Any]:
    return {name: values[None] for name, values in observation.items()}


@pytest.mark.parametrize(
    ("name", "product", "disturbances"),
    [
        ("oracle", "train", "train"),
        ("oracle", "held-out", "train"),
        ("oracle", "all", "hard"),
        ("oracle", "train", "late"),
        ("guide", "train", "train"),
        ("guide", "held-out", "late"),
        ("spiral-search", "all", "none"),
    ],
)
def test_every_gear_is_seated_in_mesh(
    env: GearMesh, name: str, product: str, disturbances: str, work: Work
) -> None:
    expert = make_expert(ENV_ID, name, env.privileged_names)
    cards = work(env, expert, episodes=8, product=product, disturbances=disturbances)
    assert all(card.success and card.meshed_share > 0.9 for card in cards)
    assert max(card.peak_force_n for card in cards) < 25.0, "the part bears 30 N"


@pytest.mark.parametrize("seed", [9409])
def test_an_oracle_that_does_not_line_up_again_over_the_teeth_stands_on_them(
    env: GearMesh, seed: int, work: Work
) -> None:
    fraction = {
        kind.__name__: work(
            env,
            kind(env.privileged_names),
            episodes=1,
            first=seed,
            product="all",
            disturbances="hard",
        )[0].meshed_share
        for kind in (Oracle, MeshOracle)
    }
    assert fraction["Oracle"] < 0.1
    assert fraction["MeshOracle"] > 0.9


@pytest.mark.parametrize("yaw_error", [-0.06, 0.06])
def test_over_the_teeth_the_guide_turns_one_way_and_presses_where_the_oracle_lines_up(
    env: GearMesh, yaw_error: float
) -> None:
    observation, _ = env.reset(seed=SEED, options={"product": "m1-z24-b8-0.25", "disturbances": "none"})
    names = env.privileged_names
    beside = {key: np.array(values[None]) for key, values in observation.items()}
    beside["privileged"][0, [names.index(name) for name in ("tip_x", "tip_y", "tip_z", "yaw_error")]] = (
        0.0,
        0.0,
        -env.product.over_mesh_m + 0.5e-3,
        yaw_error,
    )
    oracle, guide = (kind(names).act_batch(beside)[0] for kind in (MeshOracle, MeshGuide))
    assert oracle[2] > 0.0 > guide[2]
    assert oracle[5] * yaw_error < -0.02
    assert guide[5] > 0.5


@pytest.mark.parametrize("seed", [300_003, 300_025, 300_049])
def test_the_guide_gets_past_rough_chamfers_and_flanks(env: GearMesh, seed: int, work: Work) -> None:
    """With much friction and a late arm; the episodes of the preset are 400 steps long."""
    expert = make_expert(ENV_ID, "guide", env.privileged_names)
    (card,) = work(env, expert, episodes=1, first=seed, steps=400, product="train", disturbances="hard")
    assert card.success


def test_over_the_teeth_the_guide_goes_around_the_axis_of_the_shaft(env: GearMesh) -> None:
    observation, _ = env.reset(seed=SEED, options={"product": "m1-z24-b8-0.25", "disturbances": "none"})
    names = env.privileged_names
    sideways = []
    for tip_m in (-0.2e-3, 0.2e-3):
        beside = {key: np.array(values[None]) for key, values in observation.items()}
        columns = [names.index(name) for name in ("tip_x", "tip_y", "tip_z")]
        beside["privileged"][0, columns] = tip_m, 0.0, 0.5e-3 - env.product.over_mesh_m
        sideways.append(MeshGuide(names).act_batch(beside)[0, 0])
    assert sideways[0] > sideways[1] + 0.5


def test_over_the_teeth_the_guide_turns_back_where_it_is_held(env: GearMesh) -> None:
    observation, _ = env.reset(seed=SEED, options={"product": "m1-z24-b8-0.25", "disturbances": "none"})
    names = env.privileged_names
    held = {key: np.array(values[None]) for key, values in observation.items()}
    held["privileged"][0, names.index("tip_z")] = 0.5e-3 - env.product.over_mesh_m
    guide, turns = MeshGuide(names), []
    for _ in range(30):
        action = guide.act_batch(held)
        turns.append(action[0, 5])
        # What it leads by stays, since nothing moves.
        held["leash"][0, 5] += TURN_RAD * action[0, 5]
        held["last_action"] = action
    assert turns[0] > 0.5
    back = turns.index(min(turns))
    assert 10 <= back < 20
    assert turns[back] < -0.9
    assert max(turns[back : back + 5]) < -0.5, "it goes on turning back"


@pytest.mark.parametrize("off_m", [(1.0e-3, 0.0), (-0.7e-3, -1.2e-3)])
def test_the_guide_finds_a_shaft_that_is_not_where_it_takes_it_to_be(
    env: GearMesh, off_m: tuple[float, float], work: Work, misled: Misled
) -> None:
    names = env.privileged_names
    seated = {
        kind.__name__: sum(
            card.success
            for card in work(
                env,
                misled(kind(names), names, off_m),
                episodes=4,
                product="m1.5-z16-b8-0.3",
                disturbances="none",
            )
        )
        for kind in (MeshOracle, MeshGuide)
    }
    assert seated["MeshOracle"] == 0
    assert seated["MeshGuide"] >= 2


def test_a_spiral_turns_left_by_ever_less() -> None:
    spiral, searching = Spiral(PITCH_M), np.array([True])
    spiral.reset(1)
    position, lead = np.zeros((1, 2)), np.array([[1.5e-3, 0.0]])
    path = []
    for _ in range(300):
        direction = spiral.direction(position, lead, searching)
        np.testing.assert_allclose(np.linalg.norm(direction), 1.0)
        position = position + 0.3e-3 * direction  # the tool does what the lead says
        lead = 1.5e-3 * direction
        path.append(position[0])
    turns = np.unwrap(np.arctan2(*np.diff(path, axis=0).T[::-1]))
    steps = np.diff(turns)
    assert np.all(steps > 0.0)
    assert steps[-1] < 0.2 * steps[1]
    # Neighbouring turns lie near enough for a play of a few tenths of a millimetre to be met.
    radius = np.linalg.norm(np.array(path) - np.mean(path[:20], axis=0), axis=1)
    gained = (radius[-1] - radius[100]) / ((turns[-1] - turns[100]) / (2.0 * np.pi))
    assert 0.3e-3 < gained < 0.6e-3


def test_a_spiral_that_is_stuck_leads_on_and_starts_again_where_it_did_not_search() -> None:
    spiral = Spiral(PITCH_M)
    spiral.reset(1)
    position, lead = np.zeros((1, 2)), np.array([[0.0, 1e-3]])
    for searching in (True, True, False, True):
        direction = spiral.direction(position, lead, np.array([searching]))
        np.testing.assert_allclose(direction, [[0.0, 1.0]])
    np.testing.assert_allclose(spiral.direction(position, 0.0 * lead, np.array([True])), [[1.0, 0.0]])
