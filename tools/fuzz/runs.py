"""Checkpoints of training runs: damaged, and loaded up to an action."""

import random
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import safetensors.numpy
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from cellwright_policies.checkpoint import COUNTERS, TENSORS, read_policy, restore, write_checkpoint
from cellwright_policies.networks import CellActorCritic, NetworkConfig
from cellwright_policies.ppo import CellPPO, PPOConfig
from tools.fuzz import mutations
from tools.fuzz.campaign import Tally, attempt, generator

_SPACE = spaces.Dict(
    {
        "image": spaces.Box(0, 255, (1, 8, 8), np.uint8),
        "seam": spaces.Box(-1, 1, (3,), np.float32),
        "privileged": spaces.Box(-1, 1, (2,), np.float32),
    }
)
_ACTIONS = spaces.Box(-1, 1, (2,), np.float32)
_NETWORK = NetworkConfig(channels=(2,), image_features=2, signal_features=2, hidden=(2,), critic_hidden=(2,))


def fuzz_runs(mutants: int, seed: int) -> Tally:
    """Damage copies of a small checkpoint, and act once with the policy of each that loads."""
    tally, rng = Tally(), generator(seed, "runs")
    model = _small_model()
    observation = {key: space.sample()[np.newaxis] for key, space in _SPACE.items()}
    with tempfile.TemporaryDirectory() as scratch:
        original, directory = Path(scratch) / "original", Path(scratch) / "mutant"
        original.mkdir()
        write_checkpoint(original, model)
        for _ in range(mutants):
            shutil.copytree(original, directory)
            _damage(directory, rng)
            attempt(tally, partial(_acted, directory, model, observation), partial(_same, directory))
            shutil.rmtree(directory)
    return tally


def _damage(directory: Path, rng: random.Random) -> None:
    name, own = rng.choice(
        (
            (TENSORS, mutations.safetensors_header),
            (TENSORS, mutations.safetensors_body),
            (COUNTERS, mutations.json_tokens),
        )
    )
    path = directory / name
    mutation = rng.choice((own, own, mutations.blind))
    path.write_bytes(mutation(path.read_bytes(), rng))


def _acted(directory: Path, model: CellPPO, observation: dict[str, Any]) -> CellActorCritic:
    """The policy of a checkpoint after one action, and after training could have gone on from it."""
    policy = read_policy(directory, _NETWORK)
    policy.act_batch(observation)
    restore(directory, model)
    return policy


def _same(directory: Path, policy: CellActorCritic) -> bool:
    tensors = safetensors.numpy.load((directory / TENSORS).read_bytes())
    return all(
        np.array_equal(values.numpy(), tensors[f"policy/{name}"])
        for name, values in policy.state_dict().items()
    )


class _Cell(gymnasium.Env[Any, Any]):
    """Nothing but spaces: no step is taken."""

    observation_space = _SPACE
    action_space = _ACTIONS


def _small_model() -> CellPPO:
    model = CellPPO(
        CellActorCritic,
        DummyVecEnv([_Cell]),
        config=PPOConfig(rollout_steps=2, batch_size=2),
        policy_kwargs={"network": _NETWORK, "aux_indices": (0,)},
        seed=0,
    )
    loss = sum(parameter.square().sum() for parameter in model.policy.parameters())
    assert isinstance(loss, torch.Tensor)
    torch.autograd.backward(loss)
    model.policy.optimizer.step()
    return model
