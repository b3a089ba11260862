"""The operators of a policy: the shapes that each one gives, and its cost.

The rules are those of https://onnx.ai/onnx/operators for opsets 18 to 20, restricted to what a policy needs:
operators compute in float32, and every input that sets a shape or selects an element is a constant of the
file, checked to be in range. So no operator divides whole numbers, reads outside an array, or has a cost that
depends on the observation.
"""

import math
from collections.abc import Callable, Mapping, Sequence
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


def outcome(operator: Operator, inputs: Sequence[Value | None]) -> Outcome:
    """Outputs and cost of `operator` for `inputs`, None for one that is left out; raises `OperatorError`."""
    rule = RULES.get(operator.kind)
    if rule is None:
        raise OperatorError(f"uses {operator.kind}, which is not on the list of operators")
    try:
        result = rule(_Call(operator, inputs))
    except (OperatorError, ValueError) as error:  # ValueError: raised by NumPy
        raise OperatorError(f"{operator.kind} {', '.join(operator.outputs)[:80]}: {error}") from None
    if len(result.outputs) != len(operator.outputs):
        raise OperatorError(f"{operator.kind} has {len(operator.outputs)} outputs, not {len(result.outputs)}")
    return result


class _Call:
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


def _gives(shape: Sequence[int], work: int | None = None, *, dtype: str = FLOAT, scratch: int = 0) -> Outcome:
    value = Value(shape=tuple(shape), dtype=dtype)
    return Outcome(outputs=(value,), multiplications=value.size if work is None else work, scratch=scratch)


def _unary(attributes: str = "") -> Callable[[_Call], Outcome]:
    def rule(call: _Call) -> Outcome:
        call.require(attributes, 1, 1)
        call.numbers(*attributes.split())
        return _gives(call.floats(0).shape)

    return rule


def _gelu(call: _Call) -> Outcome:
    call.require("approximate", 1, 1)
    if call.operator.attributes.get("approximate", b"none") not in (b"none", b"tanh"):
        raise OperatorError("attribute approximate has to be none or tanh")
    return _gives(call.floats(0).shape)


def _elementwise(fewest: int, most: int) -> Callable[[_Call], Outcome]:
    def rule(call: _Call) -> Outcome:
        call.require("", fewest, most)
        shapes = [call.floats(index).shape for index in range(len(call.inputs))]
        shape = _broadcast(*shapes)
        return _gives(shape, math.prod(shape) * len(shapes))

    return rule


def _broadcast(*shapes: Shape) -> Shape:
    """NumPy's rule, written out: its own function creates arrays, which fails where they are too large."""
    axes = max(len(shape) for shape in shapes)
    found = []
    for sizes in zip(*((1,) * (axes - len(shape)) + shape for shape in shapes), strict=True):
        wide = {size for size in sizes if size != 1}
        if len(wide) > 1:
            raise OperatorError(f"the shapes {', '.join(map(str, shapes))} do not go together")
        found.append(wide.pop() if wide else 1)
    return tuple(found)


def _identity(call: _Call) -> Outcome:
    call.require("", 1, 1)
    return Outcome(outputs=(call.value(0),), multiplications=call.value(0).size)


def _constant(call: _Call) -> Outcome:
    call.require("value value_float value_floats value_int value_ints", 0, 0)
    if len(call.operator.attributes) != 1:
        raise OperatorError("it needs one value")
    (name, given), *_ = call.operator.attributes.items()
    if name == "value":
        if not isinstance(given, Value):
            raise OperatorError("attribute value has to be a tensor")
        return Outcome(outputs=(given,), multiplications=0)
    array = np.array(given, np.float32 if "float" in name else np.int64)
    if not np.isfinite(array).all() or array.ndim != name.endswith("s"):
        raise OperatorError(f"attribute {name} has to be finite, and a list only if its name ends in s")
    value = Value(shape=array.shape, dtype=array.dtype.name, constant=array)
    return Outcome(outputs=(value,), multiplications=0)


def _clip(call: _Call) -> Outcome:
    call.require("", 1, 3)
    for index in (1, 2):
        if call.has(index) and call.floats(index).shape != ():
            raise OperatorError(f"input {index} has to be one number")
    return _gives(call.floats(0).shape)


