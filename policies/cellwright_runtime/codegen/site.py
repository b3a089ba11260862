"""Where an operator is lowered: its inputs as tensors, and a place for what it computes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.codegen.elementwise import computed
from cellwright_runtime.codegen.program import (
    Array,
    Coordinate,
    Expression,
    Kernel,
    Literal,
    Writer,
    sized,
)
from cellwright_runtime.codegen.tensors import Tensor, dense, merged, order_of
from cellwright_runtime.graph.model import FLOAT, Operator, Shape


class Arrays:
    """The arrays of a program; equal constants are one."""

    def __init__(self) -> None:
        self.constants: dict[tuple[str, bytes], Array] = {}
        self._memory = 0

    def constant(self, values: NDArray[Any]) -> Tensor:
        """A constant tensor of these values, dense in their order."""
        flat = np.ascontiguousarray(values).ravel()
        key = (flat.dtype.name, flat.tobytes())
        if key not in self.constants:
            name = f"constant_{len(self.constants) + 1}"
            self.constants[key] = Array(name=name, dtype=flat.dtype.name, size=flat.size, values=flat)
        return dense(self.constants[key], values.shape)

    def memory(self, shape: Shape, order: Sequence[int] | None = None, dtype: str = FLOAT) -> Tensor:
        """A tensor to be computed; `order` as that of `dense`."""
        self._memory += 1
        name = f"value_{self._memory}"
        return dense(Array(name=name, dtype=dtype, size=sized(shape)), shape, order)


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Operators element by element, each of which takes what the one before it gives."""

    operators: tuple[Operator, ...]
    before: str
    """Name of the tensor that the first takes; empty where the chain begins with its inputs."""

    def operands(self) -> list[str]:
        """Names of the tensors that it takes besides."""
        inside = {self.before, *(operator.outputs[0] for operator in self.operators)}
        names = [name for operator in self.operators for name in operator.inputs if name]
        return list(dict.fromkeys(name for name in names if name not in inside))

    def applied(
        self, writer: Writer, value: Expression | None, read: Callable[[str], Expression]
    ) -> Expression:
        """The value after all of its operators; `read` gives the elements of other tensors."""
        known = {} if value is None else {self.before: value}
        for operator in self.operators:
            asked = [None if not name else known.get(name) or read(name) for name in operator.inputs]
            result = computed(writer, operator, asked)
            if operator is not self.operators[-1]:
                result = writer.let(result)
            known = {operator.outputs[0]: result}
            value = result
        assert value is not None
        return value


class Site:
    """One operator with the chain that follows it, while it becomes a kernel."""

    def __init__(
        self,
        operator: Operator,
        tensors: dict[str, Tensor],
        arrays: Arrays,
        shapes: Sequence[Shape],
        chain: Chain,
    ) -> None:
        self.operator = operator
        self.arrays = arrays
        self.shapes = shapes
        """Shapes of the operator's outputs."""
        self.writer = Writer()
        self._tensors = tensors
        self._chain = chain
        self._result: Tensor | None = None

    @property
    def shape(self) -> Shape:
        """Shape of its output."""
        return self.shapes[0]

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.operator.inputs) and bool(self.operator.inputs[index])

    def tensor(self, index: int) -> Tensor:
        """An input."""
        return self._tensors[self.operator.inputs[index]]

    def numbers(self, index: int) -> NDArray[Any]:
        """A constant input, of which the graph's rules say that it is one."""
        tensor = self.tensor(index)
        assert tensor.array.values is not None
        return tensor.array.values.reshape(tensor.shape)

    def attribute(self, name: str, default: Any) -> Any:
        """An attribute, of which the graph's rules say what type it has."""
        return self.operator.attributes.get(name, default)

    def result(self, order: Sequence[int] | None = None) -> Tensor:
        """The tensor that is computed, the chain included; `order` as that of `dense`."""
        if self._result is None:
            self._result = self.arrays.memory(self.shape, order)
        return self._result

    def store(self, coordinates: Sequence[Coordinate], value: Expression) -> None:
        """Give the output its value at these coordinates, one for each axis, after the chain."""
        result = self.result()

        def read(name: str) -> Expression:
            return self._tensors[name].broadcast(self.shape).read(coordinates)

        self.writer.store(result.place(coordinates), self._chain.applied(self.writer, value, read))

    def compute(self, chain: Chain) -> None:
        """The whole kernel of a chain that begins here: one loop over as few axes as possible."""
        names = chain.operands()
        operands = [self._tensors[name].broadcast(self.shape) for name in names]
        full = [each for each in operands if each.array.values is None and not _repeats(each)]
        result = self.result(order_of(full[0]) if full else None)
        to, *others = merged([result, *operands])
        with self.writer.loops(to.shape) as coordinates:
            reads = {name: each.read(coordinates) for name, each in zip(names, others, strict=True)}
            value = chain.applied(self.writer, None, reads.__getitem__)
            self.writer.store(to.place(coordinates), value)

    def moved(self, tensor: Tensor) -> Tensor:
        """A copy of the elements of `tensor`, one after the other."""
        copied = self.arrays.memory(tensor.shape, dtype=tensor.dtype)
        self.copy(tensor, copied)
        return copied

    def copy(self, tensor: Tensor, to: Tensor) -> None:
        """Copy the elements of `tensor` to those of `to`, which has the same shape."""
        to, tensor = merged([to, tensor])
        with self.writer.loops(to.shape) as coordinates:
            self.writer.store(to.place(coordinates), tensor.read(coordinates))

    def padded(self, tensor: Tensor, pads: Sequence[int], value: float) -> Tensor:
        """A map (batch, channels, *sizes) with `value` around it, channels side by side; the map itself where
        there is nothing to add."""
        axes = len(tensor.shape) - 2
        before, after = pads[:axes], pads[axes:]
        if not any(pads):
            return tensor
        sizes = [begin + size + end for size, begin, end in zip(tensor.shape[2:], before, after, strict=True)]
        shape = (*tensor.shape[:2], *sizes)
        wide = self.arrays.memory(shape, channels_last(len(shape)))
        with self.writer.loop(wide.array.size) as each:
            self.writer.store(dense(wide.array, (wide.array.size,)).place([each]), Literal(value))
        offset = sum(pad * stride for pad, stride in zip(before, wide.strides[2:], strict=True))
        self.copy(tensor, replace(wide, shape=tensor.shape, offset=offset))
        return wide

    def kernel(self, name: str) -> Kernel:
        """What was written."""
        done = (self.operator, *(each for each in self._chain.operators if each is not self.operator))
        told = ", ".join(f"{each.kind} {each.outputs[0]}" for each in done)
        return Kernel(name=name, told=told, body=tuple(self.writer.blocks[0]), local=tuple(self.writer.local))


def channels_last(axes: int) -> list[int]:
    """The order of a map (batch, channels, *sizes) whose channels lie side by side."""
    return [0, *range(2, axes), 1]


def _repeats(tensor: Tensor) -> bool:
    return any(size > 1 and not stride for size, stride in zip(tensor.shape, tensor.strides, strict=True))
