"""Experts that put gears onto their shafts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_policies.experts import make_expert
from cellwright_policies.experts.assembly.mesh import MeshGuide, MeshOracle
from cellwright_policies.experts.assembly.oracle import Oracle

ENV_ID = "cellwright/GearMesh-v0"
SEED = 7000
Work = Callable[..., list[Any]]


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
    assert max(card.peak_force_n for card in cards) < 15.0


@pytest.mark.parametrize("seed", [9437, 9440])
def test_an_oracle_that_does_not_line_up_again_over_the_teeth_stands_on_them(
    env: GearMesh, seed: int, work: Work
) -> None:
    share = {
        kind.__name__: work(
            env,
            kind(env.privileged_names),
            episodes=1,
            first=seed,
            steps=200,
            product="all",
            disturbances="hard",
        )[0].meshed_share
        for kind in (Oracle, MeshOracle, MeshGuide)
    }
    assert share["Oracle"] < 0.1
    assert min(share["MeshOracle"], share["MeshGuide"]) > 0.9


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
