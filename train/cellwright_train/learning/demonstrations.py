"""Warm start: the actor learns what an expert, who sees the true state, would do where the actor goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from cellwright_policies.networks import IMAGE, PRIVILEGED, CellActorCritic
from cellwright_policies.threads import StepThreads
from cellwright_train.learning.curriculum import UNDISTURBED, Mixture
from cellwright_train.learning.vec_env import PoolVecEnv

Observations = Mapping[str, NDArray[Any]]
Actions = NDArray[np.float32]


class Controller(Protocol):
    """Who acts in a batch of cells: an expert or a policy."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Forget the episodes of all `cells`, or only those of `indices`."""
        ...

    def act_batch(self, observations: Observations) -> Actions:
        """Return actions (n, actions) within [-1, 1] for observations batched along axis 0."""
        ...


@dataclass(frozen=True, kw_only=True)
class DemonstrationConfig:
    """How much an expert shows, and how it is learnt (DAgger, arXiv:1011.0686)."""

    expert: str = "oracle"
    """Name of the scripted expert."""
    steps: int = 200_000
    """Control steps to collect, over all cells; 0 for no warm start."""
    rounds: int = 10
    """How often collecting and learning alternate; the expert alone acts in the first round."""
    mixture: Mixture = UNDISTURBED
    """Disturbances that the cells meet meanwhile."""
    expert_share: float = 0.5
    """Share of the time that the expert acts in the second round; it halves from round to round."""
    short_share: float = 0.0
    """Share of the cells whose episodes end after `short_steps`, so that more parts and places are seen."""
    short_steps: int = 25
    """Control steps of a short episode: enough to see everything once."""
    noise: float = 0.2
    """Standard deviation of the noise on actions while collecting, so that recovery is shown too."""
    epochs: int = 2
    """Passes over all data after each round."""
    final_epochs: int = 4
    """Passes at the end, while the step size falls to a tenth."""
    batch_size: int = 512
    """Samples a gradient step."""
    learning_rate: float = 5e-4
    """Adam's step."""
    aux_coefficient: float = 0.1
    """Weight of the auxiliary loss."""
    largest_shift_px: int = 0
    """Views are moved by up to this, each at random, whenever they are learnt from (DrQ, arXiv:2004.13649).

    For tasks in which a camera is never quite where it was calibrated and what counts is where things are
    relative to each other.
    """

    def __post_init__(self) -> None:
        if not 0.0 <= self.short_share <= 1.0 or self.short_steps < 1:
            raise ValueError(f"need 0 <= {self.short_share=} <= 1 and {self.short_steps=} >= 1")
        if self.steps < 0 or self.rounds < 1 or self.largest_shift_px < 0:
            raise ValueError(
                f"need {self.steps=} >= 0, {self.rounds=} >= 1 and {self.largest_shift_px=} >= 0"
            )
        if not 0.0 <= self.expert_share <= 1.0:
            raise ValueError(f"need 0 <= {self.expert_share=} <= 1")
        if self.noise < 0.0 or self.aux_coefficient < 0.0 or self.learning_rate <= 0.0:
            raise ValueError(
                f"need {self.noise=} >= 0, {self.aux_coefficient=} >= 0 and {self.learning_rate=} > 0"
            )
        if self.epochs < 1 or self.final_epochs < 0 or self.batch_size < 1:
            raise ValueError(
                f"need {self.epochs=} >= 1, {self.final_epochs=} >= 0 and {self.batch_size=} >= 1"
            )


