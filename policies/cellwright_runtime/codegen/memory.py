"""One piece of memory for all that is computed: arrays that are not needed at the same time overlap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cellwright_runtime.codegen.program import Array, Kernel, arrays
from cellwright_runtime.graph.model import FLOAT


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Where arrays of float32 lie in the memory."""

    offsets: Mapping[Array, int]
    size: int
    """Numbers that the memory holds."""


def plan(kernels: Sequence[Kernel], kept: Sequence[Array]) -> Plan:
    """Places for all arrays of float32 that `kernels`, in this order, compute; `kept` are needed after them.

    The largest array is placed first, each at the lowest place that is free while it is needed.
    """
    needed: dict[Array, tuple[int, int]] = {}
    for index, kernel in enumerate(kernels):
        for array in arrays(kernel):
            if is_computed(array) and array.dtype == FLOAT:
                needed[array] = (needed.get(array, (index, index))[0], index)
    for array in kept:
        if array in needed:
            needed[array] = (needed[array][0], len(kernels))
    offsets: dict[Array, int] = {}
    for array in sorted(needed, key=lambda each: -each.size):  # sorting keeps the order of equals
        first, last = needed[array]
        taken = sorted(
            (offset, offset + other.size)
            for other, offset in offsets.items()
            if needed[other][0] <= last and first <= needed[other][1]
        )
        offset = 0
        for begin, end in taken:
            if offset + array.size <= begin:
                break
            offset = max(offset, end)
        offsets[array] = offset
    size = max((offset + array.size for array, offset in offsets.items()), default=0)
    return Plan(offsets=offsets, size=size)


def is_computed(array: Array) -> bool:
    """Whether a kernel computes an array, which is neither constant nor given."""
    return array.values is None and not array.given
