"""`cellwright sign`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cellwright_train.commands.options import BundleName, bundle_directory


@dataclass(frozen=True, kw_only=True)
class Sign:
    """Sign all files of a bundle with a private key; `cellwright verify --key` checks it."""

    bundle: BundleName
    key: Path
    """A private Ed25519 key in PEM, as `cellwright keygen` writes it."""

    extra: ClassVar[str] = "robot"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_runtime.bundle.policy import Bundle
        from cellwright_runtime.bundle.signature import sign

        bundle = Bundle.load(bundle_directory(self.bundle, "sign"))
        sign(bundle.container, self.key)
        print(f"{bundle.directory}: {len(bundle.files) + 1} files signed")
        return 0