def _cast(call: _Call) -> Outcome:
    call.require("to saturate", 1, 1)
    if call.whole("to") != 1:
        raise OperatorError(f"it may give {FLOAT} only")
    return _gives(call.value(0).shape)


def _concat(call: _Call) -> Outcome:
    call.require("axis", 1, 1000)
    parts = [call.value(index) for index in range(len(call.inputs))]
    first = parts[0]
    axis = call.axis(call.whole("axis"), len(first.shape))
    rest = [(part.dtype, part.shape[:axis], part.shape[axis + 1 :]) for part in parts]
    if any(each != rest[0] for each in rest) or any(len(p.shape) != len(first.shape) for p in parts):
        raise OperatorError(
            f"the shapes {', '.join(str(part.shape) for part in parts)[:200]} do not go together"
        )
    shape = (*first.shape[:axis], sum(part.shape[axis] for part in parts), *first.shape[axis + 1 :])
    return _gives(shape, dtype=first.dtype)


def _split(call: _Call) -> Outcome:
    call.require("axis num_outputs", 1, 2)
    data = call.value(0)
    axis = call.axis(call.whole("axis", 0), len(data.shape))
    if call.has(1):
        sizes = call.sizes(1)
    else:
        count = call.whole("num_outputs")
        if count != len(call.operator.outputs) or not 1 <= count <= data.shape[axis]:
            raise OperatorError(f"attribute num_outputs is {count}, need the number of outputs")
        each = -(-data.shape[axis] // count)
        sizes = [each] * (count - 1) + [data.shape[axis] - each * (count - 1)]
    if min(sizes, default=0) < 1 or sum(sizes) != data.shape[axis]:
        raise OperatorError(f"the sizes {sizes[:10]} do not add up to {data.shape[axis]}")
    shapes = [(*data.shape[:axis], size, *data.shape[axis + 1 :]) for size in sizes]
    values = tuple(Value(shape=shape, dtype=data.dtype) for shape in shapes)
    return Outcome(outputs=values, multiplications=data.size)


def _flatten(call: _Call) -> Outcome:
    call.require("axis", 1, 1)
    data = call.value(0)
    axis = call.whole("axis", 1)
    if not -len(data.shape) <= axis <= len(data.shape):
        raise OperatorError(f"axis {axis} is not one of {len(data.shape)} axes")
    axis = axis + len(data.shape) if axis < 0 else axis
    return _gives((math.prod(data.shape[:axis]), math.prod(data.shape[axis:])), dtype=data.dtype)


def _reshape(call: _Call) -> Outcome:
    call.require("allowzero", 2, 2)
    data, wanted = call.value(0), call.sizes(1)
    if not call.flag("allowzero", default=False):
        if any(size == 0 and index >= len(data.shape) for index, size in enumerate(wanted)):
            raise OperatorError(f"{data.shape} has no size to copy for {wanted}")
        wanted = [size or data.shape[index] for index, size in enumerate(wanted)]
    known = math.prod(size for size in wanted if size != -1)
    if wanted.count(-1) == 1 and known > 0 and data.size % known == 0:
        wanted = [data.size // known if size == -1 else size for size in wanted]
    if min(wanted, default=1) < 1 or math.prod(wanted) != data.size:
        raise OperatorError(f"{data.shape} cannot become {wanted}")
    return _gives(wanted, dtype=data.dtype)


def _transpose(call: _Call) -> Outcome:
    call.require("perm", 1, 1)
    data = call.value(0)
    axes = call.operator.attributes.get("perm", tuple(reversed(range(len(data.shape)))))
    if not isinstance(axes, tuple) or sorted(axes) != list(range(len(data.shape))):
        raise OperatorError(f"attribute perm has to order {len(data.shape)} axes")
    return _gives([data.shape[axis] for axis in axes], dtype=data.dtype)


def _squeeze(call: _Call) -> Outcome:
    call.require("", 1, 2)
    data = call.value(0)
    if not call.has(1):
        return _gives([size for size in data.shape if size != 1], dtype=data.dtype)
    axes = _distinct([call.axis(axis, len(data.shape)) for axis in call.sizes(1)])
    if any(data.shape[axis] != 1 for axis in axes):
        raise OperatorError(f"{data.shape} cannot lose the axes {sorted(axes)}")
    return _gives([size for axis, size in enumerate(data.shape) if axis not in axes], dtype=data.dtype)


def _unsqueeze(call: _Call) -> Outcome:
    call.require("", 2, 2)
    data, new = call.value(0), call.sizes(1)
    axes = _distinct([call.axis(axis, len(data.shape) + len(new)) for axis in new])
    sizes = iter(data.shape)
    shape = [1 if axis in axes else next(sizes) for axis in range(len(data.shape) + len(new))]
    return _gives(shape, dtype=data.dtype)


def _distinct(axes: list[int]) -> set[int]:
    if len(set(axes)) < len(axes):
        raise OperatorError(f"the axes {axes} come twice")
    return set(axes)


def _softmax(call: _Call) -> Outcome:
    call.require("axis", 1, 1)
    data = call.floats(0)
    call.axis(call.whole("axis", -1), len(data.shape))
    return _gives(data.shape, 3 * data.size)


def _reduced(call: _Call) -> Outcome:
    call.require("keepdims noop_with_empty_axes", 1, 2)
    data = call.floats(0)
    axes = _distinct([call.axis(a, len(data.shape)) for a in call.sizes(1)]) if call.has(1) else set()
    keep, nothing = call.flag("keepdims", default=True), call.flag("noop_with_empty_axes", default=False)
    if not axes and nothing:
        return _gives(data.shape)
    axes = axes or set(range(len(data.shape)))
    shape = [1 if axis in axes else size for axis, size in enumerate(data.shape) if keep or axis not in axes]
    return _gives(shape, data.size, scratch=data.size)


def _slice(call: _Call) -> Outcome:
    call.require("", 3, 5)
    data, starts, ends = call.value(0), call.sizes(1), call.sizes(2)
    axes = call.sizes(3) if call.has(3) else list(range(len(starts)))
    steps = call.sizes(4) if call.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise OperatorError("starts, ends, axes and steps need equal lengths, and no step 0")
    axes = [call.axis(axis, len(data.shape)) for axis in axes]
    _distinct(axes)
    shape = list(data.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        shape[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
        if shape[axis] < 1:
            raise OperatorError(f"nothing is left of axis {axis}")
    return _gives(shape, dtype=data.dtype)


def _gather(call: _Call) -> Outcome:
    call.require("axis", 2, 2)
    data, indices = call.value(0), call.indices(1)
    axis = call.axis(call.whole("axis", 0), len(data.shape))
    _require_inside(indices, data.shape[axis])
    return _gives((*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]), dtype=data.dtype)


def _gather_nd(call: _Call) -> Outcome:
    call.require("batch_dims", 2, 2)
    data, indices = call.value(0), call.indices(1)
    if call.whole("batch_dims", 0) != 0 or indices.ndim < 1 or not 1 <= indices.shape[-1] <= len(data.shape):
        raise OperatorError("it needs batch_dims 0 and an index for one or more axes")
    for axis in range(indices.shape[-1]):
        _require_inside(indices[..., axis], data.shape[axis])
    return _gives((*indices.shape[:-1], *data.shape[indices.shape[-1] :]), dtype=data.dtype)


def _require_inside(indices: NDArray[np.int64], size: int) -> None:
    if not indices.size or indices.min() < -size or indices.max() >= size:
        raise OperatorError(f"an index is not among the {size} elements")


def _matmul(call: _Call) -> Outcome:
    call.require("", 2, 2)
    left, right = call.floats(0).shape, call.floats(1).shape
    if len(left) < 2 or len(right) < 2 or left[-1] != right[-2]:
        raise OperatorError(f"{left} and {right} cannot be multiplied")
    shape = (*_broadcast(left[:-2], right[:-2]), left[-2], right[-1])
    return _gives(shape, math.prod(shape) * left[-1])


def _gemm(call: _Call) -> Outcome:
    call.require("alpha beta transA transB", 2, 3)
    call.numbers("alpha", "beta")
    left, right = call.floats(0).shape, call.floats(1).shape
    left = left[::-1] if call.flag("transA", default=False) else left
    right = right[::-1] if call.flag("transB", default=False) else right
    if len(left) != 2 or len(right) != 2 or left[1] != right[0]:
        raise OperatorError(f"{left} and {right} cannot be multiplied")
    shape = (left[0], right[1])
    if call.has(2) and _broadcast(call.floats(2).shape, shape) != shape:
        raise OperatorError(f"{call.floats(2).shape} cannot be added to {shape}")
    return _gives(shape, math.prod(shape) * (left[1] + 1))


def _convolution(call: _Call) -> Outcome:
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
    return _gives((data[0], weight[0], *sizes), weight[0] * places * kernel, scratch=kernel * group * places)


def _pool(attributes: str) -> Callable[[_Call], Outcome]:
    def rule(call: _Call) -> Outcome:
        call.require(f"auto_pad ceil_mode dilations kernel_shape pads strides {attributes}", 1, 1)
        data = call.floats(0).shape
        if len(data) not in (3, 4) or call.flag("ceil_mode", default=False):
            raise OperatorError(f"{data} has to be a map of one or two axes, without ceil_mode")
        kernel = call.listed("kernel_shape", len(data) - 2, 0, 1)
        if any(pad >= size for pad, size in zip(_pads(call, len(kernel)), kernel * 2, strict=True)):
            raise OperatorError("its pads have to be smaller than its kernel")
        sizes = _window(call, data[2:], kernel)
        shape = (*data[:2], *sizes)
        return _gives(shape, math.prod(shape) * math.prod(kernel))

    return rule


def _window(call: _Call, sizes: Shape, kernel: list[int]) -> list[int]:
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


def _pads(call: _Call, axes: int) -> list[int]:
    return call.listed("pads", 2 * axes, 0, 0)


def _global_pool(call: _Call) -> Outcome:
    call.require("", 1, 1)
    data = call.floats(0)
    if len(data.shape) not in (3, 4):
        raise OperatorError(f"{data.shape} is no map of one or two axes")
    return _gives((*data.shape[:2], *(1 for _ in data.shape[2:])), data.size)


def _layer_norm(call: _Call) -> Outcome:
    call.require("axis epsilon stash_type", 2, 3)
    call.numbers("epsilon")
    data = call.floats(0)
    axis = call.axis(call.whole("axis", -1), len(data.shape))
    if call.whole("stash_type", 1) != 1:
        raise OperatorError(f"it has to compute in {FLOAT}")
    for index in range(1, len(call.inputs)):
        if call.has(index) and call.floats(index).shape != data.shape[axis:]:
            raise OperatorError(f"input {index} is not of the shape {data.shape[axis:]}")
    return _gives(data.shape, 4 * data.size, scratch=data.size)


RULES: Mapping[str, Callable[[_Call], Outcome]] = {
    **dict.fromkeys(
        "Abs Exp HardSwish Log Neg Reciprocal Relu Sigmoid Softplus Sqrt Tanh".split(),  # noqa: SIM905
        _unary(),
    ),
    **dict.fromkeys(("Elu", "LeakyRelu"), _unary("alpha")),
    "Selu": _unary("alpha gamma"),
    "Gelu": _gelu,
    **dict.fromkeys(("Add", "Div", "Mul", "Pow", "Sub"), _elementwise(2, 2)),
    **dict.fromkeys(("Max", "Min"), _elementwise(1, 16)),
    "AveragePool": _pool("count_include_pad"),
    "Cast": _cast,
    "Clip": _clip,
    "Concat": _concat,
    "Constant": _constant,
    "Conv": _convolution,
    "Flatten": _flatten,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "Gemm": _gemm,
    "GlobalAveragePool": _global_pool,
    "Identity": _identity,
    "LayerNormalization": _layer_norm,
    "MatMul": _matmul,
    "MaxPool": _pool("storage_order"),
    **dict.fromkeys(("ReduceMax", "ReduceMean", "ReduceSum"), _reduced),
    "Reshape": _reshape,
    "Slice": _slice,
    "Softmax": _softmax,
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""Deterministic, stateless operators that small inference engines and code generators support."""
