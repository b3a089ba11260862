"""What holds for every registered environment: contract, determinism, pickling, rewards, groups."""

from __future__ import annotations

import multiprocessing
import pickle
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from numpy.typing import NDArray

from cellwright_envs import ENVIRONMENTS

IDS = sorted(env_id for env_id in gymnasium.registry if env_id.startswith("cellwright/"))
STEPS = 60  # beyond the approach, into the weld

Rollout = list[NDArray[Any]]


def play(env: Any, seed: int, steps: int = STEPS) -> Rollout:
    """Every array that `env` gives back for fixed actions after a reset with `seed`."""
    actions = np.random.default_rng(0).uniform(-0.5, 0.5, (steps, *env.action_space.shape))
    observation, _ = env.reset(seed=seed)
    seen = [*observation.values()]
    for action in actions.astype(np.float32):
        observation, reward, terminated, truncated, _ = env.step(action)
        seen += [*observation.values(), np.array([reward, terminated, truncated])]
        if terminated or truncated:
            break
    return seen


def rollout(env_id: str, seed: int) -> Rollout:
    env = gymnasium.make(env_id)
    try:
        return play(env, seed)
    finally:
        env.close()


def equal(first: Rollout, second: Rollout) -> bool:
    return len(first) == len(second) and all(map(np.array_equal, first, second))


def test_every_environment_of_the_package_is_registered() -> None:
    assert set(IDS) == set(ENVIRONMENTS)


@pytest.mark.parametrize("env_id", IDS)
def test_gymnasium_finds_no_fault(env_id: str) -> None:
    env = gymnasium.make(env_id, render_mode="rgb_array")
    check_env(env.unwrapped)
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_stable_baselines_finds_no_fault(env_id: str) -> None:
    with warnings.catch_warnings():
        # Importing the checker imports torch, which may warn about the machine.
        warnings.simplefilter("ignore")
        from stable_baselines3.common.env_checker import check_env as check_for_sb3
    env = gymnasium.make(env_id)
    check_for_sb3(env.unwrapped)
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_an_action_that_is_none_is_refused(env_id: str) -> None:
    env = gymnasium.make(env_id, disable_env_checker=True).unwrapped
    env.reset(seed=0)
    for action in (np.full(env.action_space.shape, np.nan), np.zeros(1)):
        with pytest.raises(ValueError, match="finite numbers as action"):
            env.step(action)
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_no_products_are_refused_when_the_environment_is_made(env_id: str) -> None:
    with pytest.raises(ValueError, match="name at least one"):
        gymnasium.make(env_id, product=())


@pytest.mark.parametrize("env_id", IDS)
def test_one_seed_is_one_rollout(env_id: str) -> None:
    assert equal(rollout(env_id, seed=3), rollout(env_id, seed=3))
    assert not equal(rollout(env_id, seed=3), rollout(env_id, seed=4))


@pytest.mark.parametrize("env_id", IDS)
def test_an_episode_does_not_depend_on_those_before_it(env_id: str) -> None:
    env = gymnasium.make(env_id)
    play(env, seed=8)
    assert equal(play(env, seed=3), rollout(env_id, seed=3))
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_another_process_gives_the_same_rollout(env_id: str) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert equal(pool.apply(rollout, (env_id, 3)), rollout(env_id, seed=3))


@pytest.mark.parametrize("env_id", IDS)
def test_a_restored_pickle_gives_the_same_rollout_and_both_live_on(env_id: str) -> None:
    env = gymnasium.make(env_id)
    expected = play(env, seed=3)
    restored = pickle.loads(pickle.dumps(env))
    env.close()
    assert equal(play(restored, seed=3), expected)
    restored.close()


@pytest.mark.parametrize("env_id", IDS)
def test_a_restored_pickle_goes_on_with_the_same_random_numbers(env_id: str) -> None:
    env = gymnasium.make(env_id)
    env.reset(seed=3)
    restored = pickle.loads(pickle.dumps(env))
    here, there = env.reset()[0], restored.reset()[0]
    assert all(np.array_equal(here[name], there[name]) for name in here)
    env.close()
    restored.close()


@pytest.mark.parametrize("env_id", IDS)
def test_reward_is_the_sum_of_its_terms(env_id: str) -> None:
    env = gymnasium.make(env_id)
    env.reset(seed=5)
    env.action_space.seed(5)
    for _ in range(STEPS):
        _, reward, *_, info = env.step(env.action_space.sample())
        assert reward == sum(info["reward_terms"].values())
        assert all(isinstance(term, float) for term in info["reward_terms"].values())
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_rendering_gives_a_picture_with_something_in_it(env_id: str) -> None:
    env = gymnasium.make(env_id, render_mode="rgb_array")
    env.reset(seed=5)
    picture: Any = env.render()
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 1000
    env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_privileged_state_is_there_only_for_who_asks(env_id: str) -> None:
    for privileged in (False, True):
        env = gymnasium.make(env_id, privileged=privileged)
        observation, _ = env.reset(seed=5)
        unwrapped: Any = env.unwrapped
        for names in (observation, unwrapped.observation_space.spaces, unwrapped.observation_components):
            assert ("privileged" in names) == privileged
        env.close()


@pytest.mark.parametrize("env_id", IDS)
def test_asking_for_privileged_state_changes_nothing_else(env_id: str) -> None:
    seen = []
    for privileged in (False, True):
        env = gymnasium.make(env_id, privileged=privileged)
        env.reset(seed=5)
        for _ in range(STEPS):
            observation, *_ = env.step(np.full(env.action_space.shape, 0.1, np.float32))
        seen.append(observation)
        env.close()
    for name, values in seen[0].items():
        np.testing.assert_array_equal(values, seen[1][name])


@pytest.mark.parametrize("env_id", IDS)
def test_component_names_and_limits_are_those_of_the_spaces(env_id: str) -> None:
    env: Any = gymnasium.make(env_id, privileged=True)
    groups, actions = env.unwrapped.observation_components, env.unwrapped.action_components
    for name, space in env.observation_space.items():
        names = [component.name for component in groups[name]]
        assert len(set(names)) == len(names) == space.shape[0]
        if name != "image":
            np.testing.assert_array_equal(space.low, np.float32([c.low for c in groups[name]]))
            np.testing.assert_array_equal(space.high, np.float32([c.high for c in groups[name]]))
    assert len(actions) == env.action_space.shape[0]
    env.close()
