"""PPO for cells: the actor may start from demonstrations; the critic trains before the actor changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3 import PPO
from stable_baselines3.common.buffers import DictRolloutBuffer, RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.utils import explained_variance
from stable_baselines3.common.vec_env import VecEnv
from torch import nn

from cellwright_policies.memory import keep_freed_memory
from cellwright_policies.networks import PRIVILEGED, CellActorCritic
from cellwright_policies.threads import StepThreads

_STEPS_AT_ONCE = 64
Teacher = Callable[[Mapping[str, NDArray[Any]]], NDArray[np.float32]]
"""Maps observations, each (n, …), to the teacher's actions (n, actions) in [-1, 1]."""


@dataclass(frozen=True, kw_only=True)
class PPOConfig:
    """Settings of PPO. The defaults suit an actor that starts from demonstrations."""

    rollout_steps: int = 256
    """Control steps of each cell between updates."""
    epochs: int = 3
    """Passes over a rollout."""
    batch_size: int = 512
    """Samples a gradient step."""
    learning_rate: float = 1e-4
    """Adam's step for the actor."""
    critic_learning_rate: float = 5e-4
    """Adam's step for the critic."""
    learning_rate_left: float = 1.0
    """Fraction of both learning rates that is left at the end; they fall linearly."""
    gamma: float = 0.98
    """Discount per control step: 0.98 looks two seconds ahead at 25 Hz, 0.99 five at 20 Hz."""
    gae_lambda: float = 0.95
    """Trade between variance (1) and bias (0) of the advantages."""
    clip_range: float = 0.15
    """Change of an action's probability beyond which it is not rewarded further."""
    target_kl: float = 0.02
    """KL divergence from the acting policy at which the actor's update on a rollout stops."""
    max_grad_norm: float = 0.5
    """Bound of the gradient's norm, of actor and critic each."""
    entropy_coefficient: float = 0.0
    """Weight of the entropy bonus."""
    std_range: tuple[float, float] = (0.03, 0.4)
    """Bounds of the actions' standard deviation."""
    aux_coefficient: float = 0.1
    """Weight of the auxiliary loss."""
    teacher_coefficient: float = 0.0
    """Weight of the squared distance to the teacher's actions at the start."""
    teacher_steps: int = 1
    """Steps over which the weight of the teacher falls to zero."""
    warmup_rollouts: int = 5
    """Rollouts at the start that train only the critic."""
    warmup_epochs: int = 10
    """Passes of the critic over each of them."""
    acting_threads: int = 1
    """Threads of torch while cells step: the cores belong to the workers then."""
    update_threads: int = 2
    """Most threads of torch during an update, when the workers rest."""
    adaptive_threads: bool = True
    """Whether an update takes fewer threads while that is faster; such runs do not repeat bit by bit."""

    def __post_init__(self) -> None:
        for name in ("rollout_steps", "epochs", "teacher_steps", "acting_threads", "update_threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"need self.{name}={getattr(self, name)} >= 1")
        if self.batch_size < 2:  # advantages are scaled by their spread within a batch
            raise ValueError(f"need {self.batch_size=} >= 2")
        for name in ("learning_rate", "critic_learning_rate", "clip_range", "target_kl", "max_grad_norm"):
            if getattr(self, name) <= 0:
                raise ValueError(f"need self.{name}={getattr(self, name)} > 0")
        weights = ("entropy_coefficient", "aux_coefficient", "teacher_coefficient")
        for name in (*weights, "warmup_rollouts", "warmup_epochs"):
            if getattr(self, name) < 0:
                raise ValueError(f"need self.{name}={getattr(self, name)} >= 0")
        if not 0 < self.learning_rate_left <= 1:
            raise ValueError(f"need 0 < {self.learning_rate_left=} <= 1")
        if not (0 <= self.gamma <= 1 and 0 <= self.gae_lambda <= 1):
            raise ValueError(f"need 0 <= {self.gamma=} <= 1 and 0 <= {self.gae_lambda=} <= 1")
        if not 0 < self.std_range[0] <= self.std_range[1]:
            raise ValueError(f"need 0 < low <= high, got {self.std_range=}")


@dataclass(frozen=True)
class _Batch:
    """Some samples of a rollout."""

    observations: dict[str, torch.Tensor]
    actions: torch.Tensor
    log_probs: torch.Tensor
    advantages: torch.Tensor
    returns: torch.Tensor
    """In units of the critic's output."""
    teacher_actions: torch.Tensor | None


class CellPPO(PPO):
    """PPO over `CellActorCritic`, with an auxiliary loss, a teacher and a warm-up of the critic.

    Differences from Stable-Baselines3's PPO: actor and critic have their own learning rates and gradient
    bounds; the critic learns returns of order one; reaching `target_kl` stops the actor only; the first
    `warmup_rollouts` train only the critic, so that the advantages of an untrained critic do not destroy an
    actor that was trained on demonstrations; images stay uint8 until a batch is used.
    """

    policy: CellActorCritic
    rollout_buffer: DictRolloutBuffer
    policy_aliases: ClassVar[dict[str, Any]] = {"CellActorCritic": CellActorCritic}

    def __init__(
        self,
        policy: str | type[CellActorCritic] = CellActorCritic,
        env: VecEnv | None = None,
        *,
        config: PPOConfig | None = None,
        policy_kwargs: dict[str, Any] | None = None,
        seed: int | None = None,
        device: torch.device | str = "cpu",
        _init_setup_model: bool = True,
    ) -> None:
        self.config = config or PPOConfig()
        self.teacher: Teacher | None = None
        self.rollouts = 0
        self._threads = StepThreads(self.config.update_threads, adaptive=self.config.adaptive_threads)
        self.batch_rng = np.random.default_rng(seed)
        super().__init__(
            policy,
            env,  # type: ignore[arg-type]
            learning_rate=self.config.learning_rate,
            n_steps=self.config.rollout_steps,
            batch_size=self.config.batch_size,
            n_epochs=self.config.epochs,
            gamma=self.config.gamma,
            gae_lambda=self.config.gae_lambda,
            clip_range=self.config.clip_range,
            max_grad_norm=self.config.max_grad_norm,
            target_kl=self.config.target_kl,
            policy_kwargs=policy_kwargs,
            seed=seed,
            device=device,
            _init_setup_model=_init_setup_model,
        )
        keep_freed_memory()  # of this whole process: training is what it is there for

    @property
    def warming_up(self) -> bool:
        """Whether the present rollout trains only the critic."""
        return self.rollouts < self.config.warmup_rollouts

    def collect_rollouts(
        self, env: VecEnv, callback: BaseCallback, rollout_buffer: RolloutBuffer, n_rollout_steps: int
    ) -> bool:
        """Act in the cells for `n_rollout_steps`; False where `callback` ends training before.

        As Stable-Baselines3 does, in less time: cells wait for actions only. Values and probabilities are
        worked out when the rollout is complete, many at once.
        """
        torch.set_num_threads(self.config.acting_threads)  # the workers need the cores
        self.policy.set_training_mode(False)
        rollout_buffer.reset()
        callback.on_rollout_start()
        noise = np.empty(rollout_buffer.actions.shape, np.float32)
        unknown = torch.zeros(env.num_envs)
        assert isinstance(self._last_obs, dict)
        assert self._last_episode_starts is not None
        observations: dict[str, NDArray[Any]] = self._last_obs
        starts = self._last_episode_starts
        for step in range(n_rollout_steps):
            actions, noise[step] = self._sample(observations)
            new_observations, rewards, dones, infos = env.step(np.clip(actions, -1.0, 1.0))
            assert isinstance(new_observations, dict)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            if not callback.on_step():
                return False
            self._update_info_buffer(infos, dones)
            for cell in np.flatnonzero(dones):
                if infos[cell]["TimeLimit.truncated"]:  # the episode would have gone on
                    last = {
                        key: value[np.newaxis] for key, value in infos[cell]["terminal_observation"].items()
                    }
                    rewards[cell] += self.gamma * self._values(last).item()
            rollout_buffer.add(observations, actions, rewards, starts, unknown, unknown)  # type: ignore[arg-type]
            self._last_obs = observations = new_observations
            self._last_episode_starts = starts = dones
        self._work_out(rollout_buffer, noise)
        rollout_buffer.compute_returns_and_advantage(self._values(observations), starts)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _sample(
        self, observations: Mapping[str, NDArray[Any]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw actions before clipping (cells, actions), and by how many standard deviations they differ from
        the mean."""
        with torch.inference_mode():
            seen = {key: self._tensor(observations[key]) for key in self.policy.actor.input_keys}
            mean = self.policy.action_net(self.policy.actor(seen))
            noise = torch.randn_like(mean)
            actions = mean + self.policy.log_std.exp() * noise
        return actions.cpu().numpy(), noise.cpu().numpy()

    def _values(self, observations: Mapping[str, NDArray[Any]]) -> torch.Tensor:
        with torch.inference_mode():
            seen = {key: self._tensor(observations[key]) for key in self.policy.critic.scale.keys}
            return self.policy.predict_values(seen).flatten().cpu()

    def _work_out(self, buffer: RolloutBuffer, noise: NDArray[np.float32]) -> None:
        """Fill in the values of a rollout and the logarithms of its actions' probabilities."""
        assert isinstance(buffer, DictRolloutBuffer)
        log_std = self.policy.log_std.detach().cpu().numpy()
        buffer.log_probs[:] = (-0.5 * noise**2 - log_std - 0.5 * np.log(2.0 * np.pi)).sum(axis=-1)
        for step in range(0, buffer.buffer_size, _STEPS_AT_ONCE):
            rows = slice(step, step + _STEPS_AT_ONCE)
            keys = self.policy.critic.scale.keys
            seen = {key: buffer.observations[key][rows].reshape(-1, *buffer.obs_shape[key]) for key in keys}
            buffer.values[rows] = self._values(seen).numpy().reshape(-1, buffer.n_envs)

    def train(self) -> None:
        """Train on the rollout just collected."""
        self.policy.set_training_mode(True)
        self._set_learning_rates()
        self._rescale_value()
        metrics = _Means()
        if self.warming_up:
            for _ in range(self.config.warmup_epochs):
                for batch in self._batches(with_teacher=False):
                    with self._threads.step():
                        self._step(self._critic_loss(batch, metrics))
        else:
            self._learn_actor_and_critic(metrics)
        self.rollouts += 1
        self._n_updates += 1
        torch.set_num_threads(self.config.acting_threads)
        values, returns = self.rollout_buffer.values.ravel(), self.rollout_buffer.returns.ravel()
        metrics.add("explained_variance", float(explained_variance(values, returns)))
        metrics.add("std", self.policy.log_std.exp().mean().item())
        metrics.add("action_saturation", float(np.mean(np.abs(self.rollout_buffer.actions) >= 1.0)))
        for name, value in metrics.items():
            self.logger.record(f"train/{name}", value)

    def _learn_actor_and_critic(self, metrics: _Means) -> None:
        actor_learns = True
        for _ in range(self.config.epochs):
            for batch in self._batches(with_teacher=self._teacher_weight() > 0):
                with self._threads.step():
                    loss = self._critic_loss(batch, metrics)
                    if actor_learns:
                        actor_loss, kl = self._actor_loss(batch, metrics)
                        actor_learns = kl <= 1.5 * self.config.target_kl
                        if actor_learns:
                            loss = loss + actor_loss
                    self._step(loss)
        metrics.add("stopped_early", float(not actor_learns))

    def _actor_loss(self, batch: _Batch, metrics: _Means) -> tuple[torch.Tensor, float]:
        """Return the loss and the KL divergence from the policy that acted."""
        features = self.policy.actor(batch.observations)
        distribution = self.policy.distribution_of(features)
        log_ratio = distribution.log_prob(batch.actions) - batch.log_probs
        ratio = log_ratio.exp()
        advantages = (batch.advantages - batch.advantages.mean()) / (batch.advantages.std() + 1e-8)
        clipped = torch.clamp(ratio, 1 - self.config.clip_range, 1 + self.config.clip_range)
        policy_loss = -torch.min(advantages * ratio, advantages * clipped).mean()
        aux_loss = self._aux_loss(features, batch)
        teacher_loss = features.new_zeros(())
        if batch.teacher_actions is not None:
            teacher_loss = nn.functional.mse_loss(distribution.mode(), batch.teacher_actions)
        kl = (ratio - 1 - log_ratio).mean().item()
        metrics.add("policy_loss", policy_loss.item())
        metrics.add("aux_loss", aux_loss.item())
        metrics.add("teacher_loss", teacher_loss.item())
        metrics.add("approx_kl", kl)
        metrics.add("clip_fraction", ((ratio - 1).abs() > self.config.clip_range).float().mean().item())
        entropy = distribution.entropy()
        assert entropy is not None
        loss = policy_loss + self.config.aux_coefficient * aux_loss
        loss = loss + self._teacher_weight() * teacher_loss - self.config.entropy_coefficient * entropy.mean()
        return loss, kl

    def _critic_loss(self, batch: _Batch, metrics: _Means) -> torch.Tensor:
        loss = nn.functional.mse_loss(
            self.policy.normalised_values(batch.observations).flatten(), batch.returns
        )
        metrics.add("value_loss", loss.item())
        return loss

    def _aux_loss(self, features: torch.Tensor, batch: _Batch) -> torch.Tensor:
        if not self.policy.aux_indices:
            return features.new_zeros(())
        return self.policy.aux_loss(features, batch.observations[PRIVILEGED])

    def _step(self, loss: torch.Tensor) -> None:
        self.policy.optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(self.policy.actor_parameters(), self.config.max_grad_norm)
        nn.utils.clip_grad_norm_(self.policy.critic_parameters(), self.config.max_grad_norm)
        self.policy.optimizer.step()
        with torch.no_grad():
            self.policy.log_std.clamp_(*np.log(self.config.std_range))

    def _batches(self, *, with_teacher: bool) -> Iterator[_Batch]:
        """Yield the rollout once, shuffled."""
        buffer = self.rollout_buffer
        samples = buffer.buffer_size * buffer.n_envs
        flat = {
            key: values.reshape(samples, *values.shape[2:]) for key, values in buffer.observations.items()
        }
        teacher_actions = self._teacher_actions(flat) if with_teacher else None
        names = ("actions", "log_probs", "advantages", "returns")
        actions, log_probs, advantages, returns = (
            getattr(buffer, name).reshape(samples, *getattr(buffer, name).shape[2:]) for name in names
        )
        mean, std = float(self.policy.value_mean), float(self.policy.value_std)
        order = self.batch_rng.permutation(samples)
        for first in range(0, samples - self.config.batch_size + 1, self.config.batch_size):
            rows = order[first : first + self.config.batch_size]
            yield _Batch(
                observations={key: self._tensor(values[rows]) for key, values in flat.items()},
                actions=self._tensor(actions[rows]),
                log_probs=self._tensor(log_probs[rows]),
                advantages=self._tensor(advantages[rows]),
                returns=self._tensor((returns[rows] - mean) / std),
                teacher_actions=None if teacher_actions is None else self._tensor(teacher_actions[rows]),
            )

    def _tensor(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.as_tensor(values, device=self.device)

    def _teacher_weight(self) -> float:
        if self.teacher is None:
            return 0.0
        remaining = 1.0 - self.num_timesteps / self.config.teacher_steps
        return self.config.teacher_coefficient * max(0.0, remaining)

    def _teacher_actions(self, observations: Mapping[str, NDArray[Any]]) -> NDArray[np.float32]:
        assert self.teacher is not None
        if self._labelled_rollout != self.rollouts:
            self._labels = np.asarray(self.teacher(observations), dtype=np.float32)
            self._labelled_rollout = self.rollouts
        return self._labels

    _labelled_rollout = -1
    _labels: NDArray[np.float32]

    def _set_learning_rates(self) -> None:
        actor, critic = self.policy.optimizer.param_groups
        left = self.config.learning_rate_left
        fraction = left + (1.0 - left) * self._current_progress_remaining
        actor["lr"] = fraction * self.config.learning_rate
        critic["lr"] = fraction * self.config.critic_learning_rate

    def _rescale_value(self) -> None:
        """Follow mean and standard deviation of the returns; at once during warm-up, slowly afterwards."""
        returns = self.rollout_buffer.returns
        rate = 1.0 if self.warming_up else 0.05
        mean, std = float(self.policy.value_mean), float(self.policy.value_std)
        new_std = max(float(returns.std()), 1e-3)
        self.policy.rescale_value(mean + rate * (float(returns.mean()) - mean), std + rate * (new_std - std))

    def _excluded_save_params(self) -> list[str]:
        return [*super()._excluded_save_params(), "teacher", "_labels", "_labelled_rollout"]


class _Means:
    """Running means by name."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}

    def add(self, name: str, value: float) -> None:
        self._values.setdefault(name, []).append(value)

    def items(self) -> Iterator[tuple[str, float]]:
        for name, values in self._values.items():
            yield name, float(np.mean(values))
