"""`cellwright record`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import Positional, arg

from cellwright_train.commands.options import POLICY_HELP, Disturbances, Env, Products
from cellwright_train.errors import UsageError

if TYPE_CHECKING:
    from cellwright_train.data.episode import RecordedEpisode
    from cellwright_train.data.writer import DatasetWriter
    from cellwright_train.rollout.cell import Episode
    from cellwright_train.rollout.steps import Listener
    from cellwright_train.rollout.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Record:
    """Record episodes as a LeRobot dataset; a recording that was stopped goes on with the same command."""

    policy: Positional[Annotated[str, arg(metavar="POLICY", help=f"{POLICY_HELP}; keyboard: you")]]
    out: Annotated[Path, arg(metavar="DIR")]
    """The dataset: a new directory, or one that this command began."""
    env: Env = None
    episodes: int = 10
    """How many the dataset is to hold in the end."""
    seed: int = 0
    """First seed; episode i uses seed + i."""
    products: Products = "train"
    """A split or one product."""
    disturbances: Disturbances = "train"
    """A named set of disturbances."""
    line_change: Annotated[str | None, arg(metavar="NAME")] = None
    """A lasting change of the line, which every part comes after."""
    viewer: bool = False
    """Show every step in a window of Rerun."""

    extra: ClassVar[str] = "data"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.data.episode import EpisodeLayout
        from cellwright_train.data.writer import DatasetWriter
        from cellwright_train.rollout.pilot import KEYBOARD, PilotReference
        from cellwright_train.rollout.terminal_keys import TerminalKeys
        from cellwright_train.rollout.trial import Trial

        with contextlib.ExitStack() as stack:
            by_hand = self.policy == KEYBOARD
            trial = Trial.resolve(
                PilotReference(keys=stack.enter_context(TerminalKeys())) if by_hand else self.policy,
                env=self.env,
                products=self.products,
                disturbances=self.disturbances,
                line_change=self.line_change,
                seed=self.seed,
                episodes=self.episodes,
            )
            stack.callback(trial.close)
            layout = EpisodeLayout.of(trial.workplace.env)
            writer = stack.enter_context(DatasetWriter(self.out, layout))
            self._require_same(trial, writer)
            self._record(trial, writer, by_hand=by_hand)
        return 0

    def _made_by(self, trial: Trial) -> dict[str, str]:
        """What decides an episode besides its seed."""
        chosen = {
            "cellwright": version("cellwright"),
            "policy": trial.policy.name,
            "policy_sha256": trial.policy.digest,
            "env": trial.cell.env,
            "products": self.products,
            "disturbances": self.disturbances,
        }
        return chosen if self.line_change is None else chosen | {"line_change": self.line_change}

    def _require_same(self, trial: Trial, writer: DatasetWriter) -> None:
        """Raise `UsageError` where the dataset was begun by another command."""
        made_by = self._made_by(trial)
        for number, row in enumerate(writer.rows):
            asked = made_by | {"seed": f"{self.seed + number}"}
            found = {**row.made_by, "seed": f"{row.seed}"}
            if other := [name for name in asked | found if asked.get(name) != found.get(name)]:
                raise UsageError(
                    f"episode {number} of {self.out} has {other[0]} {found.get(other[0])}, "
                    f"not {asked.get(other[0])}; name another --out"
                )

    def _record(self, trial: Trial, writer: DatasetWriter, *, by_hand: bool) -> None:
        """Add the episodes that are missing, and say what there is, also where the work ends early."""
        from tqdm import tqdm

        done, total = len(writer.rows), len(trial.plan)
        if done:
            print(f"{self.out} holds {done} episodes", file=sys.stderr)
        listeners = self._listeners()
        if by_hand:
            print(*_keys_told(trial), sep="\n", file=sys.stderr)
        try:
            for part in tqdm(
                trial.plan[done:],
                total=total,
                initial=done,
                desc=trial.policy.name,
                unit="part",
                disable=by_hand,
                leave=False,
            ):
                if by_hand:
                    print(f"part {len(writer.rows) + 1} of {total}: press a key to begin", file=sys.stderr)
                writer.add(self._episode(trial, part, listeners))
        except BaseException:
            if writer.rows:
                told = f"{len(writer.rows)} of {total} episodes are in {self.out}"
                print(f"{told}; the same command goes on there", file=sys.stderr)
            raise
        good = sum(bool(row.facts["good"]) for row in writer.rows)
        print(f"{len(writer.rows)} episodes, {good} of them good, are in {self.out}")

    def _episode(self, trial: Trial, part: Episode, listeners: Sequence[Listener]) -> RecordedEpisode:
        """One episode, which a person may begin anew."""
        from cellwright_train.data.episode import recorded
        from cellwright_train.rollout.pilot import BeginAgain

        while True:
            try:
                return recorded(*trial.workplace, part, made_by=self._made_by(trial), listeners=listeners)
            except BeginAgain:
                print("the same part again: press a key to begin", file=sys.stderr)

    def _listeners(self) -> Sequence[Listener]:
        if not self.viewer:
            return ()
        from cellwright_train.rollout.viewer import Viewer

        return (Viewer.window(),)


def _keys_told(trial: Trial) -> Iterator[str]:
    """What the keys do in this cell."""
    from cellwright_train.rollout.cell import action_components
    from cellwright_train.rollout.pilot import AGAIN, KEYS

    for component in action_components(trial.workplace.env):
        less, more = KEYS[component.name]
        yield f"{less} {more}  {component.name} {component.low:g} to {component.high:g} {component.unit}"
    yield f"1 to 9, 0  a tenth to all of that; space: let go; {AGAIN}: begin the part anew; Ctrl-C: end"
