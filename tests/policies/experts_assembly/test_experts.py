"""Scripted assembly experts: what they solve, in batches as alone, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.measurement import InsertionScorecard
from cellwright_envs.assembly.observation import ACTIONS
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_policies.experts import PRIVILEGED_EXPERTS, make_expert
from cellwright_policies.experts.assembly import PEG_INSERTION
from cellwright_policies.experts.assembly.base import FULL_SCALE, Pending, State
from cellwright_policies.experts.assembly.oracle import Oracle

ENV_ID = "cellwright/PegInsertion-v1"
SEED = 7000
Work = Callable[..., list[Any]]


@pytest.fixture(scope="module")
def env() -> Iterator[PegInsertion]:
    env = PegInsertion(privileged=True)
    yield env
    env.close()


def batched(observation: dict[str, Any]) -> dict[str, Any]:
    return {name: values[None] for name, values in observation.items()}


def expert(env: PegInsertion, name: str) -> Any:
    return make_expert(ENV_ID, name, env.privileged_names)


def success_rate(cards: list[InsertionScorecard]) -> float:
    return float(np.mean([card.success for card in cards]))


@pytest.mark.parametrize(
    ("product", "disturbances"),
    [
        ("train", "none"),
        ("train", "train"),
        ("held-out", "train"),
        ("all", "hard"),
        (("round-8-0.1-chamfer", "square-12-0.1-chamfer"), "train"),
        ("train", "late"),
    ],
    ids=["drawing", "training", "held out", "hard", "a tenth", "three steps late"],
)
def test_oracle_inserts_every_part(env: PegInsertion, product: Any, disturbances: Any, work: Work) -> None:
    cards = work(env, expert(env, "oracle"), episodes=8, product=product, disturbances=disturbances)
    assert success_rate(cards) == 1.0
    assert max(card.peak_force_n for card in cards) < 20.0


@pytest.mark.parametrize("seed", [50001, 50012, 50028, 50095])
def test_no_part_stands_on_a_chamfer_that_it_has_left(env: PegInsertion, seed: int, work: Work) -> None:
    """Where contact points outlive the contact, the oracle's parts stay 1.1 mm deep in these episodes."""
    tight = ("round-8-0.1-chamfer", "square-12-0.1-chamfer")
    cards = work(env, expert(env, "oracle"), episodes=1, first=seed, product=tight, disturbances="train")
    assert cards[0].depth_share >= 0.95


@pytest.mark.parametrize("name", PEG_INSERTION)
def test_undisturbed_parts_are_inserted_by_every_expert(env: PegInsertion, name: str, work: Work) -> None:
    episodes = 3 if name == "visual-servo" else 8  # it takes seconds to look at a cell
    assert success_rate(work(env, expert(env, name), episodes=episodes, disturbances="none")) == 1.0


def test_touch_helps_and_sight_saves_time(env: PegInsertion, work: Work) -> None:
    """On the same seeds: blind, then searching, then looking first."""
    blind = work(env, expert(env, "blind-insertion"), episodes=6, steps=400)
    spiral = work(env, expert(env, "spiral-search"), episodes=6)
    visual = work(env, expert(env, "visual-servo"), episodes=6)
    assert success_rate(blind) <= 0.6
    assert success_rate(spiral) >= success_rate(blind) + 0.2
    assert success_rate(visual) >= success_rate(blind) + 0.2


@pytest.mark.parametrize("name", [name for name in PEG_INSERTION if name != "visual-servo"])
def test_a_batch_is_handled_as_its_cells_alone(env: PegInsertion, name: str) -> None:
    together, alone = make_expert(ENV_ID, name, env.privileged_names), []
    together.reset(3)
    cells = [PegInsertion(privileged=True) for _ in range(3)]
    observations = [cell.reset(seed=SEED + index)[0] for index, cell in enumerate(cells)]
    for _ in range(3):
        alone.append(make_expert(ENV_ID, name, env.privileged_names))
        alone[-1].reset(1)
    for _ in range(25):
        stacked = {key: np.stack([o[key] for o in observations]) for key in observations[0]}
        actions = together.act_batch(stacked)
        assert actions.shape == (3, 6)
        assert actions.dtype == np.float32
        assert np.abs(actions).max() <= 1.0
        for expert, observation, action in zip(alone, observations, actions, strict=True):
            np.testing.assert_allclose(expert.act_batch(batched(observation))[0], action, atol=1e-6)
        observations = [cell.step(action)[0] for cell, action in zip(cells, actions, strict=True)]
    for cell in cells:
        cell.close()


