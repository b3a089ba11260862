"""`cellwright diff`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import bundle_directory
from cellwright_train.terminal import console


@dataclass(frozen=True, kw_only=True)
class Diff:
    """Say what differs between two bundles, and how far apart their decisions are."""

    first: Positional[Annotated[str, arg(metavar="A", help="a bundle directory, or zoo:NAME")]]
    second: Positional[Annotated[str, arg(metavar="B", help="another one")]]
    json: bool = False
    """Print it as JSON."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code: 0 where nothing differs, 1 where something does."""
        from cellwright_runtime.bundle.policy import Bundle
        from cellwright_train.bundles.comparing import differences
        from cellwright_train.report.bundle_tables import difference_table

        first, second = (Bundle.load(bundle_directory(name, "diff")) for name in (self.first, self.second))
        found = differences(first, second)
        if self.json:
            print(json.dumps([asdict(each) for each in found], indent=1, ensure_ascii=False))
        elif found:
            console().print(difference_table(self.first, self.second, found))
        else:
            print("nothing differs")
        return 1 if found else 0
