"""`cellwright keygen`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Keygen:
    """Make a pair of Ed25519 keys: NAME.key signs bundles and stays secret, NAME.pub checks them."""

    name: Positional[Annotated[Path, arg(metavar="NAME")]]
    """Where the keys are written, without an ending."""

    extra: ClassVar[str] = "robot"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_runtime.bundle.signature import write_keys

        if self.name.name in ("", ".."):
            raise UsageError(f"{self.name} is a directory; name what the keys are called, such as shop")
        private, public = (self.name.with_name(f"{self.name.name}.{ending}") for ending in ("key", "pub"))
        try:
            write_keys(private, public)
        except FileExistsError as error:
            raise UsageError(f"{error.filename} exists, and a key is never written over") from None
        print(f"{private} signs and stays secret; {public} goes to whoever runs the bundles")
        return 0
