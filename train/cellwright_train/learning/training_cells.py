"""The cells of a run, checked once for everything that its configuration names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from cellwright_policies.networks import IMAGE, PRIVILEGED
from cellwright_train.errors import UsageError, one_line
from cellwright_train.learning.curriculum import Mixture
from cellwright_train.learning.presets import TrainConfig
from cellwright_train.learning.vec_env import PoolVecEnv


def make_cells(config: TrainConfig) -> PoolVecEnv:
    """The cells of a run; raises `UsageError` where `config` asks for what they do not have."""
    try:
        with contextlib.closing(gym.make(config.env_id, privileged=True, **config.env_kwargs)) as cell:
            _check_fit(config, cell)
        return PoolVecEnv.make(
            config.env_id, cells=config.cells, workers=config.workers, privileged=True, **config.env_kwargs
        )
    except UsageError:
        raise
    except (gym.error.Error, ImportError, TypeError, ValueError, AssertionError) as error:
        told = f"env_id {config.env_id!r} with env_kwargs {dict(config.env_kwargs)} makes no cells"
        raise UsageError(f"{told}: {one_line(error)}") from error


def _check_fit(config: TrainConfig, cell: gym.Env) -> None:
    """Raise `UsageError` where `cell` does not have a set that `config` names, or its views are too small."""
    for path, mixture in _mixtures(config):
        for name in mixture.sets:
            _ask(cell, "set_disturbances", name, path)
    if (factors := config.curriculum.factors) is not None:
        where = "curriculum.factors.disturbances"
        if not _ask(cell, "disturbance_names", factors.disturbances, where):
            raise UsageError(f"{where} is {factors.disturbances!r}, which has no disturbance to widen")
    space, shift_px = cell.observation_space, config.demonstrations.largest_shift_px
    views = space.spaces.get(IMAGE) if isinstance(space, spaces.Dict) else None
    side_px = 0 if views is None else min((views.shape or ())[-2:], default=0)
    if 0 < side_px <= 2 * shift_px:
        raise UsageError(
            f"demonstrations.largest_shift_px is {shift_px}, not below half of the {side_px} px of a view"
        )


def _mixtures(config: TrainConfig) -> Iterator[tuple[str, Mixture]]:
    """Every mixture of `config` with the path to its sets."""
    yield "demonstrations.mixture.sets", config.demonstrations.mixture
    for stage, mixture in enumerate(config.curriculum.mixtures):
        yield f"curriculum.mixtures[{stage}].sets", mixture
    yield "evaluation.mixture.sets", config.evaluation.mixture


def _ask(cell: gym.Env, method: str, name: str, where: str) -> Any:
    """The answer of `method` of `cell` for a named set; raises `UsageError` where there is none."""
    if not cell.has_wrapper_attr(method):
        raise UsageError(f"{where} is {name!r}, but the cell has no `{method}`")
    try:
        return cell.get_wrapper_attr(method)(name)
    except ValueError as error:
        raise UsageError(f"{where}: {one_line(error)}") from error


def privileged_names(env: gym.Env | PoolVecEnv) -> tuple[str, ...]:
    """Return the names of the components of `privileged`, in order."""
    groups = (
        env.get_attr("observation_components", indices=0)[0]
        if isinstance(env, PoolVecEnv)
        else env.get_wrapper_attr("observation_components")
    )
    return tuple(component.name for component in groups[PRIVILEGED])


def aux_indices(config: TrainConfig, names: Sequence[str]) -> tuple[int, ...]:
    """Components of `privileged`, called `names`, that the auxiliary head predicts.

    Raises `UsageError` for a target that is not among them.
    """
    unknown = [name for name in config.aux_targets if name not in names]
    if unknown:
        raise UsageError(f"unknown auxiliary targets {', '.join(unknown)}; known: {', '.join(names)}")
    return tuple(names.index(name) for name in config.aux_targets)
