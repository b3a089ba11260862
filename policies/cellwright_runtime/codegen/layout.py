"""Operators that select and rearrange elements: views where that is enough, copies elsewhere."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from cellwright_runtime.codegen.program import Place, Read
from cellwright_runtime.codegen.site import Site
from cellwright_runtime.codegen.tensors import Tensor
from cellwright_runtime.graph.model import Shape


def same(site: Site) -> list[Tensor]:
    return [site.tensor(0)]


def reshaped(site: Site) -> list[Tensor]:
    """Reshape, Flatten, Squeeze, Unsqueeze."""
    return [_in_shape(site, site.tensor(0), site.shape)]


def transposed(site: Site) -> list[Tensor]:
    data = site.tensor(0)
    return [data.transpose(site.attribute("perm", tuple(reversed(range(len(data.shape))))))]


def sliced(site: Site) -> list[Tensor]:
    data = site.tensor(0)
    starts, ends = site.numbers(1), site.numbers(2)
    axes = site.numbers(3) if site.has(3) else range(len(starts))
    steps = site.numbers(4) if site.has(4) else [1] * len(starts)
    offset, strides = data.offset, list(data.strides)
    for start, end, which, step in zip(starts, ends, axes, steps, strict=True):
        axis = int(which) % len(data.shape)
        first, _, by = slice(int(start), int(end), int(step)).indices(data.shape[axis])
        offset += first * data.strides[axis]
        strides[axis] = by * data.strides[axis]
    return [replace(data, shape=site.shape, strides=tuple(strides), offset=offset)]


def split(site: Site) -> list[Tensor]:
    data = site.tensor(0)
    axis, found, begin = site.attribute("axis", 0) % len(data.shape), [], 0
    for shape in site.shapes:
        found.append(replace(data, shape=shape, offset=data.offset + begin * data.strides[axis]))
        begin += shape[axis]
    return found


def concat(site: Site) -> list[Tensor]:
    axis, begin = site.attribute("axis", 0) % len(site.shape), 0
    result = site.arrays.memory(site.shape, dtype=site.tensor(0).dtype)
    for index in range(len(site.operator.inputs)):
        part = site.tensor(index)
        where = replace(result, shape=part.shape, offset=begin * result.strides[axis])
        site.copy(part, where)
        begin += part.shape[axis]
    return [result]


def gather(site: Site) -> list[Tensor]:
    data, indices = site.tensor(0), site.numbers(1)
    axis = site.attribute("axis", 0) % len(data.shape)
    steps = np.where(indices < 0, indices + data.shape[axis], indices) * data.strides[axis]
    return [_looked_up(site, data, steps, data.shape[:axis], data.shape[axis + 1 :], axis)]


def gather_nd(site: Site) -> list[Tensor]:
    data, indices = site.tensor(0), site.numbers(1)
    count = indices.shape[-1]
    sizes, strides = np.array(data.shape[:count]), np.array(data.strides[:count])
    steps = (np.where(indices < 0, indices + sizes, indices) * strides).sum(axis=-1)
    return [_looked_up(site, data, steps, (), data.shape[count:], 0)]


def _looked_up(site: Site, data: Tensor, steps: np.ndarray, before: Shape, after: Shape, axis: int) -> Tensor:
    """Copies of the elements that lie `steps` further, for each of the axes `before` and `after` them."""
    result = site.arrays.memory(site.shape, dtype=data.dtype)
    table = site.arrays.constant(steps.astype(np.int32))
    middle = math.prod(steps.shape)
    flat = _in_shape(site, result, (*before, middle, *after))
    rest = replace(
        data,
        shape=(*before, *after),
        strides=(*data.strides[:axis], *data.strides[len(data.strides) - len(after) :]),
    )
    with site.writer.loops(flat.shape) as coordinates:
        place = rest.place([*coordinates[: len(before)], *coordinates[len(before) + 1 :]])
        place = Place(
            array=place.array,
            offset=place.offset,
            terms=place.terms,
            table=table.array,
            entry=coordinates[len(before)],
        )
        site.writer.store(flat.place(coordinates), Read(place))
    return result


def _in_shape(site: Site, tensor: Tensor, shape: Shape) -> Tensor:
    view = tensor.reshape(shape)
    if view is None:
        view = site.moved(tensor).reshape(shape)
    assert view is not None  # a copy lies evenly
    return view
