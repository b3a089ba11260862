"""What the rules of all operators share: their inputs with checks, their outputs with a cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.graph.model import FLOAT, INT64, MOST_SIZE, Operator, Shape, Value


class OperatorError(ValueError):
    """An operator that a policy may not have, or that does not fit its inputs."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """The outputs of an operator, and its cost."""

    outputs: tuple[Value, ...]
    multiplications: int
    """Multiplications, or other operations that it does once per element."""
    scratch: int = 0
    """Elements that it may need besides its outputs."""


class Call:
    """An operator and its inputs, with the checks that the rules share; they raise `OperatorError`."""

    def __init__(self, operator: Operator, inputs: Sequence[Value | None]) -> None:
        self.operator = operator
        self.inputs = inputs

    def require(self, attributes: str, fewest: int, most: int) -> None:
        """Raise `OperatorError` for other attributes than those named, or another number of inputs."""
        if unknown := sorted(set(self.operator.attributes) - set(attributes.split())):
            raise OperatorError(f"attribute {unknown[0]} is not known here")
        if not fewest <= len(self.inputs) <= most:
            raise OperatorError(f"it has {len(self.inputs)} inputs, from {fewest} to {most} are needed")

    def value(self, index: int) -> Value:
        """An input of any type."""
        value = self.inputs[index] if index < len(self.inputs) else None
        if value is None:
            raise OperatorError(f"input {index} is missing")
        return value

    def floats(self, index: int) -> Value:
        """An input of float32."""
        value = self.value(index)
        if value.dtype != FLOAT:
            raise OperatorError(f"input {index} is {value.dtype}, need {FLOAT}")
        return value

    def has(self, index: int) -> bool:
        """Whether an optional input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def indices(self, index: int) -> NDArray[np.int64]:
        """A constant input of whole numbers."""
        value = self.value(index)
        if value.dtype != INT64 or value.constant is None:
            raise OperatorError(f"input {index} has to be a constant of {INT64}")
        return value.constant

    def sizes(self, index: int) -> list[int]:
        """A constant input that lists whole numbers."""
        listed = self.indices(index)
        if listed.ndim != 1:
            raise OperatorError(f"input {index} has to be a list")
        return [int(size) for size in listed]

    def whole(self, name: str, default: int | None = None) -> int:
        """An attribute that is a whole number."""
        value = self.operator.attributes.get(name, default)
        if type(value) is not int:
            raise OperatorError(f"attribute {name} has to be a whole number")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """An attribute that is 0 or 1."""
        value = self.whole(name, int(default))
        if value not in (0, 1):
            raise OperatorError(f"attribute {name} is {value}, need 0 or 1")
        return bool(value)

    def numbers(self, *names: str) -> None:
        """Raise `OperatorError` where one of these attributes is given and is not a finite number."""
        for name in names:
            value = self.operator.attributes.get(name, 0.0)
            if not isinstance(value, float) or not math.isfinite(value):
                raise OperatorError(f"attribute {name} has to be a finite number")

    def listed(self, name: str, count: int, default: int, smallest: int) -> list[int]:
        """An attribute that lists `count` whole numbers, each at least `smallest`."""
        value = self.operator.attributes.get(name, (default,) * count)
        if not isinstance(value, tuple) or len(value) != count:
            raise OperatorError(f"attribute {name} has to list {count} whole numbers")
        if not all(type(size) is int and smallest <= size <= MOST_SIZE for size in value):
            raise OperatorError(f"attribute {name} goes from {smallest} to {MOST_SIZE}, got {list(value)}")
        return list(value)

    def axis(self, axis: int, axes: int) -> int:
        """Index of `axis`, where a negative one counts back from the last of `axes` axes."""
        if not -axes <= axis < axes:
            raise OperatorError(f"axis {axis} is not one of {axes} axes")
        return axis % axes


def gives(shape: Sequence[int], work: int | None = None, *, dtype: str = FLOAT, scratch: int = 0) -> Outcome:
    """One output of `shape` for `work` multiplications; default: one per element."""
    value = Value(shape=tuple(shape), dtype=dtype)
    return Outcome(outputs=(value,), multiplications=value.size if work is None else work, scratch=scratch)


def broadcast(*shapes: Shape) -> Shape:
    """NumPy's rule, written out: its own function creates arrays, which fails where they are too large."""
    axes = max(len(shape) for shape in shapes)
    found = []
    for sizes in zip(*((1,) * (axes - len(shape)) + shape for shape in shapes), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise OperatorError(f"the shapes {', '.join(map(str, shapes))} do not go together")
        found.append(wide.pop() if wide else 1)
    return tuple(found)


def distinct(axes: list[int]) -> set[int]:
    """The axes as a set; raises `OperatorError` where one comes twice."""
    if len(set(axes)) < len(axes):
        raise OperatorError(f"the axes {axes} come twice")
    return set(axes)
