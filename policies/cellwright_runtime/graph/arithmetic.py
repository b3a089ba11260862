"""Rules of the operators that compute: element by element, over axes, and products of matrices."""

import math
from collections.abc import Callable

from cellwright_runtime.graph.model import FLOAT
from cellwright_runtime.graph.rules import Call, OperatorError, Outcome, broadcast, distinct, gives


def unary(attributes: str = "") -> Callable[[Call], Outcome]:
    def rule(call: Call) -> Outcome:
        call.require(attributes, 1, 1)
        call.numbers(*attributes.split())
        return gives(call.floats(0).shape)

    return rule


def gelu(call: Call) -> Outcome:
    call.require("approximate", 1, 1)
    if call.operator.attributes.get("approximate", b"none") not in (b"none", b"tanh"):
        raise OperatorError("attribute approximate has to be none or tanh")
    return gives(call.floats(0).shape)


def elementwise(fewest: int, most: int) -> Callable[[Call], Outcome]:
    def rule(call: Call) -> Outcome:
        call.require("", fewest, most)
        shapes = [call.floats(index).shape for index in range(len(call.inputs))]
        shape = broadcast(*shapes)
        return gives(shape, math.prod(shape) * len(shapes))

    return rule


def clip(call: Call) -> Outcome:
    call.require("", 1, 3)
    for index in (1, 2):
        if call.has(index) and call.floats(index).shape != ():
            raise OperatorError(f"input {index} has to be one number")
    return gives(call.floats(0).shape)


def cast(call: Call) -> Outcome:
    call.require("to saturate", 1, 1)
    if call.whole("to") != 1:
        raise OperatorError(f"it may give {FLOAT} only")
    return gives(call.value(0).shape)


def softmax(call: Call) -> Outcome:
    call.require("axis", 1, 1)
    data = call.floats(0)
    call.axis(call.whole("axis", -1), len(data.shape))
    return gives(data.shape, 3 * data.size)


def reduced(call: Call) -> Outcome:
    call.require("keepdims noop_with_empty_axes", 1, 2)
    data = call.floats(0)
    axes = distinct([call.axis(a, len(data.shape)) for a in call.sizes(1)]) if call.has(1) else set()
    keep, nothing = call.flag("keepdims", default=True), call.flag("noop_with_empty_axes", default=False)
    if not axes and nothing:
        return gives(data.shape)
    axes = axes or set(range(len(data.shape)))
    shape = [1 if axis in axes else size for axis, size in enumerate(data.shape) if keep or axis not in axes]
    return gives(shape, data.size, scratch=data.size)


def layer_norm(call: Call) -> Outcome:
    call.require("axis epsilon stash_type", 2, 3)
    call.numbers("epsilon")
    data = call.floats(0)
    axis = call.axis(call.whole("axis", -1), len(data.shape))
    if call.whole("stash_type", 1) != 1:
        raise OperatorError(f"it has to compute in {FLOAT}")
    for index in range(1, len(call.inputs)):
        if call.has(index) and call.floats(index).shape != data.shape[axis:]:
            raise OperatorError(f"input {index} is not of the shape {data.shape[axis:]}")
    return gives(data.shape, 4 * data.size, scratch=data.size)


def matmul(call: Call) -> Outcome:
    call.require("", 2, 2)
    left, right = call.floats(0).shape, call.floats(1).shape
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise OperatorError(f"{left} and {right} cannot be multiplied")
    shape = (*broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    return gives(shape, math.prod(shape) * left[-1])


def gemm(call: Call) -> Outcome:
    call.require("alpha beta transA transB", 2, 3)
    call.numbers("alpha", "beta")
    left, right = call.floats(0).shape, call.floats(1).shape
    left = left[::-1] if call.flag("transA", default=False) else left
    right = right[::-1] if call.flag("transB", default=False) else right
    if len(left) != 2 or len(right) != 2 or left[1] != right[0]:
        raise OperatorError(f"{left} and {right} cannot be multiplied")
    shape = (left[0], right[1])
    if call.has(2) and broadcast(call.floats(2).shape, shape) != shape:
        raise OperatorError(f"{call.floats(2).shape} cannot be added to {shape}")
    return gives(shape, math.prod(shape) * (left[1] + 1))
