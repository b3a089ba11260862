"""Experts that plug connectors in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.disturbances import AssemblyDisturbances
from cellwright_envs.assembly.disturbances.mechanics import ControllerGain
from cellwright_policies.experts import make_expert
from cellwright_policies.experts.assembly.latch import LATCH_SEARCH
from cellwright_policies.experts.assembly.spiral_search import SpiralSearch

ENV_ID = "cellwright/ConnectorInsertion-v1"
SEED = 7000
Work = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def env() -> Iterator[ConnectorInsertion]:
    env = ConnectorInsertion(privileged=True)
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
        ("spiral-search", "all", "none"),
    ],
)
def test_every_plug_is_inserted_until_it_snaps(
    env: ConnectorInsertion, name: str, product: str, disturbances: str, work: Work
) -> None:
    expert = make_expert(ENV_ID, name, env.privileged_names)
    cards = work(env, expert, episodes=8, product=product, disturbances=disturbances)
    assert all(card.success and card.latched for card in cards)
    assert max(card.peak_force_n for card in cards) < 70.0  # of the 100 N that plugs bear


def test_a_search_that_pushes_as_for_pegs_stops_before_the_latch(env: ConnectorInsertion, work: Work) -> None:
    """On the softest arm of training, before contacts that take 34 N and more."""
    softest = ControllerGain(stiffness_factor=(0.75, 0.75))
    options: dict[str, Any] = {
        "product": "hdmi-0.3-0.5",
        "disturbances": AssemblyDisturbances(controller_gain=softest),
    }
    snapped = {
        name: [card.latched for card in work(env, expert, episodes=3, **options)]
        for name, expert in (("peg", SpiralSearch()), ("plug", SpiralSearch(LATCH_SEARCH)))
    }
    assert snapped == {"peg": [False] * 3, "plug": [True] * 3}


def test_latch_lead_stays_within_the_leash(env: ConnectorInsertion) -> None:
    expert = make_expert(ENV_ID, "oracle", env.privileged_names)
    observation, _ = env.reset(seed=SEED, options={"product": "usb-a-0.3-0.8", "disturbances": "none"})
    pushed_m = []
    for _ in range(200):
        observation, _, terminated, _, _ = env.step(expert.act_batch(batched(observation))[0])
        pushed_m.append(-float(observation["leash"][2]))
        if terminated:
            break
    takes_m = env._mating.peak_n / env.config.compliance.stiffness_n_m
    assert takes_m < np.max(pushed_m) <= env.config.compliance.leash_m * 1.01
