"""Warm start: the actor imitates an expert that reads the true state, wherever the actor leads."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from torch import nn

from cellwright_policies.networks import IMAGE, PRIVILEGED, CellActorCritic
from cellwright_policies.threads import StepThreads
from cellwright_train.errors import UsageError
from cellwright_train.learning.curriculum import UNDISTURBED, Mixture
from cellwright_train.learning.vec_env import PoolVecEnv

Observations = Mapping[str, NDArray[Any]]
Actions = NDArray[np.float32]


class Controller(Protocol):
    """What acts in a batch of cells: an expert or a policy."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Forget the episodes of all `cells`, or only those of `indices`."""
        ...

    def act_batch(self, observations: Observations) -> Actions:
        """Return actions (n, actions) within [-1, 1] for observations batched along axis 0."""
        ...


@dataclass(frozen=True, kw_only=True)
class DemonstrationConfig:
    """Settings of the demonstrations and of the training on them (DAgger, arXiv:1011.0686)."""

    expert: str = "oracle"
    """Name of the scripted expert."""
    steps: int = 200_000
    """Control steps to keep, over all cells; 0 for no warm start."""
    keep_every: int = 1
    """One in so many control steps is kept: the next one shows almost the same, another episode does not."""
    rounds: int = 10
    """Number of rounds of collecting and training; in the first round only the expert acts."""
    mixture: Mixture = UNDISTURBED
    """Disturbances of the cells meanwhile."""
    expert_fraction: float = 0.5
    """Fraction of the time that the expert acts in the second round; it halves from round to round."""
    short_fraction: float = 0.0
    """Fraction of the cells of every set whose episodes end after `short_steps`, so that more parts and
    places are seen."""
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
    """Largest random shift of each view in a training pass (DrQ, arXiv:2004.13649).

    For tasks in which cameras are not exactly where they were calibrated, and relative positions of objects
    decide.
    """

    def rates(self, number: int) -> list[float]:
        """Adam's step in each pass over the data of round `number`, from 0 on."""
        rates = [self.learning_rate] * self.epochs
        if number + 1 == self.rounds:
            rates += np.geomspace(self.learning_rate, self.learning_rate / 10, self.final_epochs).tolist()
        return rates

    def __post_init__(self) -> None:
        if not 0.0 <= self.short_fraction <= 1.0 or self.short_steps < 1:
            raise ValueError(f"need 0 <= {self.short_fraction=} <= 1 and {self.short_steps=} >= 1")
        if self.steps < 0 or self.rounds < 1 or self.largest_shift_px < 0:
            raise ValueError(
                f"need {self.steps=} >= 0, {self.rounds=} >= 1 and {self.largest_shift_px=} >= 0"
            )
        if not 0.0 <= self.expert_fraction <= 1.0:
            raise ValueError(f"need 0 <= {self.expert_fraction=} <= 1")
        if self.noise < 0.0 or self.aux_coefficient < 0.0 or self.learning_rate <= 0.0:
            raise ValueError(
                f"need {self.noise=} >= 0, {self.aux_coefficient=} >= 0 and {self.learning_rate=} > 0"
            )
        if self.epochs < 1 or self.final_epochs < 0 or self.batch_size < 1 or self.keep_every < 1:
            raise ValueError(
                f"need {self.epochs=} >= 1, {self.final_epochs=} >= 0, {self.batch_size=} >= 1 "
                f"and {self.keep_every=} >= 1"
            )


class DemonstrationStore:
    """Observations and the expert's actions on disk, so that they outlive a stop and need little memory.

    The arrays are memory-mapped; what is in use stays in the page cache. Images are uint8, all else float32.
    Their disk space is set aside at once: a mapped file that finds no room kills the process.
    """

    def __init__(
        self,
        directory: Path,
        observation_space: spaces.Dict,
        action_size: int,
        capacity: int,
        *,
        rows: int = 0,
    ) -> None:
        """Open the store, of which `rows` rows are filled.

        Raises `UsageError` where the disk has no room for all of it, or filled rows are not there.
        """
        shapes = {key: (space.shape or (), space.dtype) for key, space in observation_space.items()}
        arrays = {
            directory / f"{key}.npy": ((capacity, *shape), np.dtype(dtype))
            for key, (shape, dtype) in shapes.items()
        }
        arrays[directory / "actions.npy"] = ((capacity, action_size), np.dtype(np.float32))
        directory.mkdir(parents=True, exist_ok=True)
        there = {path for path, array in arrays.items() if _is_array(path, *array)}
        if rows and (missing := sorted(path.name for path in arrays.keys() - there)):
            raise UsageError(
                f"{directory} lacks {missing[0]}, from which the demonstrations would go on; "
                "put it back, or start a new run"
            )
        _require_room(
            directory, sum(_size_bytes(*array) for path, array in arrays.items() if path not in there)
        )
        opened = {path: _open(path, *array, new=path not in there) for path, array in arrays.items()}
        self.observations = {key: opened[directory / f"{key}.npy"] for key in shapes}
        self.actions = opened[directory / "actions.npy"]
        self.capacity = capacity
        self.rows = rows

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


class Losses(NamedTuple):
    """Means over one pass."""

    imitation: float
    aux: float


