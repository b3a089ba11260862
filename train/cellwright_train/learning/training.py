"""One training run from start to end: demonstrations, critic warm-up, PPO with a curriculum."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from cellwright_envs.vector.pool import CellWorkerKilledError
from cellwright_policies.checkpoint import read_weights
from cellwright_train.errors import UsageError, one_line
from cellwright_train.learning.demonstrations import Controller
from cellwright_train.learning.presets import TrainConfig
from cellwright_train.learning.progress import ProgressBar, Reporter
from cellwright_train.learning.runs import NoCheckpointError, RunDirectory
from cellwright_train.learning.session import TrainingSession
from cellwright_train.learning.training_cells import make_cells


def train(
    config: TrainConfig,
    run_dir: Path | str,
    *,
    seed: int,
    minutes: float | None = None,
    expert: Controller | None = None,
    initial_weights: Mapping[str, torch.Tensor] | None = None,
    report: Reporter | None = None,
    command: str = "",
    parent: Mapping[str, str] | None = None,
) -> Path:
    """Train as `config` says and return the run directory.

    `minutes` bounds the wall-clock time: the run then stops, tests, saves, and can be resumed. `expert`
    stands in for the scripted expert that `config` names. `initial_weights` are a policy's `state_dict`, from
    which training goes on. `report` hears how far it is; a bar is drawn where it is None. `command` is noted
    in the run as what trained it, and `parent` as where those weights come from. Ctrl-C saves before it goes
    on to the caller. Raises `RunExistsError` where `run_dir` is not empty, and `UsageError` where it cannot
    be written.
    """
    _require_device(config.device)
    with RunDirectory.begin(Path(run_dir), config, seed, initial_weights) as run:
        if parent is not None:
            run.note_parent(parent)
        if command:
            run.note_command(command)
        with _session(run, config, minutes, expert, report) as session:
            if initial_weights is not None:
                session.begin_with(initial_weights)
            session.run_to_end()
    return run.path


def resume(
    run_dir: Path | str,
    *,
    minutes: float | None = None,
    expert: Controller | None = None,
    workers: int | None = None,
    device: str | None = None,
    report: Reporter | None = None,
    command: str = "",
) -> Path:
    """Go on with a stopped run from its newest checkpoint.

    Counters, weights, optimizer, schedules, curriculum and logs go on as they were; cells start new episodes.
    `workers` and `device` stand in for those of the run, which may have begun on another machine. Raises
    `NoCheckpointError` where `run_dir` is no run, and `UsageError` where a file of it is missing or wrong, or
    another process trains there.
    """
    run = RunDirectory.open(Path(run_dir))
    config = on_machine(run.config, workers=workers, device=device)
    _require_device(config.device)
    with run.locked(), _session(run, config, minutes, expert, report) as session:
        with contextlib.suppress(NoCheckpointError):
            session.restore(run.last_checkpoint())
        if run.given.exists() and not session.has_learnt:
            session.begin_with(read_weights(run.given, session.model.policy))
        run.note_versions()
        if command:
            run.note_command(command)
        session.run_to_end()
    return run.path


def on_machine(config: TrainConfig, *, workers: int | None, device: str | None) -> TrainConfig:
    """Return `config` with as many processes and the device given; None keeps its own."""
    given: dict[str, Any] = {
        name: value for name, value in (("workers", workers), ("device", device)) if value is not None
    }
    return dataclasses.replace(config, **given)


def _require_device(name: str) -> None:
    """Raise `UsageError` where torch cannot compute on the device called `name`."""
    try:
        torch.zeros(1, device=name).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        have = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
        raise UsageError(f"no device {name!r} here; there is: {', '.join(have)}") from error


@contextlib.contextmanager
def _session(
    run: RunDirectory,
    config: TrainConfig,
    minutes: float | None,
    expert: Controller | None,
    report: Reporter | None,
) -> Any:
    seed = run.seed
    try:
        with contextlib.ExitStack() as stack:
            env = stack.enter_context(contextlib.closing(make_cells(config)))
            reporter = stack.enter_context(ProgressBar()) if report is None else report
            yield TrainingSession(
                run, config, env, seed=seed, minutes=minutes, expert=expert, report=reporter
            )
    except CellWorkerKilledError as error:
        raise UsageError(
            f"{one_line(error)}; was memory short? What was learned is saved, "
            f"to go on: cellwright train --resume --run-dir {run.path}"
        ) from error
