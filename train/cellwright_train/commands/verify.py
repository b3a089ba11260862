"""`cellwright verify`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from cellwright_train.commands.options import BundleName, bundle_directory, default_workers
from cellwright_train.errors import UsageError
from cellwright_train.terminal import console

if TYPE_CHECKING:
    from cellwright_runtime.verification import Check
    from cellwright_train.rollout.policies import PolicyReference

_CELL = ("gymnasium", "pybullet")


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Prove that a bundle does what the trained policy did: files, graph, recorded vectors, and parts."""

    bundle: BundleName
    against: Path | None = None
    """A run directory: repeat the seeds with its policy instead of trusting the recorded results."""
    episodes: int = 20
    """Recorded episodes to repeat; 0 leaves the closed loop out."""
    key: Path | None = None
    """A public key in PEM, which has to have signed the bundle."""
    workers: int = field(default_factory=default_workers)

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code: 1 where a check fails, 2 where no bundle can be read."""
        from cellwright_runtime.bundle.container import BundleError
        from cellwright_runtime.verification import verify_open_loop, verify_signature
        from cellwright_train.report.tables import verification_table

        directory = bundle_directory(self.bundle, "verify")
        if self.against is not None and self.episodes == 0:
            raise UsageError("--against repeats episodes, and --episodes 0 leaves them out; drop one of them")
        # First of all, since nothing else of a bundle that a stranger changed has to be looked at.
        signed = [] if self.key is None else [verify_signature(directory, self.key)]
        cell_is_here = all(find_spec(name) for name in _CELL)
        if not all(check.passed for check in signed):
            checks: list[Check] = []
        elif self.against is not None or cell_is_here:
            from cellwright_train.bundles.verification import verify

            reference = self._reference()
            checks = verify(directory, against=reference, episodes=self.episodes, workers=self.workers)
        else:
            checks = verify_open_loop(directory)
        if checks and not checks[0].passed:
            raise BundleError(checks[0].detail)
        checks = [*signed, *checks]
        console().print(verification_table(self.bundle, checks))
        failed = [check for check in checks if not check.passed]
        for check in failed:
            print(f"cellwright: {check.name}: {check.detail}", file=sys.stderr)
        if not cell_is_here and not failed:
            left_out = "layout, scores and closed loop were left out"
            print(f"{left_out}: they need the cells, pip install 'cellwright[sim]'")
        return 1 if failed else 0

    def _reference(self) -> PolicyReference | None:
        if self.against is None:
            return None
        from cellwright_train.rollout.policies import resolve_policy

        reference = resolve_policy(str(self.against))
        if reference.kind == "expert":
            raise UsageError(
                f"{self.against} is an expert; --against takes the run that the bundle was exported from"
            )
        return reference
