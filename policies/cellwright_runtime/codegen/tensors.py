"""Tensors as views of arrays: shape, strides and offset, so that rearranging costs nothing where it can."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cellwright_runtime.codegen.program import (
    Array,
    Coordinate,
    Expression,
    Literal,
    Place,
    Read,
    sized,
)
from cellwright_runtime.graph.model import Shape


@dataclass(frozen=True, eq=False, kw_only=True)
class Tensor:
    """Some elements of an array, in the order of a shape."""

    array: Array
    shape: Shape
    strides: tuple[int, ...]
    """Distance in the array from one element to the next, along each axis."""
    offset: int = 0

    @property
    def dtype(self) -> str:
        """Type of its elements."""
        return self.array.dtype

    def place(self, coordinates: Sequence[Coordinate], table: Array | None = None) -> Place:
        """Where the element at these coordinates is, one for each axis."""
        terms: dict[str, int] = {}
        for coordinate, stride in zip(coordinates, self.strides, strict=True):
            for variable, factor in coordinate:
                terms[variable] = terms.get(variable, 0) + factor * stride
        kept = tuple((variable, factor) for variable, factor in terms.items() if factor)
        return Place(array=self.array, offset=self.offset, terms=kept)

    def read(self, coordinates: Sequence[Coordinate]) -> Expression:
        """The element at these coordinates; its value where all elements of a constant are equal."""
        values = self.array.values
        if values is not None and self.dtype == "float32" and (values == values[0]).all():
            return Literal(float(values[0]))
        return Read(self.place(coordinates))

    def broadcast(self, shape: Shape) -> Tensor:
        """The same elements, repeated along the axes that it lacks or that have size 1."""
        missing = len(shape) - len(self.shape)
        strides = tuple(
            stride if size == wanted else 0
            for size, wanted, stride in zip(self.shape, shape[missing:], self.strides, strict=True)
        )
        return replace(self, shape=shape, strides=(0,) * missing + strides)

    def transpose(self, axes: Sequence[int]) -> Tensor:
        """The axes in another order."""
        return replace(
            self,
            shape=tuple(self.shape[axis] for axis in axes),
            strides=tuple(self.strides[axis] for axis in axes),
        )

    def reshape(self, shape: Shape) -> Tensor | None:
        """The same elements in another shape; None where they do not lie evenly enough for that."""
        runs = [[size, stride] for size, stride in zip(self.shape, self.strides, strict=True) if size > 1]
        for index in range(len(runs) - 1, 0, -1):
            (before, far), (size, near) = runs[index - 1], runs[index]
            if far == size * near:
                runs[index - 1 : index + 1] = [[before * size, near]]
        strides = []
        for size in reversed(shape):
            if size == 1:
                strides.append(0)
                continue
            if runs[-1][0] % size:
                return None
            strides.append(runs[-1][1])
            runs[-1] = [runs[-1][0] // size, runs[-1][1] * size]
            if runs[-1][0] == 1:
                runs.pop()
        return replace(self, shape=shape, strides=tuple(reversed(strides)))


def dense(array: Array, shape: Shape, order: Sequence[int] | None = None) -> Tensor:
    """All elements of an array; `order` has the axes from the slowest to the fastest."""
    strides, distance = [0] * len(shape), 1
    for axis in reversed(range(len(shape)) if order is None else order):
        strides[axis] = distance
        distance *= shape[axis]
    return Tensor(array=array, shape=shape, strides=tuple(strides))


def order_of(tensor: Tensor) -> list[int]:
    """The axes of a tensor from the one with the largest stride to the one with the smallest."""
    return sorted(range(len(tensor.shape)), key=lambda axis: (-abs(tensor.strides[axis]), axis))


def merged(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same elements with as few axes as possible, in the order of the first tensor's strides.

    All have one shape. Two axes become one where every tensor's elements allow it.
    """
    axes = [axis for axis in order_of(tensors[0]) if tensors[0].shape[axis] > 1]
    sizes: list[int] = []
    strides: list[tuple[int, ...]] = []
    for axis in axes:
        size, steps = tensors[0].shape[axis], tuple(tensor.strides[axis] for tensor in tensors)
        if sizes and all(far == size * near for far, near in zip(strides[-1], steps, strict=True)):
            sizes[-1], strides[-1] = sizes[-1] * size, steps
        else:
            sizes.append(size)
            strides.append(steps)
    return [
        replace(tensor, shape=tuple(sizes), strides=tuple(steps[index] for steps in strides))
        for index, tensor in enumerate(tensors)
    ]


def is_dense(tensor: Tensor) -> bool:
    """Whether its elements lie one after the other in the order of its shape, and fill its array."""
    flat = tensor.reshape((sized(tensor.shape),))
    return (
        flat is not None
        and tensor.offset == 0
        and flat.strides in ((1,), (0,))
        and sized(tensor.shape) == tensor.array.size
    )


def constant_of(tensor: Tensor) -> np.ndarray | None:
    """The elements of a constant tensor (*shape), None where they are computed."""
    if tensor.array.values is None:
        return None
    index = np.full(tensor.shape, tensor.offset)
    for axis, (size, stride) in enumerate(zip(tensor.shape, tensor.strides, strict=True)):
        index += (stride * np.arange(size)).reshape((-1,) + (1,) * (len(tensor.shape) - axis - 1))
    return tensor.array.values[index]
