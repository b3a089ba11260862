"""Training that does not begin at nothing: from recorded episodes, or from a policy."""

from __future__ import annotations

import dataclasses
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray

from cellwright_policies.checkpoint import require_weights
from cellwright_policies.networks import CellActorCritic
from cellwright_policies.threads import StepThreads
from cellwright_train.data.episode import EpisodeLayout, RecordedEpisode, joined
from cellwright_train.data.reader import Dataset
from cellwright_train.environments import env_from_file
from cellwright_train.errors import UsageError
from cellwright_train.learning.demonstrations import Demonstrations, DemonstrationStore
from cellwright_train.learning.presets import TrainConfig
from cellwright_train.learning.progress import Progress, RecentRate, Reporter
from cellwright_train.learning.training_cells import aux_indices, make_cells, privileged_names
from cellwright_train.learning.vec_env import PoolVecEnv
from cellwright_train.rollout.cell import CellChoice, Episode, Observation, run_episode
from cellwright_train.rollout.families import cell_class, family_of, require_line_change
from cellwright_train.rollout.policies import BundleReference, PolicyReference, RunReference
from cellwright_train.rollout.steps import Step, Watched

PASSES = 20
"""Passes over a dataset before the step size falls: it is smaller than what a preset collects."""


def without_collecting(config: TrainConfig) -> TrainConfig:
    """The same training without demonstrations of its own."""
    return dataclasses.replace(config, demonstrations=dataclasses.replace(config.demonstrations, steps=0))


def weights_of(policy: PolicyReference, config: TrainConfig) -> dict[str, torch.Tensor]:
    """All weights of a run or bundle, actor and critic, from which a training as `config` says can go on.

    Raises `UsageError` where the policy does not learn or is of another environment, and `FileError` where
    its network or its observations are others.
    """
    if not isinstance(policy, RunReference | BundleReference):
        raise UsageError(f"{policy.name} is an {policy.kind} and does not learn; name a bundle or a run")
    if policy.environment != config.env_id:
        raise UsageError(
            f"{policy.name} is a policy for {policy.environment}, and this trains in {config.env_id}"
        )
    weights = policy.weights if isinstance(policy, RunReference) else policy.bundle.weights
    with closing(make_cells(_of_one_cell(config))) as env:
        space, actions = env.observation_space, env.action_space
        assert isinstance(space, spaces.Dict)
        assert isinstance(actions, spaces.Box)
        targets = aux_indices(config, privileged_names(env))
    require_weights(weights, space, actions, config.network, targets, Path(policy.name))
    return {name: torch.tensor(values) for name, values in weights.items()}


def _of_one_cell(config: TrainConfig) -> TrainConfig:
    """The same environment once; nothing learns from it, so that a batch need not be full."""
    ppo = dataclasses.replace(config.ppo, rollout_steps=2, batch_size=2)
    return dataclasses.replace(config, cells=1, workers=1, ppo=ppo)


