"""Fuzzing of training runs: damaged, and loaded up to an action."""

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

from cellwright_policies.checkpoint import TENSORS
from cellwright_policies.networks import CellActorCritic, NetworkConfig
from cellwright_policies.ppo import CellPPO, PPOConfig
from cellwright_runtime.files.reading import FileError
from cellwright_train.errors import UsageError
from cellwright_train.learning.presets import TrainConfig
from cellwright_train.learning.runs import NoCheckpointError, RunDirectory, RunState, load_policy_from_run
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
    """Damage copies of a small run, and act once with the policy of each that loads."""
    tally, rng = Tally(), generator(seed, "runs")
    model = _small_model()
    _SPACE.seed(seed)
    observation = {key: space.sample()[np.newaxis] for key, space in _SPACE.items()}
    with tempfile.TemporaryDirectory() as scratch:
        original, directory = Path(scratch) / "original", Path(scratch) / "mutant"
        _write_run(original, model)
        for _ in range(mutants):
            shutil.copytree(original, directory)
            _damage(directory, rng)
            load = partial(_acted, directory, model, observation)
            attempt(tally, load, partial(_same, directory), (FileError, UsageError, NoCheckpointError))
            shutil.rmtree(directory)
    return tally


def _write_run(directory: Path, model: CellPPO) -> None:
    config = TrainConfig(env_id="cellwright/PegInsertion-v1", network=_NETWORK)
    run = RunDirectory.create(directory, config, seed=1)
    run.note_command("cellwright train peg-insertion --seed 1")
    state = RunState(
        steps=2,
        rounds_collected=0,
        rounds_done=0,
        passes_done=0,
        resets=1,
        seconds=1.5,
        metrics_rows=0,
        curriculum={},
        scores={"success_rate": 0.5, "return": 1.0},
    )
    run.save_checkpoint(model, state)
    run.save_best(model, state)


def _damage(directory: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(path for path in directory.rglob("*") if path.is_file()))
    own: tuple[mutations.Mutation, ...] = (mutations.json_tokens,)
    if path.name == TENSORS:
        own = (mutations.safetensors_header, mutations.safetensors_body)
    mutation = rng.choice((*own, *own, mutations.blind))
    path.write_bytes(mutation(path.read_bytes(), rng))


def _acted(directory: Path, model: CellPPO, observation: dict[str, Any]) -> CellActorCritic:
    """The policy of a run, after it computed one action and all that training continues from was read."""
    run = RunDirectory.open(directory)
    _ = (run.seed, run.commands, run.versions, run.best_score, run.is_finished)
    checkpoint = run.last_checkpoint()
    run.restore(checkpoint, model)
    policy = load_policy_from_run(directory)
    policy.act_batch(observation)
    return policy


def _same(directory: Path, policy: CellActorCritic) -> bool:
    (file,) = (directory / "best").glob(f"*/{TENSORS}")
    tensors = safetensors.numpy.load(file.read_bytes())
    return all(
        np.array_equal(values.numpy(), tensors[f"policy/{name}"])
        for name, values in policy.state_dict().items()
    )


class _Cell(gymnasium.Env[Any, Any]):
    """An environment that only has spaces; no step is taken."""

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
