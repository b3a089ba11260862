"""`cellwright watch`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tyro.conf import Positional

from cellwright_train.commands.options import Disturbances, Env, Policy, Products
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output

FORMATS = (".gif", ".png")
_ROOM_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Film a policy at work; needs no display."""

    policy: Positional[Policy]
    out: Path = Path("film.gif")
    """A .gif animation, or a .png strip of moments."""
    env: Env = None
    episodes: int = 1
    seed: int = 0
    products: Products = "train"
    disturbances: Disturbances = "train"
    force: bool = False
    """Replace the file if it is already there."""

    extra: ClassVar[str] = "train"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.rollout.film import film
        from cellwright_train.rollout.trial import Trial

        if self.out.suffix not in FORMATS:
            raise UsageError(
                f"--out {self.out} ends in {self.out.suffix or 'nothing'}; use {' or '.join(FORMATS)}"
            )
        if self.out.exists() and not self.force:
            raise UsageError(f"{self.out} exists; choose another --out or pass --force")
        with Output(self.out, room_bytes=_ROOM_BYTES) as file:
            trial = Trial.resolve(
                self.policy,
                env=self.env,
                products=self.products,
                disturbances=self.disturbances,
                seed=self.seed,
                episodes=self.episodes,
                trace=True,
                pictures=True,
            )
            try:
                pictures, told = film(trial, self.out.suffix)
            finally:
                trial.close()
            file.write(pictures)
        for line in told:
            print(line)
        print(f"written to {self.out} ({len(pictures) / 1e6:.1f} MB)")
        return 0
