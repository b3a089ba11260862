"""`cellwright train`."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import Repeated
from cellwright_train.errors import UsageError, unknown

if TYPE_CHECKING:
    from torch import Tensor

    from cellwright_train.learning.presets import TrainConfig

DEFAULT_PRESET, DEFAULT_SEED = "weld-seam", 1


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a policy with PPO from a preset, or go on with a run that was interrupted."""

    preset: Positional[str | None] = None
    """Name of the preset: its task, curriculum, held-out products and budget; default: weld-seam."""
    run_dir: Path | None = None
    """Where checkpoints, metrics and the resolved configuration go; default: runs/<preset>-<seed>."""
    seed: int | None = None
    """What all random generators start from; default: 1."""
    minutes: float | None = None
    """Stop after this long instead of at the preset's end."""
    resume: bool = False
    """Go on from the last checkpoint of a run, which --run-dir or preset and --seed name."""
    workers: int | None = None
    """Processes that step the cells; default: the preset's or the run's own."""
    device: Annotated[str | None, arg(metavar="{cpu,cuda}")] = None
    """Where the networks act and learn; default: the preset's or the run's own."""
    demonstrations: Annotated[Path | None, arg(metavar="DIR")] = None
    """Begin with the good episodes of this dataset, which `cellwright record` wrote, instead of the preset's
    own demonstrations."""
    start: Annotated[str | None, arg(name="from", metavar="POLICY")] = None
    """Go on from the weights of this bundle or run: the preset's demonstrations and PPO follow as usual."""
    settings: Annotated[Repeated, arg(name="set", metavar="NAME=VALUE ...")] = ()
    """Change settings of the preset, such as demonstrations.rounds=3 ppo.learning_rate=5e-5."""

    extra: ClassVar[str] = "train"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        directory = self._resumed() if self.resume else self._begun()
        self._tell_next(directory)
        return 0

    @property
    def _directory(self) -> Path:
        preset, seed = self.preset or DEFAULT_PRESET, DEFAULT_SEED if self.seed is None else self.seed
        return self.run_dir or Path("runs") / f"{preset}-{seed}"

    @property
    def _machine(self) -> str:
        """The options of this machine and session, as they were given."""
        options = {
            "minutes": None if self.minutes is None else f"{self.minutes:g}",
            "workers": self.workers,
            "device": self.device,
        }
        return "".join(f" --{name} {value}" for name, value in options.items() if value is not None)

    def _begun(self) -> Path:
        from cellwright_train.data.warm_start import weights_of
        from cellwright_train.learning.presets import PRESETS, changed
        from cellwright_train.learning.runs import RunDirectory
        from cellwright_train.learning.training import on_machine, train
        from cellwright_train.rollout.policies import resolve_policy

        preset, seed = self.preset or DEFAULT_PRESET, DEFAULT_SEED if self.seed is None else self.seed
        if preset not in PRESETS:
            raise unknown("preset", preset, PRESETS)
        if self._directory.exists() and not self._directory.is_dir():
            raise UsageError(f"{self._directory} is a file; name a directory with --run-dir")
        if self.demonstrations is not None and self.start is not None:
            raise UsageError("--demonstrations and --from both say what training begins with; leave one out")
        settings = tuple(chain.from_iterable(self.settings))
        config = changed(PRESETS[preset], settings)
        config = on_machine(config, workers=self.workers, device=self.device)
        command = f"cellwright train {preset} --seed {seed}{self._machine}"
        weights, parent = None, None
        RunDirectory.require_empty(self._directory)
        if self.demonstrations is not None:
            config, weights = self._imitated(config, seed)
            command += f" --demonstrations {shlex.quote(str(self.demonstrations))}"
        if self.start is not None:
            policy = resolve_policy(self.start)
            weights, parent = weights_of(policy, config), {"name": policy.name, "sha256": policy.digest}
            command += f" --from {shlex.quote(self.start)}"
        if settings:
            command += f" --set {shlex.join(settings)}"
        return train(
            config,
            self._directory,
            seed=seed,
            minutes=self.minutes,
            initial_weights=weights,
            command=command,
            parent=parent,
        )

    def _imitated(self, config: TrainConfig, seed: int) -> tuple[TrainConfig, Mapping[str, Tensor]]:
        """The training that is left after imitation of a dataset, and the weights that came of it."""
        from cellwright_train.data.warm_start import imitated, without_collecting
        from cellwright_train.learning.progress import ProgressBar

        assert self.demonstrations is not None
        with ProgressBar() as bar:
            return without_collecting(config), imitated(config, self.demonstrations, seed=seed, report=bar)

    def _resumed(self) -> Path:
        from cellwright_train.learning.training import resume

        if self.run_dir is not None and (self.preset, self.seed) != (None, None):
            given = self.preset or f"--seed {self.seed}"
            raise UsageError(
                f"--resume goes on with the preset and the seed that {self.run_dir} began with; "
                f"leave {given} out"
            )
        if self.demonstrations is not None:
            raise UsageError(f"--resume goes on after its demonstrations; leave {self.demonstrations} out")
        if self.start is not None or self.settings:
            given = (
                f"--from {self.start}"
                if self.start is not None
                else f"--set {shlex.join(chain.from_iterable(self.settings))}"
            )
            raise UsageError(f"--resume goes on as the run began; leave {given} out")
        if self.run_dir is None and self.preset is None:
            raise UsageError("--resume needs a run: name it with --run-dir, or name its preset")
        if not (self._directory / "checkpoints").is_dir():
            raise UsageError(
                f"{self._directory} holds no checkpoints to resume from; name a run with --run-dir"
            )
        return resume(
            self._directory,
            minutes=self.minutes,
            workers=self.workers,
            device=self.device,
            command=f"cellwright train --resume{self._machine}",
        )

    def _tell_next(self, directory: Path) -> None:
        from cellwright_train.learning.runs import RunDirectory

        run, told = RunDirectory.open(directory), shlex.quote(str(directory))
        bundle = f"{directory.name}-bundle"
        line = f"run written to {directory}"
        if not run.is_finished:
            line += f"; next: cellwright train --resume --run-dir {told}"
        elif run.can_be_exported and not Path(bundle).exists():
            line += f"; next: cellwright export {told} --out {shlex.quote(bundle)}"
        print(line)
