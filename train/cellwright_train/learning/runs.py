"""The run directory: what a training run writes, in a form from which it can go on and be reproduced.

Whatever stands in it may come from a stranger: reading it runs no code and imports nothing that it names.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.metadata
import json
import math
import os
import platform
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

import cellwright_envs
from cellwright_policies.checkpoint import read_policy, restore, weights_file, write_checkpoint
from cellwright_policies.networks import CellActorCritic
from cellwright_policies.ppo import CellPPO
from cellwright_runtime.files.json_text import canonical_json, parse_json
from cellwright_runtime.files.reading import FileError, read_file
from cellwright_train.environments import env_from_file
from cellwright_train.errors import MOST_TRAINING_SEED, UsageError, one_line, require_training_seed
from cellwright_train.learning.metrics import write_beside
from cellwright_train.learning.presets import TrainConfig, from_json, to_json
from cellwright_train.learning.settings import rebuilt

_PACKAGES = ("cellwright", "gymnasium", "numba", "numpy", "pybullet", "stable-baselines3", "torch")
_KEPT_CHECKPOINTS = 2
_CONFIG, _SEED, _COMMANDS, _VERSIONS = "config.json", "seed", "commands", "versions.json"
_PARENT = "parent.json"
_GIVEN = "given.safetensors"
_STATE = "state.json"
_LOCK = ".lock"
_OF_OLD = "model.zip"
"""What a checkpoint held while checkpoints were pickles."""
_MOST_TEXT_BYTES = 1 << 20


class RunExistsError(FileExistsError):
    """The run directory is already there."""


class NoCheckpointError(FileNotFoundError):
    """The run holds nothing to load."""


@dataclass(frozen=True, kw_only=True)
class RunState:
    """Where a run stands, beside what its model holds."""

    steps: int
    """Control steps of PPO."""
    rounds_collected: int
    """Rounds of demonstrations whose steps are on disk."""
    rounds_done: int
    """Rounds of demonstrations that were learnt too."""
    passes_done: int
    """Passes over the data in a round that is collected and not yet learnt."""
    resets: int
    """How often all cells were reset with seeds of their own."""
    seconds: float
    metrics_rows: int
    curriculum: Mapping[str, Any]
    parts: int = 0
    """Episodes of PPO that have ended; 0 in runs that are older than this count."""
    tested_at: int | None = None
    """Control steps of PPO before its last test, -1 before the first; None in runs that are older."""
    scores: Mapping[str, Any] = field(default_factory=dict)
    """Of the test that made it the best; of no meaning in other checkpoints."""

    def __post_init__(self) -> None:
        for name in (
            "steps",
            "rounds_collected",
            "rounds_done",
            "passes_done",
            "resets",
            "metrics_rows",
            "parts",
        ):
            if getattr(self, name) < 0:
                raise ValueError(f"need self.{name}={getattr(self, name)} >= 0")
        if self.rounds_collected not in (self.rounds_done, self.rounds_done + 1):
            raise ValueError(f"need {self.rounds_collected=} to be {self.rounds_done=} or one more")
        if self.seconds < 0:
            raise ValueError(f"need {self.seconds=} >= 0")

    def finishes(self, config: TrainConfig) -> bool:
        """Whether nothing is left to do of a run with this configuration."""
        warm = config.demonstrations.steps == 0 or self.rounds_done >= config.demonstrations.rounds
        return warm and self.steps >= config.steps and self.is_tested

    @property
    def is_tested(self) -> bool:
        """Whether the policy was tested since its last step of PPO."""
        return self.steps == 0 or self.tested_at is None or self.tested_at >= self.steps


@dataclass(frozen=True, kw_only=True)
class RunDirectory:
    """Paths of one run.

    `config.json versions.json seed commands metrics.csv tensorboard/ checkpoints/ best/`; where it goes on
    from weights that it was given, `given.safetensors` with these, and `parent.json` with what they are.

    `checkpoints/<number>` and `best/<number>` are directories with weights, counters and `state.json`, which
    appear complete or not at all; the highest number counts. A process that trains holds the lock.
    """

    path: Path

    @classmethod
    @contextlib.contextmanager
    def begin(
        cls, path: Path, config: TrainConfig, seed: int, given: Mapping[str, torch.Tensor] | None = None
    ) -> Iterator[RunDirectory]:
        """Start a run and hold its lock in the block; raises as `create` and `locked` do."""
        require_training_seed(seed)
        cls.require_empty(path)
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path=path)
        with run.locked():
            yield cls.create(path, config, seed, given)

    @classmethod
    def create(
        cls, path: Path, config: TrainConfig, seed: int, given: Mapping[str, torch.Tensor] | None = None
    ) -> RunDirectory:
        """Write a run that has not begun, with the weights `given` to go on from.

        Raises `RunExistsError` rather than write over one, `UsageError` for no valid seed.
        """
        require_training_seed(seed)
        cls.require_empty(path)
        path.mkdir(parents=True, exist_ok=True)
        run = cls(path=path)
        if given is not None:
            write_beside(run.given, weights_file(given))
        run.checkpoints.mkdir()
        write_beside(path / _CONFIG, _json(to_json(config)))
        run.note_versions()
        write_beside(path / _SEED, f"{seed}\n".encode())
        return run

    @staticmethod
    def require_empty(path: Path) -> None:
        """Raise `RunExistsError` where something is at `path` that a new run would write over."""
        if path.exists() and (not path.is_dir() or any(entry.name != _LOCK for entry in path.iterdir())):
            raise RunExistsError(
                f"{path} is not empty; choose another, or: cellwright train --resume --run-dir {path}"
            )

    @classmethod
    def open(cls, path: Path) -> RunDirectory:
        """Return an existing run. Raises `NoCheckpointError` where `path` is none."""
        if not (path / _CONFIG).exists():
            raise NoCheckpointError(f"{path} is no training run: it has no config.json")
        return cls(path=path)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only process that trains here; the lock goes with the process, however it ends.

        Raises `UsageError` where another one does. What one that was killed left half-written is removed.
        """
        try:
            with (self.path / _LOCK).open("a") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise UsageError(f"{self.path} is being trained by another process") from None
                self._remove_leftovers()
                yield
        except OSError as error:
            if error.filename != str(self.path / _LOCK):
                raise
            raise UsageError(f"{self.path} cannot be written: {error.strerror}") from error

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints lie, one directory each."""
        return self.path / "checkpoints"

    @property
    def given(self) -> Path:
        """Where the weights lie that it went on from; without them a run began with random ones."""
        return self.path / _GIVEN

    @property
    def best(self) -> Path:
        """Where the checkpoint that scored best lies, for a moment beside the one it replaces."""
        return self.path / "best"

    @property
    def config(self) -> TrainConfig:
        """What the run was started with; raises `UsageError` where somebody has edited that into nonsense."""
        path = self.path / _CONFIG
        try:
            config = from_json(parse_json(read_file(path, most_bytes=_MOST_TEXT_BYTES), "it"))
        except ValueError as error:
            raise UsageError(f"{path} is no configuration of a run: {one_line(error)}") from error
        env_from_file(config.env_id, f"{path} env_id")
        return config

    @property
    def seed(self) -> int:
        """What its random generators were started with; raises `UsageError` where that cannot be read."""
        path = self.path / _SEED
        text = self._text(_SEED).strip() if path.exists() else None
        if text is None or not text.isdecimal() or len(text) > 10 or int(text) > MOST_TRAINING_SEED:
            wrong = f"{path} is missing" if text is None else f"{path} holds {text[:40]!r}, not a seed"
            noted = f"{self.path / _COMMANDS} has it behind --seed"
            raise UsageError(f"{wrong}: write the seed into it, 0 to {MOST_TRAINING_SEED}; {noted}")
        return int(text)

    @property
    def commands(self) -> tuple[str, ...]:
        """The command lines that trained it, in order; none where Python code did."""
        return tuple(self._text(_COMMANDS).splitlines()) if (self.path / _COMMANDS).exists() else ()

    def note_command(self, line: str) -> None:
        """Add `line` to `commands`."""
        write_beside(self.path / _COMMANDS, "".join(f"{each}\n" for each in (*self.commands, line)).encode())

    @property
    def parent(self) -> dict[str, str]:
        """What is known of the policy from which it went on: name, hash, command; empty for none."""
        path = self.path / _PARENT
        if not path.exists():
            return {}
        try:
            found = parse_json(read_file(path, most_bytes=_MOST_TEXT_BYTES), "it")
            return {name: str(value) for name, value in dict(found).items()}
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path} cannot be loaded, remove it: {one_line(error)}") from error

    def note_parent(self, parent: Mapping[str, str]) -> None:
        """Write where the policy comes from."""
        write_beside(self.path / _PARENT, _json(parent))

    @property
    def versions(self) -> dict[str, str]:
        """The versions that trained it; where they changed in between, one after the other."""
        path = self.path / _VERSIONS
        if not path.exists():
            return {}
        try:
            found = parse_json(read_file(path, most_bytes=_MOST_TEXT_BYTES), "it")
            return {name: str(version) for name, version in dict(found).items()}
        except (ValueError, TypeError) as error:
            raise UsageError(f"{path} cannot be loaded, remove it: {one_line(error)}") from error

    def note_versions(self) -> None:
        """Add the present versions where they are other than those that trained it last."""
        noted = self.versions
        for name, version in versions().items():
            before = noted.get(name, "").split(", then ")
            if before[-1] != version:
                noted[name] = ", then ".join([*filter(None, before), version])
        write_beside(self.path / _VERSIONS, _json(noted))

    @property
    def can_be_exported(self) -> bool:
        """Whether it has a policy and its environment is one whose policies are exported."""
        return bool(_numbered(self.checkpoints)) and self.config.env_id in cellwright_envs.ENVIRONMENTS

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        found = _numbered(self.checkpoints)
        return bool(found) and self.state(found[-1]).finishes(self.config)

    @property
    def best_score(self) -> tuple[float, float]:
        """Success rate and return of the best policy; lower than any where there is none yet."""
        if not (found := _numbered(self.best)):
            return (-1.0, -math.inf)
        scores = self.state(found[-1]).scores
        with reading(found[-1] / _STATE, f"remove {found[-1]} to have a best policy chosen anew"):
            return float(scores["success_rate"]), float(scores["return"])

    def last_checkpoint(self) -> Path:
        """Return the newest checkpoint. Raises `NoCheckpointError` where there is none yet."""
        found = _numbered(self.checkpoints)
        if not found:
            raise NoCheckpointError(f"{self.path} has no checkpoint yet")
        _refuse_pickles(found[-1])
        return found[-1]

    def state(self, checkpoint: Path) -> RunState:
        """Where the run stood at a checkpoint; raises `UsageError` where that cannot be read."""
        _refuse_pickles(checkpoint)
        with reading(checkpoint / _STATE, self._advice(checkpoint)):
            found = parse_json(read_file(checkpoint / _STATE, most_bytes=_MOST_TEXT_BYTES), "it")
            return rebuilt(RunState, found)

    def restore(self, checkpoint: Path, model: CellPPO) -> None:
        """Have `model` go on from a checkpoint; raises `UsageError` where that cannot be read."""
        _refuse_pickles(checkpoint)
        with reading(checkpoint, self._advice(checkpoint)):
            restore(checkpoint, model)

    def load_policy(self, which: Literal["best", "last"] = "best") -> CellActorCritic:
        """Return the best policy, or the last; the last too where no test has been made yet.

        Raises `NoCheckpointError` where the run holds none, and `UsageError` where it cannot be read.
        """
        network = self.config.network
        while True:
            best = _numbered(self.best) if which == "best" else []
            found = best[-1] if best else self.last_checkpoint()
            _refuse_pickles(found)
            try:
                return read_policy(found, network)
            except FileError as error:
                if found.is_dir():  # otherwise a training run has replaced it since
                    raise UsageError(
                        f"{found} cannot be loaded, copy or train it again: {one_line(error)}"
                    ) from error

    def save_checkpoint(self, model: CellPPO, state: RunState) -> None:
        """Write a checkpoint and remove the oldest but two."""
        self._save(self.checkpoints, model, state, kept=_KEPT_CHECKPOINTS)

    def save_best(self, model: CellPPO, state: RunState) -> None:
        """Write `model` as the best of the run; the one before goes when this one is there."""
        self._save(self.best, model, state, kept=1)

    def _save(self, parent: Path, model: CellPPO, state: RunState, *, kept: int) -> None:
        """Write a checkpoint under another name and move it to its place: there is never half of one."""
        before = _numbered(parent)
        number = 1 + (int(before[-1].name) if before else 0)
        beside = parent / f".{number}-{uuid.uuid4().hex[:8]}"
        try:
            parent.mkdir(exist_ok=True)
            beside.mkdir()
            write_checkpoint(beside, model)
            (beside / _STATE).write_bytes(canonical_json(asdict(state)))
            for path in (*beside.iterdir(), beside):
                _sync(path)
            os.rename(beside, parent / f"{number:012d}")
            _sync(parent)
        except OSError as error:
            raise UsageError(
                f"{self.path} cannot be written: {error.strerror}; what was saved before is there, "
                f"to go on: cellwright train --resume --run-dir {self.path}"
            ) from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        for path in _numbered(parent)[:-kept]:
            shutil.rmtree(path)

    def _advice(self, checkpoint: Path) -> str:
        return f"remove {checkpoint} to go on from the checkpoint before it"

    def _text(self, name: str) -> str:
        path = self.path / name
        try:
            return read_file(path, most_bytes=_MOST_TEXT_BYTES).decode()
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8: {error.reason} at byte {error.start}") from error

    def _remove_leftovers(self) -> None:
        for parent in (self.path, self.checkpoints, self.best):
            if not parent.is_dir():
                continue
            for path in parent.iterdir():
                if path.name.startswith(".") and path.name != _LOCK:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextlib.contextmanager
def reading(file: Path, advice: str) -> Iterator[None]:
    """Raise `UsageError` with `advice` where the block finds that `file` of a checkpoint is damaged."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
        raise UsageError(f"{file} cannot be loaded, {advice}: {one_line(error)}") from error


def load_policy_from_run(run_dir: Path | str, which: Literal["best", "last"] = "best") -> CellActorCritic:
    """Return the best policy of a run, or the last; raises as `RunDirectory.load_policy` does."""
    return RunDirectory.open(Path(run_dir)).load_policy(which)


def versions() -> dict[str, str]:
    """Return the versions of what decides the numbers of a run."""
    found = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def _numbered(parent: Path) -> list[Path]:
    """Checkpoints in a directory, oldest first."""
    if not parent.is_dir():
        return []
    if (parent / _OF_OLD).exists():
        _refuse_pickles(parent)
    names = [path for path in parent.iterdir() if path.name.isdecimal() and path.is_dir()]
    return sorted(names, key=lambda path: int(path.name))


def _refuse_pickles(checkpoint: Path) -> None:
    if (checkpoint / _OF_OLD).exists():
        raise UsageError(
            f"{checkpoint} was written by a version that kept pickles, which are not loaded any more; "
            "train the run again"
        )


def _json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps(values, indent=2) + "\n").encode()


def _sync(path: Path) -> None:
    """Have the disk hold what was written, so that a loss of power leaves no empty file behind."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