def imitated(config: TrainConfig, directory: Path, *, seed: int, report: Reporter) -> dict[str, torch.Tensor]:
    """Weights of a new policy whose actor learned from the good episodes of the dataset in `directory`.

    Every episode is repeated from its recorded actions, which gives the true state too that the critic and
    the auxiliary head see. Raises `UsageError` where the dataset is of another cell, where the cell has
    changed since, and where no episode is good.
    """
    family_of(config.env_id)  # of other environments nothing was recorded
    with closing(CellChoice(env=config.env_id, disturbances="none").make()) as cell:
        dataset = Dataset.open(directory, EpisodeLayout.of(cell))
    for number, row in enumerate(dataset.rows):  # pegs, plugs and gears are observed alike
        where = f"episode {number} of {directory}"
        if (made_in := env_from_file(row.made_by.get("env", ""), where)) != config.env_id:
            raise UsageError(f"{where} was recorded in {made_in}, and this trains in {config.env_id}")
    good = [number for number, row in enumerate(dataset.rows) if row.facts["good"]]
    if not good:
        raise UsageError(f"none of the {len(dataset.rows)} episodes of {directory} is good")
    with closing(make_cells(_of_one_cell(config))) as env, tempfile.TemporaryDirectory() as scratch:
        space, frames = env.observation_space, sum(dataset.rows[number].length for number in good)
        assert isinstance(space, spaces.Dict)
        store = DemonstrationStore(Path(scratch), space, len(dataset.layout.actions), frames)
        rate = RecentRate()
        for number in good:
            store.add(*_repeated(dataset, number))
            _tell(report, "demonstrations", store.rows, frames, rate)
        torch.manual_seed(seed)
        policy = CellActorCritic(
            space,
            env.action_space,
            lambda _: config.ppo.learning_rate,
            network=config.network,
            aux_indices=aux_indices(config, privileged_names(env)),
        )
        policy.fit_inputs(
            {key: np.asarray(rows) for key, rows in store.observations.items() if rows.dtype != np.uint8}
        )
        _learn(policy, env, config, store, seed, report)
    return policy.state_dict()


def _repeated(dataset: Dataset, number: int) -> tuple[dict[str, NDArray[Any]], NDArray[np.float32]]:
    """What the cell shows in an episode, with the true state, and the recorded actions."""
    episode, row = dataset.episode(number), dataset.rows[number]
    made_by, product = row.made_by, row.facts["result"]["product"]
    name = made_by.get("line_change")
    changes = () if name is None else (require_line_change(cell_class(made_by["env"]), name),)
    part = Episode(row.seed, product, changes)
    choice = CellChoice(env=made_by["env"], products=(product,), disturbances=made_by["disturbances"])
    steps: list[Step] = []

    def keep(_: gymnasium.Env[Any, Any], step: Step) -> None:
        steps.append(step)

    with closing(choice.make(privileged=True)) as cell:
        run_episode(Watched(cell, keep), _Replay(episode), part)
    state = np.stack([joined(step.observation, dataset.layout.groups) for step in steps])
    if not np.array_equal(state, episode.state):
        raise UsageError(
            f"episode {number} of {dataset.directory} goes otherwise in this version of its cell; "
            "record it again"
        )
    shown = {name: np.stack([step.observation[name] for step in steps]) for name in steps[0].observation}
    return shown, episode.actions


class _Replay:
    """Takes the actions of a recorded episode, whatever it sees, and none once they are used up."""

    name = "replay"

    def __init__(self, episode: RecordedEpisode) -> None:
        self._actions = episode.actions
        self._step = 0

    def reset(self) -> None:
        self._step = 0

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """The next action, the last one again where the episode goes on longer than it did."""
        action: NDArray[np.float32] = self._actions[min(self._step, len(self._actions) - 1)]
        self._step += 1
        return action


def _learn(
    policy: CellActorCritic,
    env: PoolVecEnv,
    config: TrainConfig,
    store: DemonstrationStore,
    seed: int,
    report: Reporter,
) -> None:
    passes = dataclasses.replace(config.demonstrations, rounds=1, epochs=PASSES)
    demonstrations = Demonstrations(
        passes,
        env,
        policy=policy,
        expert=policy,  # nobody is asked
        store=store,
        threads=StepThreads(config.ppo.update_threads, adaptive=config.ppo.adaptive_threads),
        rng=np.random.default_rng(seed),
    )
    total, learnt, rate = len(passes.rates(0)) * store.rows, 0, RecentRate()
    for losses in demonstrations.learn(0, 0, lambda rows: None):
        learnt += store.rows
        _tell(report, "imitation", learnt, total, rate, loss=losses.imitation)


def _tell(report: Reporter, stage: str, done: int, total: int, rate: RecentRate, **metrics: float) -> None:
    report(
        Progress(
            stage=stage,
            steps=done,
            total=total,
            steps_per_s=rate.mark(done),
            seconds_left=float("inf"),
            metrics=metrics,
        )
    )