class Demonstrations:
    """Alternates between collecting, where the actor acts for a growing fraction of the time, and
    training."""

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
        has_learnt: bool = False,
    ) -> None:
        """With a policy that `has_learnt` before, it acts from the first round on, and scales its inputs as
        it did."""
        self._config = config
        self._has_learnt = has_learnt
        self._env = env
        self._policy = policy
        self._expert = expert
        self._store = store
        self._rng = rng
        self._threads = threads

    def collect(self, number: int, on_steps: Callable[[int], None]) -> float:
        """Collect the steps of a round; `on_steps` is given how many after each that is kept.

        Returns the success rate among whole episodes that ended meanwhile, whoever acted; NaN where none did.
        """
        config = self._config
        torch.set_num_threads(1)
        short = short_cells(config.mixture.assign(self._env.num_envs), config.short_fraction)
        self._env.limit_episodes(config.short_steps, short)
        successes = self._collect(number, config.steps // config.rounds, on_steps, short)
        self._env.limit_episodes(None)
        if number == 0 and not self._has_learnt:
            rows = self._store.rows
            self._policy.fit_inputs(
                {
                    key: np.asarray(values[:rows])
                    for key, values in self._store.observations.items()
                    if values.dtype != np.uint8
                }
            )
        return float(np.mean(successes)) if successes else float("nan")

    def learn(self, number: int, first_pass: int, on_rows: Callable[[int], None]) -> Iterator[Losses]:
        """Learn from all rounds so far; yields after each pass over the data, from `first_pass` on.

        `on_rows` is given how many rows every gradient step learnt from.
        """
        optimizer = torch.optim.Adam(self._policy.actor_parameters(), eps=1e-5)
        for rate in self._config.rates(number)[first_pass:]:
            optimizer.param_groups[0]["lr"] = rate
            losses = self._pass(optimizer, on_rows)
            torch.set_num_threads(1)
            yield losses

    def _collect(
        self, number: int, steps: int, on_steps: Callable[[int], None], short: list[int]
    ) -> list[bool]:
        config, cells = self._config, self._env.num_envs
        mixed = number + self._has_learnt
        expert_fraction = 1.0 if mixed == 0 else config.expert_fraction * 0.5 ** (mixed - 1)
        observations: Any = self._env.reset()
        self._expert.reset(cells)
        successes: list[bool] = []
        expert_acts = np.ones(cells, dtype=bool)
        for step in range(max(1, steps // cells) * config.keep_every):
            shown = self._expert.act_batch(observations)
            kept = step % config.keep_every == 0
            if kept:
                self._store.add(observations, shown)
            if step % _TURN_STEPS == 0:
                expert_acts = self._rng.random(cells) < expert_fraction
            actions = shown if expert_acts.all() else self._policy.act_batch(observations)
            actions = np.where(expert_acts[:, None], shown, actions)
            noise = config.noise * self._rng.standard_normal(actions.shape)
            noisy = np.clip(actions + noise, -1.0, 1.0).astype(np.float32)
            observations, _, dones, infos = self._env.step(noisy)
            for cell in np.flatnonzero(dones):
                if cell not in short:
                    successes.append(bool(infos[cell].get("is_success", False)))
                self._expert.reset(cells, [int(cell)])
            if kept:
                on_steps(cells)
        return successes

    def _pass(self, optimizer: torch.optim.Optimizer, on_rows: Callable[[int], None]) -> Losses:
        losses: list[tuple[float, float]] = []
        for rows, shown in self._store.batches(self._config.batch_size, self._rng):
            observations = {key: self._tensor(values) for key, values in rows.items()}
            if self._config.largest_shift_px:
                observations[IMAGE] = shifted(observations[IMAGE], self._config.largest_shift_px, self._rng)
            with self._threads.step():
                losses.append(self._step(optimizer, observations, self._tensor(shown)))
            on_rows(len(shown))
        imitation, aux = np.mean(losses, axis=0)
        return Losses(float(imitation), float(aux))

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


def short_cells(sets: Sequence[str], fraction: float) -> list[int]:
    """Cells whose episodes end early: this fraction of those of every set, where cell i has `sets[i]`."""
    chosen: list[int] = []
    for name in dict.fromkeys(sets):
        cells = np.flatnonzero(np.array(sets) == name)
        ends = np.floor(fraction * np.arange(len(cells) + 1) + 1e-9)
        chosen += cells[np.diff(ends) > 0].tolist()
    return sorted(chosen)


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


def _is_array(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether a file holds an array of this kind; only its header is read."""
    if not path.is_file() or path.is_symlink():
        return False
    try:
        found = np.lib.format.open_memmap(path, mode="r")
    except (ValueError, EOFError):
        return False
    return found.shape == shape and found.dtype == dtype


def _open(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any], *, new: bool) -> NDArray[Any]:
    if not new:
        return np.lib.format.open_memmap(path, mode="r+")
    try:
        made: NDArray[Any] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise UsageError(
            f"{path} cannot be written: {error.strerror}; it takes {_told_size(_size_bytes(shape, dtype))}"
        ) from error
    return made


def _require_room(directory: Path, needed_bytes: int) -> None:
    free_bytes = shutil.disk_usage(directory).free
    if needed_bytes > free_bytes:
        raise UsageError(
            f"demonstrations need {_told_size(needed_bytes)} in {directory}, where {_told_size(free_bytes)} "
            "are free; make room, or begin a run on another disk with --run-dir"
        )


def _size_bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    return math.prod(shape) * dtype.itemsize + _HEADER_BYTES


def _told_size(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB" if size_bytes >= 1e9 else f"{max(size_bytes, 1e5) / 1e6:.1f} MB"


_HEADER_BYTES = 4096
"""More than the header of an array takes."""
