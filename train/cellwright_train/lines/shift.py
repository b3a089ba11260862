"""A shift: every contender runs the whole line, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Self

from tqdm import tqdm

from cellwright_envs.conditions import conditions_hash
from cellwright_train.lines.contenders import Contender, trial_of
from cellwright_train.lines.line import Line
from cellwright_train.lines.walk import Walk
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import Episode, run_episode
from cellwright_train.rollout.crew import Crew, Task
from cellwright_train.rollout.families import family_of
from cellwright_train.rollout.journal import Journal
from cellwright_train.rollout.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A line and who runs it."""

    line: Line
    contenders: tuple[Contender, ...]
    pictures: bool = False
    """Whether parts may be filmed."""

    @property
    def trials(self) -> list[Trial]:
        """One for each contender in each cell, in this order."""
        return [
            trial_of(contender.policies[cell], env_id, pictures=self.pictures)
            for contender in self.contenders
            for cell, env_id in self.line.cells.items()
        ]

    def trial_number(self, contender: int, cell: str) -> int:
        """Index in `trials` of contender number `contender` in `cell`."""
        return contender * len(self.line.cells) + list(self.line.cells).index(cell)


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """A part that is to be worked on."""

    task: Task
    key: str
    """Of its result in the journal."""
    kind: type[EpisodeResult]

    @classmethod
    def of(cls, shift: Shift, contender: int, cell: str, episode: Episode) -> Self:
        """A part of a contender in a cell."""
        env_id, policy = shift.line.cells[cell], shift.contenders[contender].policies[cell]
        return cls(
            task=Task(run_episode, episode, shift.trial_number(contender, cell)),
            key=conditions_hash(env=env_id, policy=policy.digest, **episode._asdict()),
            kind=family_of(env_id).result,
        )


def run_shift(shift: Shift, crew: Crew, journal: Journal, walks: Sequence[Walk]) -> None:
    """Take `walks`, one of each contender of `shift`, to the end of the line.

    The crew has the trials of the shift. Rows do not depend on the number of its workers. Where the work is
    interrupted, the walks have what was finished up to the first part that was not.
    """
    parts = len(shift.line.parts) * len(walks)
    with tqdm(total=parts, desc=shift.line.file.name, unit="part", leave=False) as bar:
        while any(ahead := [walk.ahead() for walk in walks]):
            wanted = [
                _Wanted.of(shift, i, work.part.cell, work.episode)
                for i, works in enumerate(ahead)
                for work in works
            ]
            found: dict[int, EpisodeResult] = {}
            try:
                for index, result in _results(crew, journal, wanted):
                    found[index] = result
                    bar.update()
            finally:
                begin = 0
                for walk, works in zip(walks, ahead, strict=True):
                    finished = takewhile(found.__contains__, range(begin, begin + len(works)))
                    walk.settle([found[index] for index in finished])
                    begin += len(works)


def run_control(shift: Shift, crew: Crew, journal: Journal, contender: int) -> tuple[EpisodeResult, ...]:
    """Results of the parts of the line without changes and without wear; nobody teaches.

    What was finished is kept as that of `run_shift` is.
    """
    parts = shift.line.parts
    wanted = [_Wanted.of(shift, contender, part.cell, part.episode._replace(changes=())) for part in parts]
    found: dict[int, EpisodeResult] = {}
    with tqdm(total=len(parts), desc="without the changes", unit="part", leave=False) as bar:
        for index, result in _results(crew, journal, wanted):
            found[index] = result
            bar.update()
    return tuple(found[index] for index in range(len(parts)))


def _results(crew: Crew, journal: Journal, wanted: Sequence[_Wanted]) -> Iterator[tuple[int, EpisodeResult]]:
    """Index and result of everything wanted, those in the journal first."""
    left: list[int] = []
    for index, each in enumerate(wanted):
        if (kept := journal.kept(each.key, each.kind)) is None:
            left.append(index)
        else:
            yield index, kept
    for position, result in crew.do([wanted[index].task for index in left]):
        index = left[position]
        journal.keep(wanted[index].key, result)
        yield index, result
