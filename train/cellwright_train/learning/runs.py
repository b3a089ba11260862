"""The run directory: what a training run writes, in a form from which it can go on and be reproduced."""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
import json
import os
import pickle
import platform
import shutil
import uuid
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from stable_baselines3.common.logger import KVWriter

from cellwright_policies.networks import CellActorCritic
from cellwright_policies.ppo import CellPPO
from cellwright_train.errors import MOST_TRAINING_SEED, UsageError, one_line, require_training_seed
from cellwright_train.learning.presets import TrainConfig, from_json, to_json

_PACKAGES = ("cellwright", "gymnasium", "numba", "numpy", "pybullet", "stable-baselines3", "torch")
_KEPT_CHECKPOINTS = 2
_COMMANDS = "commands"
_VERSIONS = "versions.json"
_DAMAGED = (
    FileNotFoundError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    RuntimeError,
    EOFError,
    zipfile.BadZipFile,
    pickle.UnpicklingError,
)
"""What readers of JSON, zip files and pickles raise."""


class RunExistsError(FileExistsError):
    """The run directory is already there."""


class NoCheckpointError(FileNotFoundError):
    """The run holds nothing to load."""


@dataclass(frozen=True, kw_only=True)
class RunDirectory:
    """Paths of one run.

    `config.json versions.json seed commands metrics.csv tensorboard/ checkpoints/ best/`

    A checkpoint is a directory `checkpoints/<number>` with `model.zip` and `state.json`; `best` looks the
    same. Both appear complete or not at all.
    """

    path: Path

    @classmethod
    def create(cls, path: Path, config: TrainConfig, seed: int) -> RunDirectory:
        """Start a run. Raises `RunExistsError` rather than write over one, `UsageError` for no valid seed."""
        require_training_seed(seed)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise RunExistsError(
                f"{path} is not empty; choose another, or: cellwright train --resume --run-dir {path}"
            )
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path=path)
        run.checkpoints.mkdir()
        _write_json(path / "config.json", to_json(config))
        run.note_versions()
        _write_text(path / "seed", f"{seed}\n")
        return run

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return an existing run. Raises `NoCheckpointError` where `path` is none."""
        if not (path / "config.json").is_file():
            raise NoCheckpointError(f"{path} is no training run: it has no config.json")
        return cls(path=path)

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints lie, one directory each, named by steps."""
        return self.path / "checkpoints"

    @property
    def best(self) -> Path:
        """The checkpoint that scored best."""
        return self.path / "best"

    @property
    def config(self) -> TrainConfig:
        """What the run was started with; raises `UsageError` where somebody has edited that into nonsense."""
        path = self.path / "config.json"
        try:
            return from_json(json.loads(path.read_text()))
        except ValueError as error:
            raise UsageError(f"{path} is no configuration of a run: {one_line(error)}") from error

    @property
    def seed(self) -> int:
        """What its random generators were started with; raises `UsageError` where that cannot be read."""
        path = self.path / "seed"
        text = path.read_text().strip() if path.is_file() else None
        if text is None or not text.isdecimal() or int(text) > MOST_TRAINING_SEED:
            wrong = f"{path} is missing" if text is None else f"{path} holds {text!r}, not a seed"
            noted = f"{self.path / _COMMANDS} has it behind --seed"
            raise UsageError(f"{wrong}: write the seed into it, 0 to {MOST_TRAINING_SEED}; {noted}")
        return int(text)

    @property
    def commands(self) -> tuple[str, ...]:
        """The command lines that trained it, in order; none where Python code did."""
        noted = self.path / _COMMANDS
        return tuple(noted.read_text().splitlines()) if noted.is_file() else ()

    def note_command(self, line: str) -> None:
        """Add `line` to `commands`."""
        _write_text(self.path / _COMMANDS, "".join(f"{command}\n" for command in (*self.commands, line)))

    @property
    def versions(self) -> dict[str, str]:
        """The versions that trained it; where they changed in between, one after the other."""
        path = self.path / _VERSIONS
        if not path.is_file():
            return {}
        with reading(path, "remove it"):
            return {name: str(version) for name, version in dict(json.loads(path.read_text())).items()}

    def note_versions(self) -> None:
        """Add the present versions where they are other than those that trained it last."""
        noted = self.versions
        for name, version in versions().items():
            before = noted.get(name, "").split(", then ")
            if before[-1] != version:
                noted[name] = ", then ".join([*filter(None, before), version])
        _write_json(self.path / _VERSIONS, noted)

    def last_checkpoint(self) -> Path:
        """Return the newest checkpoint. Raises `NoCheckpointError` where there is none yet."""
        found = self._numbered()
        if not found:
            raise NoCheckpointError(f"{self.path} has no checkpoint yet")
        return found[-1]

    def save_checkpoint(self, model: CellPPO, state: Mapping[str, Any], order: int) -> None:
        """Write a checkpoint called `order` and remove the oldest but two."""
        _save(self.checkpoints / f"{order:012d}", model, state)
        for path in self._numbered()[:-_KEPT_CHECKPOINTS]:
            shutil.rmtree(path)

    def save_best(self, model: CellPPO, state: Mapping[str, Any]) -> None:
        """Write `model` as the best of the run, with what it scored."""
        _save(self.best, model, state)

    def _numbered(self) -> list[Path]:
        """Its checkpoints, oldest first."""
        if not self.checkpoints.is_dir():
            return []
        return sorted(path for path in self.checkpoints.iterdir() if path.name.isdigit() and path.is_dir())


