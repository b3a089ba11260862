"""Products, lengths and functions of arrays with the same bits on every processor.

NumPy hands `@`, `dot` and `linalg` to a BLAS that sums in another order on each kind of processor, and
computes `exp`, `tan`, `arctan2` and their like with the vector instructions at hand. One bit is enough for
two runs of one seed to part at the next contact. Here sums are written out in their order, and functions are
those of the C library, element by element.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def product(first: ArrayLike, second: ArrayLike) -> Array:
    """Matrix product of stacks (..., n, k) and (..., k, m)."""
    a, b = np.asarray(first), np.asarray(second)
    total: Array = a[..., :, 0, None] * b[..., 0, None, :]
    for k in range(1, a.shape[-1]):
        total += a[..., :, k, None] * b[..., k, None, :]
    return total


def turned(matrix: ArrayLike, vectors: ArrayLike) -> Array:
    """Each of `vectors` (..., k) multiplied by `matrix` (..., n, k) from the left."""
    m, v = np.asarray(matrix), np.asarray(vectors)
    total: Array = m[..., :, 0] * v[..., 0, None]
    for k in range(1, m.shape[-1]):
        total += m[..., :, k] * v[..., k, None]
    return total


def moved(pose: Array, points: ArrayLike) -> Array:
    """Points (..., 3) moved by the rigid transform `pose` (4, 4)."""
    return turned(pose[:3, :3], points) + pose[:3, 3]


def inner(first: ArrayLike, second: ArrayLike) -> Array:
    """Scalar products (...) of `first` and `second` (..., k)."""
    terms = np.asarray(first) * np.asarray(second)
    total: Array = terms[..., 0].copy()
    for k in range(1, terms.shape[-1]):
        total += terms[..., k]
    return total


def length(vectors: ArrayLike) -> Array:
    """Lengths (...) of `vectors` (..., k)."""
    return np.sqrt(inner(vectors, vectors))


def unit(vectors: ArrayLike) -> Array:
    """`vectors` (..., k), each divided by its length."""
    return np.asarray(np.asarray(vectors) / length(vectors)[..., None])


def inverted(pose: Array) -> Array:
    """Inverse (4, 4) of a rigid transform."""
    out = np.eye(4)
    out[:3, :3] = pose[:3, :3].T
    out[:3, 3] = -turned(out[:3, :3], pose[:3, 3])
    return out


def inverse(matrix: Array) -> Array:
    """Inverses (..., n, n) of matrices of two or three rows, by their cofactors."""
    rows = matrix.shape[-1]
    if rows == 2:
        (a, b), (c, d) = np.moveaxis(matrix, (-2, -1), (0, 1))
        adjugate = np.stack([np.stack([d, -b], -1), np.stack([-c, a], -1)], -2)
        return np.asarray(adjugate / (a * d - b * c)[..., None, None])
    if rows != 3:
        raise ValueError(f"need matrices of 2 or 3 rows, got shape {matrix.shape}")
    first, second, third = np.moveaxis(matrix, -2, 0)
    columns = [np.cross(second, third), np.cross(third, first), np.cross(first, second)]
    return np.asarray(np.stack(columns, -1) / inner(first, columns[0])[..., None, None])


def _of_each(function: Callable[..., float], *arrays: ArrayLike) -> Array:
    """`function` of the C library at each element of `arrays`, which are broadcast."""
    operands = np.broadcast_arrays(*(np.asarray(each, dtype=np.float64) for each in arrays))
    values = map(function, *(each.ravel().tolist() for each in operands))
    return np.array(list(values), dtype=np.float64).reshape(operands[0].shape)


def sin(angle_rad: ArrayLike) -> Array:
    """Sine of each element."""
    return _of_each(math.sin, angle_rad)


def cos(angle_rad: ArrayLike) -> Array:
    """Cosine of each element."""
    return _of_each(math.cos, angle_rad)


def tan(angle_rad: ArrayLike) -> Array:
    """Tangent of each element."""
    return _of_each(math.tan, angle_rad)


def arccos(cosine: ArrayLike) -> Array:
    """Angle [rad] of each element."""
    return _of_each(math.acos, cosine)


def arctan2(y: ArrayLike, x: ArrayLike) -> Array:
    """Direction [rad] of each point (x, y)."""
    return _of_each(math.atan2, y, x)


def exp(exponent: ArrayLike) -> Array:
    """Exponential of each element."""
    return _of_each(math.exp, exponent)


def circle_points(angle_rad: ArrayLike) -> Array:
    """Points (..., 2) of the unit circle in the directions `angle_rad` (...)."""
    return np.stack([cos(angle_rad), sin(angle_rad)], axis=-1)
