"""The guide of pegs and plugs searches where a part lies beside its hole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_policies.experts import make_expert
from cellwright_policies.experts.assembly.guide import (
    PATIENCE_STEPS,
    SEARCH_LEAD_M,
    START_M,
    SWEEP_BACK_RAD,
    SWEEP_LEAD_RAD,
    SWEEP_RAD,
    heading,
    pull,
    swept,
    turned_left,
    within_a_step,
)

Work = Callable[..., list[Any]]
CELLS: dict[str, Any] = {
    "cellwright/PegInsertion-v1": (PegInsertion, "round-16-1"),
    "cellwright/ConnectorInsertion-v1": (ConnectorInsertion, "usb-a"),
}


@pytest.mark.parametrize("env_id", CELLS)
def test_it_finds_a_hole_that_is_not_where_it_takes_it_to_be(
    env_id: str, work: Work, misled: Callable[..., Any]
) -> None:
    kind, family = CELLS[env_id]
    env = kind(privileged=True)
    product = next(each.name for each in env.products if each.name.startswith(family))
    names = env.privileged_names
    seated = {
        name: sum(
            card.success
            for card in work(
                env,
                misled(make_expert(env_id, name, names), names, (1.2e-3, -0.9e-3)),
                episodes=5,
                product=product,
                disturbances="none",
            )
        )
        for name in ("oracle", "guide")
    }
    env.close()
    assert seated["oracle"] == 0
    assert seated["guide"] >= 3


def lying(env: Insertion[Any], product: str = "round-16-1") -> tuple[dict[str, Any], list[str]]:
    """Observations of a part that lies 1.5 mm beside its hole, and the names of `privileged`."""
    observation, _ = env.reset(seed=1, options={"disturbances": "none", "product": product})
    names = list(env.privileged_names)
    batch = {name: np.array(values[None]) for name, values in observation.items()}
    for name, value in (("tip_x", 1.5e-3), ("tip_y", 0.0), ("tip_z", 0.1e-3), ("yaw_error", 0.0)):
        batch["privileged"][0, names.index(name)] = value
    return batch, names


def test_it_goes_straight_to_the_hole_at_first_and_searches_where_that_does_not_help() -> None:
    env = PegInsertion(privileged=True)
    batch, names = lying(env)
    guide, oracle = (make_expert("cellwright/PegInsertion-v1", name, names) for name in ("guide", "oracle"))
    batch["leash"][0, :2] = (0.0, 1e-3)
    straight = [guide.act_batch(batch)[0] for _ in range(PATIENCE_STEPS)]
    ways = [oracle.act_batch(batch)[0] for _ in range(PATIENCE_STEPS)]
    np.testing.assert_array_equal(np.stack(straight)[:, [0, 1, 3, 4, 5]], np.stack(ways)[:, [0, 1, 3, 4, 5]])
    searching = guide.act_batch(batch)[0]
    # The lead goes on along y, where it is, and is pulled towards the hole along -x.
    assert searching[1] > 0.0 > searching[0]
    assert searching[2] < 0.0
    batch["privileged"][0, names.index("tip_z")] = -0.5e-3
    assert guide.act_batch(batch)[0][1] < searching[1], "in the mouth it no longer searches"
    env.close()


def test_it_searches_for_a_bolt_as_for_a_hole_but_does_not_turn_the_nut() -> None:
    turns = []
    for kind, version, product in ((PegInsertion, 1, "round-16-1"), (NutFastening, 2, "M12")):
        env: Insertion[Any] = kind(privileged=True)
        batch, names = lying(env, product)
        batch["leash"][0, :2] = (0.0, 1e-3)
        batch["pose"][0, 5] = 0.0
        guide = make_expert(f"cellwright/{kind.__name__}-v{version}", "guide", names)
        action = [guide.act_batch(batch)[0] for _ in range(PATIENCE_STEPS + 1)][-1]
        assert action[1] > 0.0 > action[0]
        turns.append(action[5])
        env.close()
    assert turns[0] > 0.1
    assert turns[1] == 0.0


def test_a_search_goes_on_along_its_last_action_where_the_lead_is_mostly_noise() -> None:
    lead, action = np.array([[-0.1e-3, 0.05e-3, 0, 0, 0, 0]]), np.array([[0.0, 1.0, 0, 0, 0, 0, 0.3]])
    along = turned_left(heading(lead, action)[:, :2], np.zeros(1))
    assert along[0, 1] > 0.98


def test_a_search_begins_along_x_and_comes_into_its_own_direction_without_a_jump() -> None:
    """A jump between two directions would be imitated as their mean: as standing still."""
    back = np.array([[-1.0, 0.4]]) / np.hypot(1.0, 0.4)
    np.testing.assert_array_equal(turned_left(np.zeros((1, 2)), np.zeros(1)), [[1.0, 0.0]])
    ways = np.concatenate([turned_left(length * back, np.zeros(1)) for length in np.arange(0.0, 2e-3, 5e-6)])
    assert ways[20, 0] > 0.9
    np.testing.assert_allclose(ways[200:], np.repeat(back, 200, axis=0))
    assert np.linalg.norm(np.diff(ways, axis=0), axis=1).max() < 0.1
    assert np.linalg.norm(2.0 * START_M * back) == pytest.approx(1e-3)


def test_a_part_at_rest_begins_to_turn_one_way_and_goes_on_either_way() -> None:
    turned = np.zeros(4)
    way = swept(turned, np.array([0.0, 0.02, -SWEEP_BACK_RAD, -0.02]))
    np.testing.assert_allclose(way, SWEEP_LEAD_RAD * np.array([1.0, 1.0, 0.0, -1.0]), atol=1e-12)


def test_a_search_leaves_the_lean_of_a_part_alone() -> None:
    env = PegInsertion(privileged=True)
    batch, names = lying(env)
    for name in ("axis_x", "axis_y"):
        batch["privileged"][0, names.index(name)] = 0.05
    guide = make_expert("cellwright/PegInsertion-v1", "guide", names)
    actions = np.array([guide.act_batch(batch)[0] for _ in range(PATIENCE_STEPS + 4)])
    assert np.abs(actions[0, 3:5]).min() == 1.0
    np.testing.assert_array_equal(actions[PATIENCE_STEPS:, 3:5], np.zeros((4, 2)))
    env.close()


def test_a_turn_goes_back_though_a_flank_still_holds_its_lead() -> None:
    lead, back = np.zeros((1, 6)), np.zeros((1, 6))
    lead[0, 5], back[0, 5] = SWEEP_LEAD_RAD, -1.0
    assert heading(lead, np.zeros((1, 6)))[0, 5] > 0.0 > heading(lead, back)[0, 5]


def test_a_lead_within_a_step_keeps_its_direction() -> None:
    lead = np.array([[0.2e-3, 0.0], [0.0, 0.0]])
    wanted = np.array([[0.2e-3, 3e-3], [0.1e-3, -0.2e-3]])
    np.testing.assert_allclose(within_a_step(wanted, lead), [[0.2e-3, 0.7e-3 / 0.8], [0.1e-3, -0.2e-3]])


def test_the_pull_is_a_part_of_the_distance_with_a_limit() -> None:
    near, far = pull(np.array([[1e-3, 0.0]])), pull(np.array([[0.0, -8e-3]]))
    np.testing.assert_allclose(near, [[-0.3e-3, 0.0]])
    np.testing.assert_allclose(far, [[0.0, 0.5e-3]], atol=1e-12)
    assert 4 * np.linalg.norm(far) < SEARCH_LEAD_M, "the search goes on against a wrong pull"


def test_the_sweep_goes_on_and_turns_back_at_its_ends() -> None:
    turned = np.array([0.0, 0.0, SWEEP_RAD + 0.01, -SWEEP_RAD - 0.01, 0.0])
    lead = np.array([0.02, -0.02, 0.02, -0.02, 0.0])
    np.testing.assert_allclose(swept(turned, lead), SWEEP_LEAD_RAD * np.array([1, -1, -1, 1, 1]))
