"""Pools: the largest or the mean element of a window that moves over a map."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.codegen.program import Apply, Coordinate, Expression, Literal, Read
from cellwright_runtime.codegen.site import Site, channels_last
from cellwright_runtime.codegen.tensors import dense

_LOWEST = float(np.finfo(np.float32).min)


def max_pool(site: Site) -> None:
    _pool(site, _LOWEST, "max")


def average_pool(site: Site) -> None:
    _pool(site, 0.0, "add")


def _pool(site: Site, beside: float, function: str) -> None:
    """Fold each window with `function`; `beside` is what lies around the map and what a fold begins with."""
    kernel = site.attribute("kernel_shape", ())
    axes = len(kernel)
    strides = site.attribute("strides", (1,) * axes)
    dilations = site.attribute("dilations", (1,) * axes)
    pads = site.attribute("pads", (0,) * 2 * axes)
    data = site.padded(site.tensor(0), pads, beside)
    covered = None
    if function == "add":
        inside = bool(site.attribute("count_include_pad", 0))
        counts = _covered(site.tensor(0).shape[2:], site.shape[2:], kernel, strides, dilations, pads)
        covered = site.arrays.constant(np.full_like(counts, math.prod(kernel)) if inside else counts)
    channels = site.shape[1]
    site.result(channels_last(axes + 2))
    found = dense(site.writer.scratch(channels), (channels,))
    with site.writer.loops((site.shape[0], *site.shape[2:])) as (batch, *at):
        with site.writer.loop(channels) as channel:
            site.writer.store(found.place([channel]), Literal(beside))
        with site.writer.loops(kernel) as tap, site.writer.loop(channels) as channel:
            corner = [
                _moved(place, step, each, far)
                for place, step, each, far in zip(at, strides, tap, dilations, strict=True)
            ]
            here = found.place([channel])
            value = site.writer.let(data.read([batch, channel, *corner]))
            site.writer.store(here, Apply(function, (Read(here), value)))
        with site.writer.loop(channels) as channel:
            total: Expression = Read(found.place([channel]))
            if covered is not None:
                total = Apply("div", (total, covered.read(at)))
            site.store([batch, channel, *at], total)


def _covered(
    sizes: Sequence[int],
    found: Sequence[int],
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    pads: Sequence[int],
) -> NDArray[np.float32]:
    """How many elements of a window lie on the map, for every place of the window."""
    counts = np.ones(())
    for axis, size in enumerate(sizes):
        places = np.arange(found[axis])[:, np.newaxis] * strides[axis] - pads[axis]
        reached = places + np.arange(kernel[axis]) * dilations[axis]
        counts = np.multiply.outer(counts, ((reached >= 0) & (reached < size)).sum(axis=1))
    return counts.astype(np.float32)


def _moved(place: Coordinate, step: int, tap: Coordinate, far: int) -> Coordinate:
    moved = [(variable, times * step) for variable, times in place]
    return (*moved, *((variable, times * far) for variable, times in tap))
