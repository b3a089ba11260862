"""Rules of the operators that make, select and rearrange elements."""

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.graph.model import Value
from cellwright_runtime.graph.rules import Call, OperatorError, Outcome, distinct, gives


def identity(call: Call) -> Outcome:
    call.require("", 1, 1)
    return Outcome(outputs=(call.value(0),), multiplications=call.value(0).size)


def constant(call: Call) -> Outcome:
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


def concat(call: Call) -> Outcome:
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
    return gives(shape, dtype=first.dtype)


def split(call: Call) -> Outcome:
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


def flatten(call: Call) -> Outcome:
    call.require("axis", 1, 1)
    data = call.value(0)
    axis = call.whole("axis", 1)
    if not -len(data.shape) <= axis <= len(data.shape):
        raise OperatorError(f"axis {axis} is not one of {len(data.shape)} axes")
    axis = axis + len(data.shape) if axis < 0 else axis
    return gives((math.prod(data.shape[:axis]), math.prod(data.shape[axis:])), dtype=data.dtype)


def reshape(call: Call) -> Outcome:
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
    return gives(wanted, dtype=data.dtype)


def transpose(call: Call) -> Outcome:
    call.require("perm", 1, 1)
    data = call.value(0)
    axes = call.operator.attributes.get("perm", tuple(reversed(range(len(data.shape)))))
    if not isinstance(axes, tuple) or sorted(axes) != list(range(len(data.shape))):
        raise OperatorError(f"attribute perm has to order {len(data.shape)} axes")
    return gives([data.shape[axis] for axis in axes], dtype=data.dtype)


def squeeze(call: Call) -> Outcome:
    call.require("", 1, 2)
    data = call.value(0)
    if not call.has(1):
        return gives([size for size in data.shape if size != 1], dtype=data.dtype)
    axes = distinct([call.axis(axis, len(data.shape)) for axis in call.sizes(1)])
    if any(data.shape[axis] != 1 for axis in axes):
        raise OperatorError(f"{data.shape} cannot lose the axes {sorted(axes)}")
    return gives([size for axis, size in enumerate(data.shape) if axis not in axes], dtype=data.dtype)


def unsqueeze(call: Call) -> Outcome:
    call.require("", 2, 2)
    data, new = call.value(0), call.sizes(1)
    axes = distinct([call.axis(axis, len(data.shape) + len(new)) for axis in new])
    sizes = iter(data.shape)
    shape = [1 if axis in axes else next(sizes) for axis in range(len(data.shape) + len(new))]
    return gives(shape, dtype=data.dtype)


def sliced(call: Call) -> Outcome:
    call.require("", 3, 5)
    data, starts, ends = call.value(0), call.sizes(1), call.sizes(2)
    axes = call.sizes(3) if call.has(3) else list(range(len(starts)))
    steps = call.sizes(4) if call.has(4) else [1] * len(starts)
    if not len(starts) == len(ends) == len(axes) == len(steps) or 0 in steps:
        raise OperatorError("starts, ends, axes and steps need equal lengths, and no step 0")
    axes = [call.axis(axis, len(data.shape)) for axis in axes]
    distinct(axes)
    shape = list(data.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        shape[axis] = len(range(*slice(start, end, step).indices(shape[axis])))
        if shape[axis] < 1:
            raise OperatorError(f"nothing is left of axis {axis}")
    return gives(shape, dtype=data.dtype)


def gather(call: Call) -> Outcome:
    call.require("axis", 2, 2)
    data, indices = call.value(0), call.indices(1)
    axis = call.axis(call.whole("axis", 0), len(data.shape))
    _require_inside(indices, data.shape[axis])
    return gives((*data.shape[:axis], *indices.shape, *data.shape[axis + 1 :]), dtype=data.dtype)


def gather_nd(call: Call) -> Outcome:
    call.require("batch_dims", 2, 2)
    data, indices = call.value(0), call.indices(1)
    if call.whole("batch_dims", 0) != 0 or indices.ndim < 1 or not 1 <= indices.shape[-1] <= len(data.shape):
        raise OperatorError("it needs batch_dims 0 and an index for one or more axes")
    for axis in range(indices.shape[-1]):
        _require_inside(indices[..., axis], data.shape[axis])
    return gives((*indices.shape[:-1], *data.shape[indices.shape[-1] :]), dtype=data.dtype)


def _require_inside(indices: NDArray[np.int64], size: int) -> None:
    if not indices.size or indices.min() < -size or indices.max() >= size:
        raise OperatorError(f"an index is not among the {size} elements")
