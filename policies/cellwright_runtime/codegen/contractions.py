"""Convolutions and products of matrices: sums of products, with the outputs in the innermost loop.

The outputs of one place add up side by side, while each of its inputs is read once. Compilers turn that loop
into vector instructions without being allowed to reorder a sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cellwright_runtime.codegen.program import (
    Coordinate,
    Expression,
    Literal,
    Place,
    Read,
    Writer,
    add,
    mul,
)
from cellwright_runtime.codegen.site import Site, channels_last
from cellwright_runtime.codegen.tensors import Tensor, constant_of, dense, merged

_AT_ONCE = 8
"""Products that are added before they reach their sum, which is then read and written once for them."""
_FEW = 8
"""With fewer columns than this the rows of a product become the innermost loop, if there are more of them."""


def convolution(site: Site) -> None:
    kernel = site.tensor(1).shape
    axes, group = len(kernel) - 2, site.attribute("group", 1)
    strides = site.attribute("strides", (1,) * axes)
    dilations = site.attribute("dilations", (1,) * axes)
    data = site.padded(site.tensor(0), site.attribute("pads", (0,) * 2 * axes), 0.0)
    outputs, inputs = kernel[0] // group, kernel[1]
    split = site.tensor(1).reshape((group, outputs, *kernel[1:]))
    assert split is not None  # splitting an axis moves nothing
    factors = _dense(site, split.transpose((0, *range(3, 3 + axes), 2, 1)))
    reached = tuple(far * near for far, near in zip(dilations, data.strides[2:], strict=True))
    taps = replace(data, shape=(*kernel[2:], inputs), strides=(*reached, data.strides[1]))
    site.result(channels_last(len(kernel)))
    with site.writer.loops((site.shape[0], group, *site.shape[2:])) as (batch, part, *at):
        corner = _sum_of(
            _times(batch, data.strides[0]),
            _times(part, data.strides[1] * inputs),
            *(
                _times(each, step * far)
                for each, step, far in zip(at, strides, data.strides[2:], strict=True)
            ),
        )

        def channel(output: Coordinate, part: Coordinate = part) -> Coordinate:
            return _sum_of(_times(part, outputs), output)

        def bias(output: Coordinate) -> Expression:
            return site.tensor(2).read([channel(output)]) if site.has(2) else Literal(0.0)

        def store(
            output: Coordinate, value: Expression, batch: Coordinate = batch, at: list[Coordinate] = at
        ) -> None:
            site.store([batch, channel(output), *at], value)

        _add_up(site.writer, (taps, corner), _element(factors, [part]), bias, store)


def matmul(site: Site) -> None:
    _product(site, site.tensor(0), site.tensor(1), lambda place: Literal(0.0), 1.0)


def gemm(site: Site) -> None:
    left = site.tensor(0).transpose((1, 0) if site.attribute("transA", 0) else (0, 1))
    right = site.tensor(1).transpose((1, 0) if site.attribute("transB", 0) else (0, 1))
    beta = site.attribute("beta", 1.0)

    def bias(place: Sequence[Coordinate]) -> Expression:
        if not site.has(2):
            return Literal(0.0)
        value = site.tensor(2).broadcast(site.shape).read(place)
        return value if beta == 1.0 else mul(Literal(beta), value)

    _product(site, left, right, bias, site.attribute("alpha", 1.0))


def _product(
    site: Site,
    left: Tensor,
    right: Tensor,
    bias: Callable[[Sequence[Coordinate]], Expression],
    alpha: float,
) -> None:
    """`alpha` times left (..., M, K) times right (..., K, N), plus `bias` of the place in the result."""
    batch, (rows, columns) = site.shape[:-2], site.shape[-2:]
    turned = columns < min(rows, _FEW)
    if turned:  # the rows of the result are the columns of its transpose
        left, right = _turned(right), _turned(left)
    right = _dense(site, right)
    inner = left.shape[-1]
    left, right = (each.broadcast((*batch, *each.shape[-2:])) for each in (left, right))
    axes = len(batch)
    order = [*range(axes), axes + 1, axes] if turned else None
    site.result(order)
    with site.writer.loops((*batch, left.shape[-2])) as (*which, row):
        taps, corner = _element(left, [*which, row])

        def at(
            output: Coordinate, which: list[Coordinate] = which, row: Coordinate = row
        ) -> list[Coordinate]:
            return [*which, output, row] if turned else [*which, row, output]

        def begin(output: Coordinate) -> Expression:
            return bias(at(output))

        def store(output: Coordinate, value: Expression) -> None:
            site.store(at(output), value)

        assert taps.shape == (inner,)
        _add_up(site.writer, (taps, corner), _element(right, which), begin, store, alpha)


def _add_up(
    writer: Writer,
    inputs: tuple[Tensor, Coordinate],
    factors: tuple[Tensor, Coordinate],
    bias: Callable[[Coordinate], Expression],
    store: Callable[[Coordinate, Expression], None],
    alpha: float = 1.0,
) -> None:
    """Give each output its bias plus the sum over all taps of input times factor.

    Args:
        writer: of the kernel.
        inputs: a tensor (*taps) and where in its array it begins.
        factors: a tensor (*taps, outputs) and where in its array it begins.
        bias: the number that an output begins with.
        store: takes an output and its sum.
        alpha: multiplies every input.
    """
    (taps, corner), (weights, first) = inputs, factors
    count, near = weights.shape[-1], weights.strides[-1]
    sums = dense(writer.scratch(count), (count,))
    weights, taps = merged([replace(weights, shape=taps.shape, strides=weights.strides[:-1]), taps])
    with writer.loop(count) as output:
        writer.store(sums.place([output]), bias(output))
    *far, close = taps.shape or (1,)
    steps, weight_steps = (taps.strides or (0,)), (weights.strides or (0,))

    def products(outer: list[Coordinate], begin: Coordinate, number: int) -> None:
        values: list[Expression] = []
        for index in range(number):
            value: Expression = Read(_place(taps, corner, [*outer, begin], steps, index * steps[-1]))
            values.append(writer.let(value if alpha == 1.0 else mul(Literal(alpha), value)))
        with writer.loop(count) as output:
            total: Expression | None = None
            for index, value in enumerate(values):
                place = _place(
                    weights,
                    _sum_of(first, _times(output, near)),
                    [*outer, begin],
                    weight_steps,
                    index * weight_steps[-1],
                )
                product = mul(value, Read(place))
                total = writer.let(product if total is None else add(total, product))
            assert total is not None
            writer.store(sums.place([output]), add(Read(sums.place([output])), total))

    with writer.loops(far) as outer:
        whole, rest = divmod(close, _AT_ONCE)
        if whole:
            with writer.loop(whole) as block:
                products(outer, _times(block, _AT_ONCE), _AT_ONCE)
        if rest:
            begin = whole * _AT_ONCE
            taps = replace(taps, offset=taps.offset + begin * steps[-1])
            weights = replace(weights, offset=weights.offset + begin * weight_steps[-1])
            products(outer, (), rest)
    with writer.loop(count) as output:
        store(output, Read(sums.place([output])))


def _place(
    tensor: Tensor, corner: Coordinate, at: list[Coordinate], steps: Sequence[int], further: int
) -> Place:
    terms = _sum_of(corner, *(_times(each, step) for each, step in zip(at, steps, strict=True)))
    return Place(array=tensor.array, offset=tensor.offset + further, terms=terms)


def _element(tensor: Tensor, first: Sequence[Coordinate]) -> tuple[Tensor, Coordinate]:
    """The part of a tensor at the coordinates of its `first` axes, and where in its array that begins."""
    count = len(first)
    corner = _sum_of(*(_times(each, step) for each, step in zip(first, tensor.strides, strict=False)))
    return replace(tensor, shape=tensor.shape[count:], strides=tensor.strides[count:]), corner


def _dense(site: Site, tensor: Tensor) -> Tensor:
    """A constant in the order in which it will be read; any other tensor as it is."""
    values = constant_of(tensor)
    return tensor if values is None else site.arrays.constant(np.ascontiguousarray(values))


def _turned(tensor: Tensor) -> Tensor:
    axes = len(tensor.shape)
    return tensor.transpose([*range(axes - 2), axes - 1, axes - 2])


def _times(coordinate: Coordinate, factor: int) -> Coordinate:
    return tuple((variable, factor * times) for variable, times in coordinate if factor)


def _sum_of(*coordinates: Coordinate) -> Coordinate:
    return tuple(term for coordinate in coordinates for term in coordinate)
