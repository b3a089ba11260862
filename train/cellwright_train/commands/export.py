"""`cellwright export`."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import Disturbances, Env, Products, default_workers
from cellwright_train.errors import UsageError
from cellwright_train.outputs import require_new_directory

if TYPE_CHECKING:
    from cellwright_runtime.bundle.policy import Bundle


@dataclass(frozen=True, kw_only=True)
class Export:
    """Turn a training run into a bundle that runs without the training stack, or write a bundle anew."""

    source: Positional[Annotated[str, arg(metavar="RUN|BUNDLE")]]
    """A directory that `cellwright train` wrote; or a bundle, or zoo:NAME: it is measured on the parts of its
    scorecard, and written again with envelope and cameras."""
    out: Path
    """The bundle to write."""
    name: str | None = None
    """Name in the manifest; default: that of the bundle, for a run that of the directory."""
    env: Env = None
    episodes: int = 40
    """Episodes in the scorecard, which `verify` repeats."""
    seed: int = 100_000
    products: Products = "train"
    disturbances: Disturbances = "train"
    command: str = ""
    """The command that trained the policy, for the manifest; default: from the run."""
    force: bool = False
    """Replace a bundle that is already there."""
    workers: int = field(default_factory=default_workers)

    extra: ClassVar[str] = "train"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_policies.export import ExportError
        from cellwright_runtime.bundle.container import refuse_existing
        from cellwright_train.bundles.exporting import ExportConfig, export_bundle_again, export_run
        from cellwright_train.rollout.policies import BundleReference, RunReference, resolve_policy
        from cellwright_train.rollout.trial import Trial

        reference = resolve_policy(self.source)
        if isinstance(reference, BundleReference):
            self._refuse_choices()
        elif not isinstance(reference, RunReference):
            raise UsageError(
                f"{self.source}: export takes a run directory of `cellwright train` or a bundle, "
                f"no {reference.kind}"
            )
        require_new_directory(self.out)
        refuse_existing(self.out, overwrite=self.force)
        if isinstance(reference, BundleReference):
            _ = reference.environment  # raises where this installation does not have it
            return self._done(
                export_bundle_again(
                    reference.bundle, self.out, name=self.name, overwrite=self.force, progress=True
                )
            )
        trial = Trial.resolve(
            reference,
            env=self.env,
            products=self.products,
            disturbances=self.disturbances,
            seed=self.seed,
            episodes=self.episodes,
        )
        config = ExportConfig(
            name=self.name or self.out.name,
            directory=self.out,
            command=self.command,
            overwrite=self.force,
            workers=self.workers,
        )
        try:
            bundle = export_run(trial, config)
        except ExportError as error:
            print(f"cellwright: {error}", file=sys.stderr)
            return 1
        return self._done(bundle)

    def _refuse_choices(self) -> None:
        """Raise `UsageError` for options that choose what a bundle already says."""
        fields = {name: each.default for name, each in type(self).__dataclass_fields__.items()}
        for name in ("env", "episodes", "seed", "products", "disturbances", "command"):
            if getattr(self, name) != fields[name]:
                raise UsageError(f"{self.source} is a bundle and keeps what it says; leave --{name} out")

    def _done(self, bundle: Bundle) -> int:
        size_kb = sum(len(data) for data in bundle.files.values()) / 1e3
        told = shlex.quote(str(self.out))
        found = f"{size_kb:.0f} kB, {len(bundle.golden)} golden vectors"
        print(f"{self.out}: {found}; next: cellwright verify {told}")
        return 0
