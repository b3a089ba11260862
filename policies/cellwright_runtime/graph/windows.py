"""Rules of the operators that move a window over a map: convolutions and pools."""

import math
from collections.abc import Callable

from cellwright_runtime.graph.model import Shape
from cellwright_runtime.graph.rules import Call, OperatorError, Outcome, gives


def convolution(call: Call) -> Outcome:
    call.require("auto_pad dilations group kernel_shape pads strides", 2, 3)
    data, weight = call.floats(0).shape, call.floats(1).shape
    group = call.whole("group", 1)
    if len(data) not in (3, 4) or len(weight) != len(data):
        raise OperatorError(f"{data} and {weight} are no maps and kernels of one or two axes")
    if group < 1 or weight[0] % group or data[1] != weight[1] * group:
        raise OperatorError(f"{data[1]} channels do not fit kernels {weight} in {group} groups")
    if call.listed("kernel_shape", len(weight) - 2, 0, 0) not in ([0] * (len(weight) - 2), list(weight[2:])):
        raise OperatorError(f"attribute kernel_shape is not that of {weight}")
    if call.has(2) and call.floats(2).shape != (weight[0],):
        raise OperatorError(f"{call.floats(2).shape} is no bias of {weight[0]} channels")
    sizes = _window(call, data[2:], list(weight[2:]))
    kernel, places = math.prod(weight[1:]), data[0] * math.prod(sizes)
    return gives((data[0], weight[0], *sizes), weight[0] * places * kernel, scratch=kernel * group * places)


def pool(attributes: str) -> Callable[[Call], Outcome]:
    def rule(call: Call) -> Outcome:
        call.require(f"auto_pad ceil_mode dilations kernel_shape pads strides {attributes}", 1, 1)
        data = call.floats(0).shape
        if len(data) not in (3, 4) or call.flag("ceil_mode", default=False):
            raise OperatorError(f"{data} has to be a map of one or two axes, without ceil_mode")
        kernel = call.listed("kernel_shape", len(data) - 2, 0, 1)
        if any(pad >= size for pad, size in zip(_pads(call, len(kernel)), kernel * 2, strict=True)):
            raise OperatorError("its pads have to be smaller than its kernel")
        sizes = _window(call, data[2:], kernel)
        shape = (*data[:2], *sizes)
        return gives(shape, math.prod(shape) * math.prod(kernel))

    return rule


def global_pool(call: Call) -> Outcome:
    call.require("", 1, 1)
    data = call.floats(0)
    if len(data.shape) not in (3, 4):
        raise OperatorError(f"{data.shape} is no map of one or two axes")
    return gives((*data.shape[:2], *(1 for _ in data.shape[2:])), data.size)


def _window(call: Call, sizes: Shape, kernel: list[int]) -> list[int]:
    """Number of positions of a kernel along each axis."""
    axes = len(sizes)
    if call.operator.attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise OperatorError("attribute auto_pad has to be NOTSET; use pads")
    pads, strides = _pads(call, axes), call.listed("strides", axes, 1, 1)
    dilations = call.listed("dilations", axes, 1, 1)
    found = []
    for axis, size in enumerate(sizes):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        found.append((size + pads[axis] + pads[axes + axis] - reach) // strides[axis] + 1)
    if min(found) < 1:
        raise OperatorError(f"a kernel {kernel} does not fit into {sizes}")
    return found


def _pads(call: Call, axes: int) -> list[int]:
    return call.listed("pads", 2 * axes, 0, 0)
