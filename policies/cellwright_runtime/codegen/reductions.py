"""Operators over whole axes: sums, means, largest elements, softmax, layer normalisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from cellwright_runtime.codegen.program import (
    Apply,
    Coordinate,
    Expression,
    Literal,
    Name,
    Read,
    Writer,
    add,
    mul,
)
from cellwright_runtime.codegen.site import Site
from cellwright_runtime.codegen.tensors import order_of

_LOWEST = float(np.finfo(np.float32).min)


def reduced(site: Site) -> None:
    data = site.tensor(0)
    axes = len(data.shape)
    over = [int(axis) % axes for axis in site.numbers(1)] if site.has(1) else []
    if not over and not site.attribute("noop_with_empty_axes", 0):
        over = list(range(axes))
    _reduced(site, over, bool(site.attribute("keepdims", 1)))


def global_average_pool(site: Site) -> None:
    _reduced(site, list(range(2, len(site.tensor(0).shape))), keep=True)


def _reduced(site: Site, over: list[int], keep: bool) -> None:
    data, writer = site.tensor(0), site.writer
    kept = [axis for axis in range(len(data.shape)) if axis not in over]
    largest = site.operator.kind == "ReduceMax"
    count = math.prod(data.shape[axis] for axis in over)
    with writer.loops([data.shape[axis] for axis in kept]) as outer:

        def read(inner: Sequence[Coordinate], outer: Sequence[Coordinate] = outer) -> Expression:
            where = dict(zip((*kept, *over), (*outer, *inner), strict=True))
            return data.read([where[axis] for axis in range(len(data.shape))])

        begin, function = (_LOWEST, "max") if largest else (0.0, "add")
        sizes = [data.shape[axis] for axis in over]
        total: Expression = _fold(writer, sizes, read, function, begin) if over else read([])
        if site.operator.kind in ("ReduceMean", "GlobalAveragePool"):
            total = Apply("div", (total, Literal(float(count))))
        place = dict(zip(kept, outer, strict=True))
        shown = range(len(data.shape)) if keep else kept
        site.store([place.get(axis, ()) for axis in shown], total)


def softmax(site: Site) -> None:
    data, writer = site.tensor(0), site.writer
    axis = site.attribute("axis", -1) % len(data.shape)
    result = site.arrays.memory(data.shape, order_of(data))  # before the chain, which reads it again
    site.result(order_of(data))
    others = [1 if each == axis else size for each, size in enumerate(data.shape)]
    with writer.loops(others) as outer:

        def at(each: Coordinate, outer: list[Coordinate] = outer) -> list[Coordinate]:
            return [*outer[:axis], each, *outer[axis + 1 :]]

        def here(inner: Sequence[Coordinate]) -> Expression:
            return data.read(at(inner[0]))

        peak = _fold(writer, [data.shape[axis]], here, "max", _LOWEST)
        total = writer.variable(Literal(0.0))
        with writer.loop(data.shape[axis]) as each:
            value = writer.let(Apply("exp", (Apply("sub", (data.read(at(each)), peak)),)))
            writer.store(result.place(at(each)), value)
            writer.set(total, add(total, value))
        with writer.loop(data.shape[axis]) as each:
            site.store(at(each), Apply("div", (Read(result.place(at(each))), total)))


def layer_norm(site: Site) -> None:
    data, writer = site.tensor(0), site.writer
    axis = site.attribute("axis", -1) % len(data.shape)
    sizes = data.shape[axis:]
    count = Literal(float(math.prod(sizes)))
    with writer.loops(data.shape[:axis]) as outer:

        def read(inner: Sequence[Coordinate], outer: Sequence[Coordinate] = outer) -> Expression:
            return data.read([*outer, *inner])

        mean = writer.let(Apply("div", (_fold(writer, sizes, read, "add", 0.0), count)))

        def square(inner: Sequence[Coordinate], mean: Expression = mean) -> Expression:
            apart = writer.let(Apply("sub", (read(inner), mean)))
            return mul(apart, apart)

        variance = Apply("div", (_fold(writer, sizes, square, "add", 0.0), count))
        epsilon = Literal(site.attribute("epsilon", 1e-5))
        spread = writer.let(Apply("sqrt", (add(variance, epsilon),)))
        with writer.loops(sizes) as inner:
            value: Expression = Apply("div", (Apply("sub", (read(inner), mean)), spread))
            if site.has(1):
                value = mul(value, site.tensor(1).read(inner))
            if site.has(2):
                value = add(value, site.tensor(2).read(inner))
            site.store([*outer, *inner], value)


def _fold(
    writer: Writer,
    sizes: Sequence[int],
    read: Callable[[Sequence[Coordinate]], Expression],
    function: str,
    begin: float,
) -> Name:
    """All elements joined by `function`, each axis on its own first: partial sums keep rounding small."""
    total = writer.variable(Literal(begin))
    with writer.loop(sizes[0]) as first:
        if len(sizes) == 1:
            value: Expression = writer.let(read([first]))
        else:
            value = _fold(writer, sizes[1:], _after(read, first), function, begin)
        writer.set(total, Apply(function, (total, value)))
    return total


def _after(
    read: Callable[[Sequence[Coordinate]], Expression], first: Coordinate
) -> Callable[[Sequence[Coordinate]], Expression]:
    return lambda rest: read([first, *rest])
