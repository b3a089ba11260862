"""A program of loops: what a graph becomes before it is written in a language.

Every loop has a constant count, every array a constant size. An index is a sum of loop variables times
constants.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Coordinate = tuple[tuple[str, int], ...]
"""Loop variables with their factors, which are summed up; empty for 0."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Array:
    """Numbers of one type in a row."""

    name: str
    dtype: str
    """float32, uint8, int32 or int64."""
    size: int
    values: NDArray[Any] | None = None
    """Its elements where they are constant, (size,)."""
    given: bool = False
    """Whether the caller gives it: a group of the observation."""


@dataclass(frozen=True, kw_only=True)
class Place:
    """One element of an array."""

    array: Array
    offset: int
    terms: Coordinate
    table: Array | None = None
    """Constant distances, of which one is added to the index."""
    entry: Coordinate = ()
    """Which entry of the table."""


@dataclass(frozen=True)
class Read:
    """The element at a place."""

    place: Place


@dataclass(frozen=True)
class Literal:
    """A number of float32."""

    value: float


@dataclass(frozen=True)
class Name:
    """A scalar."""

    name: str


@dataclass(frozen=True)
class Apply:
    """A function of float32 numbers.

    `add sub mul div pow max min`, `negative abs exp log sqrt tanh erf`, `float` (of a whole number), `clip`
    (x, low, high) and `below_zero` (x, a, b), which is a where x < 0 and b elsewhere. `max`, `min` and `clip`
    give NaN where an argument, or x, is NaN.
    """

    function: str
    arguments: tuple[Expression, ...]


Expression = Read | Literal | Name | Apply


@dataclass(frozen=True)
class Loop:
    """Repeats its body `count` times."""

    variable: str
    count: int
    body: tuple[Statement, ...]


@dataclass(frozen=True)
class Let:
    """Gives a scalar its value: a new one, or one that is there where `again` is set."""

    name: str
    value: Expression
    again: bool = False


@dataclass(frozen=True)
class Store:
    """Gives an element its value."""

    place: Place
    value: Expression


Statement = Loop | Let | Store


@dataclass(frozen=True, kw_only=True)
class Kernel:
    """The loops of one operator, together with the operators element by element that follow it."""

    name: str
    told: str
    """Operators and the names of their outputs, for people."""
    body: tuple[Statement, ...]
    local: tuple[Array, ...]
    """Arrays that nothing outside of this kernel needs, small enough for a stack."""


def add(left: Expression, right: Expression) -> Expression:
    return Apply("add", (left, right))


def mul(left: Expression, right: Expression) -> Expression:
    return Apply("mul", (left, right))


@dataclass
class Writer:
    """Collects the statements of one kernel."""

    blocks: list[list[Statement]] = field(default_factory=lambda: [[]])
    local: list[Array] = field(default_factory=list)
    _counted: int = 0

    @contextmanager
    def loop(self, count: int) -> Iterator[Coordinate]:
        """A loop around what is written inside; none where it would run once."""
        if count == 1:
            yield ()
            return
        variable = self._fresh("i")
        self.blocks.append([])
        yield ((variable, 1),)
        body = tuple(self.blocks.pop())
        self.blocks[-1].append(Loop(variable, count, body))

    @contextmanager
    def loops(self, counts: Sequence[int]) -> Iterator[list[Coordinate]]:
        """Nested loops, the first outermost."""
        if not counts:
            yield []
            return
        with self.loop(counts[0]) as first, self.loops(counts[1:]) as rest:
            yield [first, *rest]

    def let(self, value: Expression) -> Name | Literal:
        """A scalar of this value, for use in more than one place."""
        if isinstance(value, Name | Literal):
            return value
        name = self._fresh("x")
        self.blocks[-1].append(Let(name, value))
        return Name(name)

    def variable(self, value: Expression) -> Name:
        """A scalar that begins with `value` and changes."""
        name = self._fresh("x")
        self.blocks[-1].append(Let(name, value))
        return Name(name)

    def set(self, scalar: Name, value: Expression) -> None:
        """Change a scalar."""
        self.blocks[-1].append(Let(scalar.name, value, again=True))

    def store(self, place: Place, value: Expression) -> None:
        """Give an element its value."""
        self.blocks[-1].append(Store(place, value))

    def scratch(self, size: int) -> Array:
        """A small array of float32 that lives in this kernel."""
        self.local.append(Array(name=self._fresh("sum"), dtype="float32", size=size))
        return self.local[-1]

    def _fresh(self, letter: str) -> str:
        self._counted += 1
        return f"{letter}{self._counted}"


def places(kernel: Kernel) -> Iterator[tuple[Place, bool]]:
    """Every place that a kernel reads or writes, and whether it writes there."""
    for statement, _ in statements(kernel.body):
        if isinstance(statement, Store):
            yield statement.place, True
        yield from ((each.place, False) for each in parts(statement.value) if isinstance(each, Read))


def statements(body: Sequence[Statement], times: int = 1) -> Iterator[tuple[Let | Store, int]]:
    """Every statement that computes, and how often it runs."""
    for statement in body:
        if isinstance(statement, Loop):
            yield from statements(statement.body, times * statement.count)
        else:
            yield statement, times


def parts(value: Expression) -> Iterator[Expression]:
    """An expression and all that it consists of."""
    yield value
    if isinstance(value, Apply):
        for argument in value.arguments:
            yield from parts(argument)


def arrays(kernel: Kernel) -> dict[Array, bool]:
    """The arrays from outside that a kernel uses, constants included, in the order of their first use, and
    whether it writes them."""
    found: dict[Array, bool] = {}
    for place, written in places(kernel):
        found[place.array] = found.get(place.array, False) or written
        if place.table is not None:
            found.setdefault(place.table, False)
    return {array: written for array, written in found.items() if array not in kernel.local}


def operations(kernels: Sequence[Kernel]) -> dict[str, int]:
    """How often a run applies each function."""
    counted: dict[str, int] = {}
    for kernel in kernels:
        for statement, times in statements(kernel.body):
            for part in parts(statement.value):
                if isinstance(part, Apply):
                    counted[part.function] = counted.get(part.function, 0) + times
    return counted


def size_bytes(array: Array) -> int:
    """Memory that an array takes."""
    return array.size * np.dtype(array.dtype).itemsize


def sized(shape: Sequence[int]) -> int:
    """Number of elements of a shape."""
    return math.prod(shape)
