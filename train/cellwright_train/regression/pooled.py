"""Small drops in many scenarios, none of which shows one by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cellwright_train.regression.sequential import coin


@dataclass(frozen=True, kw_only=True)
class Pooled:
    """What all scenarios say together."""

    log_e: float
    """Natural logarithm of the evidence that anything is worse."""
    regression: bool
    column: str
    """The measure, or success, with the most evidence."""
    worse: int
    better: int
    """Pairs of all scenarios, in that column."""


def pooled(scenarios: Sequence[Mapping[str, tuple[int, int]]], *, alpha: float) -> Pooled:
    """From every scenario's (worse, better) pairs by column; raises ValueError where there is no column.

    The null: every pair of every scenario, given all pairs before it, is no likelier worse than better. That
    needs scenarios whose parts are drawn independently of each other's: scenarios that share their parts are
    worse together by chance. Then the product of their bets is an e-process, in whatever order and however
    far each was run, and one common coin for a column pays once for not knowing the effect, not once a
    scenario. Columns depend on each other, so their evidence is averaged.
    """
    names = sorted({name for columns in scenarios for name in columns})
    if not names:
        raise ValueError("need a scenario with at least one column")
    counts = np.array([[columns.get(name, (0, 0)) for columns in scenarios] for name in names]).sum(axis=1)
    each = coin(counts[:, 0], counts[:, 1])
    most = int(each.argmax())
    log_e = float(np.logaddexp.reduce(each) - np.log(len(names)))
    return Pooled(
        log_e=log_e,
        regression=log_e >= -np.log(alpha),
        column=names[most],
        worse=int(counts[most, 0]),
        better=int(counts[most, 1]),
    )