@contextlib.contextmanager
def reading(file: Path, advice: str) -> Iterator[None]:
    """Raise `UsageError` with `advice` where the block finds that `file` of a checkpoint is damaged."""
    try:
        yield
    except _DAMAGED as error:
        raise UsageError(f"{file} cannot be loaded, {advice}: {one_line(error)}") from error


def load_policy_from_run(run_dir: Path | str, which: Literal["best", "last"] = "best") -> CellActorCritic:
    """Return the best policy of a run, or the last; the last too where no test has been made yet.

    Raises `NoCheckpointError` where the run holds none, and `UsageError` where it cannot be read.
    """
    run = RunDirectory.open(Path(run_dir))
    found = run.best if which == "best" and run.best.is_dir() else run.last_checkpoint()
    with reading(found / "model.zip", "copy or train it again"):
        policy = CellPPO.load(found / "model.zip", device="cpu").policy
    policy.set_training_mode(False)
    return policy


def load_run_config(run_dir: Path | str) -> TrainConfig:
    """Return what a run was started with."""
    return RunDirectory.open(Path(run_dir)).config


def versions() -> dict[str, str]:
    """Return the versions of what decides the numbers of a run."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


class MetricsFile(KVWriter):
    """A CSV with one row per update; a resumed run goes on in the file, a new metric gets a new column."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._columns: list[str] = []
        if path.exists():
            with path.open(newline="") as file:
                self._columns = next(csv.reader(file), [])

    def write(
        self, key_values: dict[str, Any], key_excluded: dict[str, tuple[str, ...]], step: int = 0
    ) -> None:
        """Append a row; called by Stable-Baselines3's logger."""
        row = {"step": step} | {key: f"{value:.6g}" for key, value in key_values.items()}
        new = [column for column in row if column not in self._columns]
        if new:
            self._widen(new)
        with self._path.open("a", newline="") as file:
            csv.DictWriter(file, self._columns, restval="").writerow(row)

    def close(self) -> None:
        """Nothing is kept open."""

    def _widen(self, new: list[str]) -> None:
        rows: list[dict[str, str]] = []
        if self._path.exists():
            with self._path.open(newline="") as file:
                rows = list(csv.DictReader(file))
        self._columns += new
        with self._path.open("w", newline="") as file:
            writer = csv.DictWriter(file, self._columns, restval="")
            writer.writeheader()
            writer.writerows(rows)


def _save(directory: Path, model: CellPPO, state: Mapping[str, Any]) -> None:
    """Write a checkpoint beside its place and move it there, so that a stop never leaves half of one."""
    beside = directory.with_name(f".{directory.name}-{uuid.uuid4().hex[:8]}")
    beside.mkdir()
    model.save(beside / "model.zip")
    _write_json(beside / "state.json", state)
    if directory.exists():
        old = directory.with_name(f".old-{uuid.uuid4().hex[:8]}")
        os.rename(directory, old)
        os.rename(beside, directory)
        shutil.rmtree(old)
    else:
        os.rename(beside, directory)


def _write_json(path: Path, values: Mapping[str, Any]) -> None:
    _write_text(path, json.dumps(values, indent=2) + "\n")


def _write_text(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(text)
    os.replace(beside, path)
