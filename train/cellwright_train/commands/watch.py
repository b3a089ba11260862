"""`cellwright watch`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tyro.conf import Positional

from cellwright_train.commands.options import Disturbances, Env, Policy, Products
from cellwright_train.errors import UsageError
from cellwright_train.outputs import Output

if TYPE_CHECKING:
    from cellwright_train.rollout.trial import Trial

FORMATS = (".gif", ".png", ".rrd")
DEFAULT_OUT = Path("film.gif")
_ROOM_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Film a policy at work; needs no display."""

    policy: Positional[Policy]
    out: Path | None = None
    """A .gif animation, a .png strip of moments, or an .rrd recording of every step for Rerun; default:
    film.gif."""
    viewer: bool = False
    """Show every step in a window of Rerun instead of writing a file."""
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
        if self.viewer:
            self._show()
        else:
            self._film(self.out or DEFAULT_OUT)
        return 0

    def _show(self) -> None:
        from cellwright_train.rollout.viewer import Viewer, shown

        if self.out is not None:
            raise UsageError(f"--viewer shows and --out {self.out} writes; leave one of them out")
        trial = self._trial(trace=False)
        try:
            print(*shown(trial, Viewer.window()), sep="\n")
        finally:
            trial.close()

    def _film(self, out: Path) -> None:
        if out.suffix not in FORMATS:
            known = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
            raise UsageError(f"--out {out} ends in {out.suffix or 'nothing'}; use {known}")
        if out.exists() and not self.force:
            raise UsageError(f"{out} exists; choose another --out or pass --force")
        with Output(out, room_bytes=_ROOM_BYTES) as file:
            trial = self._trial(trace=out.suffix != ".rrd")
            try:
                data, told = _filmed(trial, out.suffix)
            finally:
                trial.close()
            file.write(data)
        print(*told, sep="\n")
        print(f"written to {out} ({len(data) / 1e6:.1f} MB)")

    def _trial(self, *, trace: bool) -> Trial:
        from cellwright_train.rollout.trial import Trial

        return Trial.resolve(
            self.policy,
            env=self.env,
            products=self.products,
            disturbances=self.disturbances,
            seed=self.seed,
            episodes=self.episodes,
            trace=trace,
            pictures=True,
        )


def _filmed(trial: Trial, suffix: str) -> tuple[bytes, list[str]]:
    """The content of the file, and a line per part."""
    if suffix == ".rrd":
        from cellwright_train.rollout.viewer import recording

        return recording(trial)
    from cellwright_train.rollout.film import film

    return film(trial, suffix)
