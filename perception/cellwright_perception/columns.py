"""Loops over the columns of a profile, written once: compiled, or done by NumPy for all columns at once.

    for column in each(0, columns):
        weight[column] = where(strength[column] > 0.0, 1.0, 0.0)
        add(sums, 0, kind[column], weight[column])

Compiled, `each` counts and `column` is a number. Without numba the body runs once, `column` being the indices
of all columns, so that the same lines work on arrays. Both give the same bits: sums run in the order of the
columns. A body therefore has no `if` on what differs between columns, but `where`; it divides by nothing that
may be 0, and it sums by `add` and `total`. Where two loops are nested, the outer one is over `rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compile_as, select

Column = Any
"""A number, or an array over all columns: one for each of them."""
Floats = NDArray[np.float64]


def each(first: int, last: int) -> Iterable[Column]:
    """The columns from `first` up to `last`."""
    return (np.arange(first, last),)


def rows(first: int, last: int) -> Iterable[Column]:
    """The rows from `first` up to `last`, around a loop over columns."""
    return (np.arange(first, last)[:, np.newaxis],)


def where(condition: Column, yes: Column, no: Column) -> Column:
    """`yes` where `condition` holds, else `no`."""
    return np.where(condition, yes, no)


def smaller(first: Column, second: Column) -> Column:
    """The smaller of both."""
    return np.minimum(first, second)


def larger(first: Column, second: Column) -> Column:
    """The larger of both."""
    return np.maximum(first, second)


def whole(value: Column) -> Column:
    """The largest whole number up to `value`."""
    return np.floor(value).astype(np.int64)


def add(table: Floats, row: int, index: Column, value: Column) -> None:
    """Add `value` to `table[row, index]`, which was 0 before the loop; nothing where `index` is negative."""
    index, value = np.broadcast_arrays(index, value)
    counts = index >= 0
    table[row] += np.bincount(index[counts], value[counts], minlength=table.shape[1])


def total(values: Floats) -> float:
    """Sum of `values`, from the first to the last."""
    return float(np.cumsum(values)[-1])


def running(values: Floats, out: Floats) -> None:
    """Fill `out` with the sums of `values` up to each of them."""
    np.cumsum(values, out=out)


def count_positive(values: Floats) -> int:
    """How many of `values` are above 0."""
    return int(np.count_nonzero(values > 0.0))


def strongest(values: Floats) -> int:
    """Index of the first of the largest `values`."""
    return int(np.argmax(values))


def ordered(values: Floats) -> Floats:
    """A copy of `values`, the smallest first."""
    return np.sort(values)


def listed(values: Floats) -> Any:
    """`values`, for a loop that goes from column to column: fast to read one by one."""
    return values.tolist()


# What numba makes of each of these, one column at a time.


def _each(first: int, last: int) -> Iterable[int]:
    return range(first, last)


def _where(condition: bool, yes: Any, no: Any) -> Any:
    return select(condition, yes, no)


def _smaller(first: Any, second: Any) -> Any:
    return select(first < second, first, second)


def _larger(first: Any, second: Any) -> Any:
    return select(first > second, first, second)


def _whole(value: float) -> int:
    return int(np.floor(value))


def _add(table: Floats, row: int, index: int, value: float) -> None:
    if index >= 0:
        table[row, index] += value


def _total(values: Floats) -> float:
    so_far = 0.0
    for index in range(len(values)):
        so_far += values[index]
    return so_far


def _running(values: Floats, out: Floats) -> None:
    so_far = 0.0
    for index in range(len(values)):
        so_far += values[index]
        out[index] = so_far


def _count_positive(values: Floats) -> int:
    count = 0
    for index in range(len(values)):
        if values[index] > 0.0:
            count += 1
    return count


def _strongest(values: Floats) -> int:
    best = 0
    for index in range(1, len(values)):
        if values[index] > values[best]:
            best = index
    return best


def _ordered(values: Floats) -> Floats:
    out = np.empty(len(values))
    for count in range(len(values)):
        place = count
        while place > 0 and out[place - 1] > values[count]:
            out[place] = out[place - 1]
            place -= 1
        out[place] = values[count]
    return out


def _listed(values: Floats) -> Floats:
    return values


_INLINE: dict[Callable[..., Any], Callable[..., Any]] = {
    each: _each,
    rows: _each,
    where: _where,
    smaller: _smaller,
    larger: _larger,
    whole: _whole,
    listed: _listed,
}
_CALLED: dict[Callable[..., Any], Callable[..., Any]] = {
    add: _add,
    total: _total,
    running: _running,
    count_positive: _count_positive,
    strongest: _strongest,
    ordered: _ordered,
}
for _function, _one_by_one in (_INLINE | _CALLED).items():
    compile_as(_function, _one_by_one, inline=_function in _INLINE)
