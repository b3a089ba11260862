"""Training goes on from a checkpoint as if it had not stopped; a stranger's checkpoint runs nothing."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import safetensors.numpy
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from cellwright_policies.checkpoint import COUNTERS, TENSORS, read_policy, restore, write_checkpoint
from cellwright_policies.networks import CellActorCritic, NetworkConfig
from cellwright_policies.ppo import CellPPO, PPOConfig
from cellwright_runtime.files.reading import FileError

NETWORK = NetworkConfig(channels=(4, 4), image_features=8, signal_features=8, hidden=(8,), critic_hidden=(8,))


class Toy(gymnasium.Env[Any, Any]):
    """Rewards an action near what one number of the observation says."""

    observation_space = spaces.Dict(
        {
            "signals": spaces.Box(-1, 1, (3,), np.float32),
            "image": spaces.Box(0, 255, (2, 16, 16), np.uint8),
            "privileged": spaces.Box(-1, 1, (2,), np.float32),
        }
    )
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        return self._look(), {}

    def step(self, action: Any) -> Any:
        reward = -float(np.abs(action - self._wanted).sum())
        return self._look(), reward, self.np_random.random() < 0.1, False, {}

    def _look(self) -> Any:
        self._wanted = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return {
            "signals": np.append(self._wanted, 0).astype(np.float32),
            "image": self.np_random.integers(0, 256, (2, 16, 16), np.uint8),
            "privileged": self._wanted,
        }


def make_model() -> CellPPO:
    config = PPOConfig(
        rollout_steps=32, batch_size=16, warmup_rollouts=1, adaptive_threads=False, update_threads=1
    )
    return CellPPO(
        CellActorCritic,
        DummyVecEnv([Toy]),
        config=config,
        policy_kwargs={"network": NETWORK, "aux_indices": (1,)},
        seed=5,
    )


def train_on(model: CellPPO, steps: int) -> None:
    """Train on from new episodes, as a resumed run does."""
    torch.manual_seed(model.num_timesteps)
    assert model.env is not None
    model.env.seed(7)
    model._last_obs = model.env.reset()
    model._last_episode_starts = np.ones(1, bool)
    model.learn(steps, reset_num_timesteps=False)


@pytest.fixture(scope="module")
def trained() -> CellPPO:
    model = make_model()
    model._last_obs = None
    train_on(model, 96)
    return model


@pytest.fixture
def checkpoint(trained: CellPPO, tmp_path: Path) -> Path:
    write_checkpoint(tmp_path, trained)
    return tmp_path


def test_a_restored_model_trains_on_bit_by_bit_like_one_that_never_stopped(tmp_path: Path) -> None:
    straight = make_model()
    train_on(straight, 96)
    write_checkpoint(tmp_path, straight)
    restored = make_model()
    restore(tmp_path, restored)
    assert (restored.num_timesteps, restored._n_updates, restored.rollouts) == (96, 3, 3)
    for model in (straight, restored):
        train_on(model, 64)
    wanted = straight.policy.state_dict()
    for name, tensor in restored.policy.state_dict().items():
        assert torch.equal(tensor, wanted[name]), name


def test_a_policy_is_read_without_an_environment_and_acts_alike(trained: CellPPO, checkpoint: Path) -> None:
    policy = read_policy(checkpoint, NETWORK)
    observation = {key: space.sample()[np.newaxis] for key, space in Toy.observation_space.items()}
    assert policy.actor.input_keys == trained.policy.actor.input_keys
    np.testing.assert_array_equal(policy.act_batch(observation), trained.policy.act_batch(observation))


def test_a_checkpoint_before_the_first_gradient_step_is_one_too(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, make_model())
    model = make_model()
    restore(tmp_path, model)
    assert model.num_timesteps == 0


def edit_tensors(directory: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    tensors = safetensors.numpy.load((directory / TENSORS).read_bytes())
    edit(tensors)
    (directory / TENSORS).write_bytes(safetensors.numpy.save(tensors))


def edit_counters(directory: Path, **changed: Any) -> None:
    values = json.loads((directory / COUNTERS).read_text()) | changed
    (directory / COUNTERS).write_text(json.dumps(values))


BIAS = "policy/action_net.bias"


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda t: t.pop(BIAS), rf"{BIAS} is missing, the run's configuration makes it \(2,\)"),
        (lambda t: t.update({BIAS: np.zeros(3, np.float32)}), rf"{BIAS} is \(3,\), .* makes it \(2,\)"),
        (lambda t: t.update({"policy/own": np.zeros(3)}), r"policy/own is \(3,\), .* makes it nothing"),
        (
            lambda t: t.update({BIAS: np.full(2, np.nan, np.float32)}),
            f"{BIAS} holds a number that is not finite",
        ),
        (lambda t: t.pop("first_moment/action_net.bias"), "second_moment/action_net.bias and not all of"),
        (
            lambda t: t.update({"first_moment/action_net.bias": np.zeros(3, np.float32)}),
            r"first_moment/action_net.bias is \(3,\), its parameter \(2,\)",
        ),
    ],
)
def test_tensors_of_another_network_are_named_and_change_nothing(
    edit: Callable[[dict[str, Any]], object], told: str, checkpoint: Path
) -> None:
    edit_tensors(checkpoint, edit)
    model = make_model()
    before = {name: tensor.clone() for name, tensor in model.policy.state_dict().items()}
    with pytest.raises(FileError, match=told) as caught:
        restore(checkpoint, model)
    assert "\n" not in str(caught.value)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.policy.state_dict().items())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"steps": "many"}, "steps is missing or no int"),
        ({"steps": -1}, "steps is negative"),
        ({"rollouts": True}, "rollouts is missing or no int"),
        ({"generator": {"state": "zz"}}, "generator is not the state of a PCG64"),
        (
            {"generator": {"state": "1", "inc": "2", "has_uint32": [], "uinteger": 0}},
            "generator is not the state",
        ),
    ],
)
def test_counters_that_count_nothing_are_named(changed: dict[str, Any], told: str, checkpoint: Path) -> None:
    edit_counters(checkpoint, **changed)
    with pytest.raises(FileError, match=told):
        restore(checkpoint, make_model())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"observation": []}, "observation is no list of names"),
        ({"observation": [3]}, "observation is no list of names"),
        ({"observation": ["image", "own"]}, "lacks observation_low/own"),
        ({"observation": ["signals"]}, "make no network"),
        ({"aux_indices": [-1]}, "aux_indices is no list of indices"),
        ({"aux_indices": [0] * 1000}, r"policy/aux_net.bias is \(1,\), .* makes it \(1000,\)"),
    ],
)
def test_spaces_that_no_cell_has_are_named(changed: dict[str, Any], told: str, checkpoint: Path) -> None:
    edit_counters(checkpoint, **changed)
    with pytest.raises(FileError, match=told):
        read_policy(checkpoint, NETWORK)


def test_a_network_of_terabytes_is_refused_before_it_is_built(checkpoint: Path) -> None:
    with pytest.raises(FileError, match=r"the run's configuration makes it"):
        read_policy(checkpoint, NetworkConfig(hidden=(10**6, 10**6)))


def test_a_torn_file_and_a_link_are_told(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    data = (checkpoint / TENSORS).read_bytes()
    (checkpoint / TENSORS).write_bytes(data[:-1])
    with pytest.raises(FileError, match=r"model.safetensors has \d+ bytes of tensors, its header says \d+"):
        read_policy(checkpoint, NETWORK)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / TENSORS
    elsewhere.write_bytes(data)
    (checkpoint / TENSORS).unlink()
    (checkpoint / TENSORS).symlink_to(elsewhere)
    with pytest.raises(FileError, match=r"model.safetensors is a link"):
        read_policy(checkpoint, NETWORK)
    shutil.rmtree(elsewhere.parent)
