"""`cellwright inspect`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from cellwright_train.commands.options import BundleName, bundle_directory
from cellwright_train.terminal import console


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Show what a bundle is: its policy, its envelope, its scores, its files. Nothing of it runs."""

    bundle: BundleName
    json: bool = False
    """Print all of it as JSON."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_runtime.bundle.policy import Bundle
        from cellwright_train.bundles.describing import described
        from cellwright_train.report.bundle_tables import description_tables

        bundle = Bundle.load(bundle_directory(self.bundle, "inspect"))
        if self.json:
            print(json.dumps(described(bundle), indent=1, sort_keys=True, ensure_ascii=False))
            return 0
        for table in description_tables(bundle):
            console().print(table)
        return 0
