"""Lines drawn from a seed: batches of products, and changes from the catalogues and from ranges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import numpy as np

from cellwright_train.errors import UsageError
from cellwright_train.lines.cells import cell_id, products
from cellwright_train.lines.file import Batch, Change, LineFile
from cellwright_train.lines.line import Line
from cellwright_train.lines.ranges import RANGES, Ranged
from cellwright_train.lines.strict import TomlText
from cellwright_train.lines.writing import toml_of
from cellwright_train.rollout.families import cell_class

FIRST_SEED = 10**9
"""Seed of the first part of the line that is drawn from 0; far from the seeds of training and of tables."""
MOST_PARTS = 10**4
MOST_SEED = 10**5 - 1
"""Lines from larger ones would come near the seeds of the tests in training, 3,000,000,000."""
BATCHES = 2
"""Batches of each cell."""
PRODUCTS = 3
"""Products of a batch, which take turns."""
LEAST_PARTS_A_CHANGE = 5
HANDLING_S = {"welding": 20.0, "assembly": 4.0}
"""Time to load and unload a part (assumption)."""


def drawn_line(seed: int, tasks: Sequence[str], *, parts: int, changes: int) -> Line:
    """A line of `parts` parts in the cells called `tasks` by turns, with `changes` that nobody announces.

    Raises `UsageError` where a cell is unknown, the parts are too few or the seed is not up to `MOST_SEED`.
    """
    if not 0 <= seed <= MOST_SEED:
        raise UsageError(f"a line is drawn from a seed of 0 to {MOST_SEED}, got {seed}")
    least = max(LEAST_PARTS_A_CHANGE * (changes + 1), BATCHES * len(tasks))
    if not least <= parts <= MOST_PARTS:
        raise UsageError(
            f"{changes} changes in {len(tasks)} cells need {least} to {MOST_PARTS} parts, got {parts}"
        )
    rng = np.random.default_rng([0, seed])
    cells = {task: cell_class(cell_id(task)) for task in tasks}
    kinds = {task: _Kinds.of(cell, rng) for task, cell in cells.items()}
    after = [0, *_moments(changes, parts, rng)]
    count = BATCHES * len(tasks)
    begins = [parts * number // count for number in range(count + 1)]
    batches: list[Batch] = []
    for number, task in enumerate(list(tasks) * BATCHES):
        begin, end = begins[number], begins[number + 1]
        moments = [moment - begin for moment in after[1:] if begin <= moment < end]
        drawn = [change for moment in moments for change in kinds[task].next_change(moment, rng)]
        batches.append(
            Batch(
                product="+".join(_some(products("train", cell_id(task)), rng)),
                parts=end - begin,
                cell=None if task == tasks[0] else task,
                handling_s=None if task == tasks[0] else HANDLING_S[cells[task].family],
                change=tuple(drawn),
            )
        )
    file = LineFile(
        name=f"drawn-{seed}",
        description=f"A line of {parts} parts with {changes} changes, drawn from {seed}.",
        seed=FIRST_SEED + MOST_PARTS * seed,
        cell=tasks[0],
        handling_s=HANDLING_S[cells[tasks[0]].family],
        batch=tuple(batches),
    )
    return Line.of(TomlText.parse(toml_of(file), file.name))


@dataclass
class _Kinds:
    """The changes of a cell in an order that was drawn; one that comes again ends the earlier one."""

    order: Iterator[tuple[str, Ranged | None]]
    active: set[str]

    @classmethod
    def of(cls, cell: Any, rng: np.random.Generator) -> _Kinds:
        """Those of the catalogue of a cell's class, and those with ranges."""
        kinds: list[tuple[str, Ranged | None]] = [
            *((name, None) for name in cell.line_changes),
            *RANGES[cell.family].items(),
        ]
        return cls(order=cycle([kinds[index] for index in rng.permutation(len(kinds))]), active=set())

    def next_change(self, after: int, rng: np.random.Generator) -> Iterator[Change]:
        """The next change, `after` so many parts of its batch."""
        name, ranged = next(self.order)
        if name in self.active:
            yield Change(after=after, undo=name)
        self.active.add(name)
        if ranged is None:
            yield Change(after=after, line_change=name)
        else:
            yield Change(after=after, name=name, description=ranged.description, set=ranged.drawn(rng))


def _moments(changes: int, parts: int, rng: np.random.Generator) -> list[int]:
    """Indices of parts before which something changes: evenly spaced, each moved by up to a quarter."""
    spacing = parts / (changes + 1)
    return [round(spacing * (number + 1 + rng.uniform(-0.25, 0.25))) for number in range(changes)]


def _some(names: Sequence[str], rng: np.random.Generator) -> list[str]:
    chosen = sorted(rng.permutation(len(names))[:PRODUCTS].tolist())
    return [names[index] for index in chosen]