class DemonstrationStore:
    """Observations and the expert's actions on disk, so that they outlive a stop and need little memory.

    The arrays are memory-mapped; what is in use stays in the page cache. Images are uint8, all else float32.
    """

    def __init__(
        self, directory: Path, observation_space: spaces.Dict, action_size: int, capacity: int
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        shapes = {key: (space.shape, space.dtype) for key, space in observation_space.items()}
        self.observations = {
            key: _open(directory / f"{key}.npy", (capacity, *(shape or ())), dtype)
            for key, (shape, dtype) in shapes.items()
        }
        self.actions = _open(directory / "actions.npy", (capacity, action_size), np.float32)
        self.capacity = capacity
        self.rows = 0

    def add(self, observations: Observations, actions: Actions) -> None:
        """Append a batch; what no longer fits is left out."""
        last = min(self.rows + len(actions), self.capacity)
        count = last - self.rows
        for key, values in observations.items():
            self.observations[key][self.rows : last] = values[:count]
        self.actions[self.rows : last] = actions[:count]
        self.rows = last

    def batches(
        self, batch_size: int, rng: np.random.Generator
    ) -> Iterator[tuple[dict[str, NDArray[Any]], Actions]]:
        """Yield every row once in random order, but for a last, smaller batch that is not the only one."""
        order = rng.permutation(self.rows)
        for first in range(0, max(1, self.rows - batch_size + 1), batch_size):
            rows = np.sort(order[first : first + batch_size])
            yield {key: values[rows] for key, values in self.observations.items()}, self.actions[rows]


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one round of demonstrations came to."""

    number: int
    steps: int
    imitation_loss: float
    aux_loss: float
    success_rate: float
    """Among whole episodes that ended in the round, whoever acted; NaN where none did."""


class Demonstrations:
    """Alternates between collecting, where the actor goes more and more by itself, and learning."""

    def __init__(
        self,
        config: DemonstrationConfig,
        env: PoolVecEnv,
        *,
        policy: CellActorCritic,
        expert: Controller,
        store: DemonstrationStore,
        threads: StepThreads,
        rng: np.random.Generator,
    ) -> None:
        self._config = config
        self._env = env
        self._policy = policy
        self._expert = expert
        self._store = store
        self._rng = rng
        self._threads = threads

    def run_round(self, number: int, on_steps: Callable[[int], None]) -> Round:
        """Collect and learn once; `on_steps` hears how many steps were collected."""
        config = self._config
        torch.set_num_threads(1)
        short = self._short_cells()
        self._env.limit_episodes(config.short_steps, short)
        successes = self._collect(number, config.steps // config.rounds, on_steps, short)
        self._env.limit_episodes(None)
        if number == 0:
            rows = self._store.rows
            low = {
                key: np.asarray(v[:rows])
                for key, v in self._store.observations.items()
                if v.dtype != np.uint8
            }
            self._policy.fit_inputs(low)
        last = number + 1 == config.rounds
        rates = [config.learning_rate] * config.epochs
        if last:
            rates += list(np.geomspace(config.learning_rate, config.learning_rate / 10, config.final_epochs))
        losses = self._learn(rates)
        torch.set_num_threads(1)
        return Round(
            number=number,
            steps=self._store.rows,
            imitation_loss=losses[0],
            aux_loss=losses[1],
            success_rate=float(np.mean(successes)) if successes else float("nan"),
        )

    def _short_cells(self) -> list[int]:
        """Cells with short episodes, spread evenly over those of all levels."""
        ends = np.floor(self._config.short_share * np.arange(self._env.num_envs + 1) + 1e-9)
        return np.flatnonzero(np.diff(ends)).tolist()

    def _collect(
        self, number: int, steps: int, on_steps: Callable[[int], None], short: list[int]
    ) -> list[bool]:
        config, cells = self._config, self._env.num_envs
        expert_share = 1.0 if number == 0 else config.expert_share * 0.5 ** (number - 1)
        observations: Any = self._env.reset()
        self._expert.reset(cells)
        successes: list[bool] = []
        expert_acts = np.ones(cells, dtype=bool)
        for step in range(max(1, steps // cells)):
            shown = self._expert.act_batch(observations)
            self._store.add(observations, shown)
            if step % _TURN_STEPS == 0:
                expert_acts = self._rng.random(cells) < expert_share
            actions = shown if expert_acts.all() else self._policy.act_batch(observations)
            actions = np.where(expert_acts[:, None], shown, actions)
            noise = config.noise * self._rng.standard_normal(actions.shape)
            noisy = np.clip(actions + noise, -1.0, 1.0).astype(np.float32)
            observations, _, dones, infos = self._env.step(noisy)
            for cell in np.flatnonzero(dones):
                if cell not in short:
                    successes.append(bool(infos[cell].get("is_success", False)))
                self._expert.reset(cells, [int(cell)])
            on_steps(cells)
        return successes

    def _learn(self, rates: Sequence[float]) -> tuple[float, float]:
        """Pass over the data once for each of `rates`; return both losses of the last pass."""
        optimizer = torch.optim.Adam(self._policy.actor_parameters(), eps=1e-5)
        losses: list[tuple[float, float]] = []
        for rate in rates:
            losses.clear()
            optimizer.param_groups[0]["lr"] = rate
            for rows, shown in self._store.batches(self._config.batch_size, self._rng):
                observations = {key: self._tensor(values) for key, values in rows.items()}
                if self._config.largest_shift_px:
                    observations[IMAGE] = shifted(
                        observations[IMAGE], self._config.largest_shift_px, self._rng
                    )
                with self._threads.step():
                    losses.append(self._step(optimizer, observations, self._tensor(shown)))
        imitation_loss, aux_loss = np.mean(losses, axis=0)
        return float(imitation_loss), float(aux_loss)

    def _step(
        self, optimizer: torch.optim.Optimizer, observations: dict[str, torch.Tensor], actions: torch.Tensor
    ) -> tuple[float, float]:
        features = self._policy.actor(observations)
        imitation = nn.functional.mse_loss(self._policy.action_net(features), actions)
        aux = features.new_zeros(())
        if self._policy.aux_indices:
            aux = self._policy.aux_loss(features, observations[PRIVILEGED])
        optimizer.zero_grad()
        torch.autograd.backward(imitation + self._config.aux_coefficient * aux)
        nn.utils.clip_grad_norm_(self._policy.actor_parameters(), 1.0)
        optimizer.step()
        return imitation.item(), aux.item()

    def _tensor(self, values: NDArray[Any]) -> torch.Tensor:
        return torch.as_tensor(values, device=self._policy.device)


def shifted(images: torch.Tensor, largest_px: int, rng: np.random.Generator) -> torch.Tensor:
    """Move each view of `images` (n, views, H, W) by a whole number of pixels; its edge is repeated."""
    count, views, height, width = images.shape
    drawn = rng.integers(-largest_px, largest_px + 1, (2, count, views, 1))
    shift = torch.as_tensor(drawn, device=images.device)
    rows = (torch.arange(height, device=images.device) + shift[0]).clamp_(0, height - 1)
    columns = (torch.arange(width, device=images.device) + shift[1]).clamp_(0, width - 1)
    moved = images.gather(2, rows[..., None].expand(-1, -1, -1, width))
    return moved.gather(3, columns[:, :, None, :].expand(-1, -1, height, -1))


_TURN_STEPS = 25
"""Control steps for which the expert or the actor keeps a cell: about a second."""


def _open(path: Path, shape: tuple[int, ...], dtype: Any) -> NDArray[Any]:
    if path.exists():
        found: NDArray[Any] = np.lib.format.open_memmap(path, mode="r+")
        if found.shape == shape:
            return found
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
