"""Experts that start and tighten nuts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.nut_fastening import SPINDLE_REV_S, NutFastening
from cellwright_policies.experts import make_expert
from cellwright_policies.experts.assembly.nut_fastening import FULL_REV_S, NutOracle
from cellwright_train.learning.presets import preset

ENV_ID = "cellwright/NutFastening-v2"
SEED = 7000
Work = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def env() -> Iterator[NutFastening]:
    env = NutFastening(privileged=True)
    yield env
    env.close()


def batched(observation: dict[str, Any]) -> dict[str, Any]:
    return {name: values[None] for name, values in observation.items()}


def test_full_speed_is_that_of_the_environment() -> None:
    assert FULL_REV_S == SPINDLE_REV_S


@pytest.mark.parametrize(
    ("name", "product", "disturbances"),
    [
        ("oracle", "train", "train"),
        ("oracle", "held-out", "late"),
        ("oracle", "all", "hard"),
        ("guide", "train", "train"),
        ("guide", "held-out", "late"),
    ],
)
def test_every_nut_is_tightened_into_its_window(
    env: NutFastening, name: str, product: str, disturbances: str, work: Work
) -> None:
    expert = make_expert(ENV_ID, name, env.privileged_names)
    cards = work(env, expert, episodes=8, product=product, disturbances=disturbances)
    assert all(card.success and card.engaged and not card.cross_threaded for card in cards)


def test_a_search_tightens_nearly_every_nut(env: NutFastening, work: Work) -> None:
    expert = make_expert(ENV_ID, "spiral-search", env.privileged_names)
    cards = work(env, expert, episodes=8, product="all", disturbances="none")
    assert sum(card.success for card in cards) >= 7
    assert not any(card.cross_threaded for card in cards)


def test_guide_is_done_well_within_the_steps_of_the_preset(env: NutFastening, work: Work) -> None:
    expert = make_expert(ENV_ID, "guide", env.privileged_names)
    cards = work(env, expert, episodes=4, product="M16", disturbances="late")
    most_s = preset("nut-fastening").env_kwargs["max_episode_steps"] * env.config.control_period_s
    assert all(card.success and card.cycle_time_s < 0.7 * most_s for card in cards)


def test_oracle_turns_a_crossed_nut_back(env: NutFastening) -> None:
    expert = NutOracle(env.privileged_names)
    observation, _ = env.reset(seed=SEED, options={"product": "M16", "disturbances": "none"})
    told = observation["privileged"].copy()
    names = list(env.privileged_names)
    told[names.index("tip_z")] = -4e-3
    told[names.index("crossed")] = 1.0
    action = expert.act_batch(batched({**observation, "privileged": told}))[0]
    assert action[6] == -1.0


def test_spindle_rests_until_the_nut_is_at_the_thread(env: NutFastening) -> None:
    expert = make_expert(ENV_ID, "oracle", env.privileged_names)
    observation, _ = env.reset(seed=SEED, options={"product": "M16", "disturbances": "none"})
    for _ in range(60):
        action = expert.act_batch(batched(observation))[0]
        above_m = env.measurement.height_m + env.product.point_m
        assert (action[6] > 0.0) == (above_m < 0.6e-3)
        if action[6] > 0.0:
            return
        observation = env.step(action)[0]
    raise AssertionError("the spindle never turned")


def test_an_oracle_without_the_names_of_a_nut_is_refused() -> None:
    with pytest.raises(ValueError, match="turns_left"):
        make_expert(
            ENV_ID,
            "oracle",
            ("tip_x", "tip_y", "tip_z", "axis_x", "axis_y", "yaw_error", "clearance", "chamfer", "latency"),
        )


def test_two_cells_side_by_side_are_worked_as_each_by_itself(env: NutFastening) -> None:
    observations = [
        env.reset(seed=seed, options={"product": "M12", "disturbances": "late"})[0] for seed in (1, 2)
    ]
    alone = [
        make_expert(ENV_ID, "guide", env.privileged_names).act_batch(batched(o))[0] for o in observations
    ]
    both = {name: np.stack([o[name] for o in observations]) for name in observations[0]}
    np.testing.assert_allclose(
        make_expert(ENV_ID, "guide", env.privileged_names).act_batch(both), np.stack(alone), atol=1e-6
    )