@pytest.mark.parametrize("name", PEG_INSERTION)
def test_resetting_one_cell_leaves_the_others(env: PegInsertion, name: str) -> None:
    observation, _ = env.reset(seed=SEED)
    pair = {key: np.stack([values, values]) for key, values in observation.items()}
    expert, untouched = (make_expert(ENV_ID, name, env.privileged_names) for _ in range(2))
    for each in (expert, untouched):
        each.reset(2)
        for _ in range(5):
            each.act_batch(pair)
    expert.reset(2, [0])
    fresh = make_expert(ENV_ID, name, env.privileged_names)
    fresh.reset(1)
    after = expert.act_batch(pair)
    np.testing.assert_array_equal(after[1], untouched.act_batch(pair)[1])
    np.testing.assert_array_equal(after[0], fresh.act_batch(batched(observation))[0])


def test_experts_know_the_names_of_the_actions(env: PegInsertion) -> None:
    assert tuple(component.name for component in env.action_components) == ACTIONS


def test_pending_motion_is_what_a_late_arm_has_yet_to_do() -> None:
    pending = Pending()
    pending.reset(2)
    first, second = np.full((2, 6), 1.0, np.float32), np.full((2, 6), -0.5, np.float32)
    pending.push(first)
    pending.push(second)
    waiting = pending.sum(np.array([1.0, 2.0]))
    np.testing.assert_allclose(waiting[0], -0.5 * FULL_SCALE)
    np.testing.assert_allclose(waiting[1], 0.5 * FULL_SCALE)
    assert not pending.sum(np.zeros(2)).any()


@pytest.mark.parametrize("latency", [0, 1, 3])
def test_an_oracle_counts_on_the_actions_that_were_executed_whoever_chose_them(
    env: PegInsertion, latency: int
) -> None:
    observation, _ = env.reset(seed=SEED, options={"disturbances": "none"})
    batch = batched(observation)
    truth = np.array(batch["privileged"])
    for name, value in (("tip_x", 0.3e-3), ("latency", latency)):
        truth[0, env.privileged_names.index(name)] = value
    chosen = []
    for executed in (0.0, 0.1):
        expert = make_expert(ENV_ID, "oracle", env.privileged_names)
        expert.reset(1)
        for _ in range(4):
            last = np.full_like(batch["last_action"], executed)
            action = expert.act_batch({**batch, "privileged": truth, "last_action": last})
        chosen.append(action[0, 0])
    # Each action on its way is 0.1 of a step that is no longer missing; four fifths of a miss are made up.
    np.testing.assert_allclose(chosen[0] - chosen[1], 0.8 * 0.1 * latency, atol=1e-5)


def test_state_makes_room_for_whoever_did_not_reset() -> None:
    state = State(angle=(), place=(2,))
    state.require(3)
    assert state["place"].shape == (3, 2)
    state["angle"] = np.arange(3.0)
    state.reset(3, [1])
    np.testing.assert_array_equal(state["angle"], [0.0, 0.0, 2.0])


def test_the_guide_lets_a_part_down_where_the_oracle_still_waits(env: PegInsertion) -> None:
    observation, _ = env.reset(seed=SEED)
    names = env.privileged_names
    beside = {key: np.array(values[None]) for key, values in observation.items()}
    beside["privileged"][0, [names.index(name) for name in ("tip_x", "tip_y", "tip_z")]] = 1.8e-3, 0.0, 1.5e-3
    oracle, guide = (make_expert(ENV_ID, name, names).act_batch(beside)[0] for name in ("oracle", "guide"))
    assert guide[2] < oracle[2] - 0.1
    np.testing.assert_array_equal(guide[[0, 1, 3, 4, 5]], oracle[[0, 1, 3, 4, 5]])


def test_the_guide_inserts_every_part_under_training_disturbances(env: PegInsertion, work: Work) -> None:
    cards = work(env, expert(env, "guide"), episodes=12, disturbances="train")
    assert success_rate(cards) == 1.0


def test_oracle_and_guide_need_to_be_told_the_truth(env: PegInsertion) -> None:
    assert PRIVILEGED_EXPERTS == ("oracle", "guide")
    with pytest.raises(ValueError, match="privileged_names"):
        make_expert(ENV_ID, "oracle")
    expert = Oracle(env.privileged_names)
    observation = PegInsertion().reset(seed=0)[0]
    with pytest.raises(ValueError, match="privileged=True"):
        expert.act_batch(batched(observation))


def test_unknown_expert_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'spiral-search'"):
        make_expert(ENV_ID, "spiral-serch")
