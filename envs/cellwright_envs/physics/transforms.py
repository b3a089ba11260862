"""Compiled products of rigid transforms, for what every step asks.

They agree with those of `cellwright_assets.arithmetic` to the last bit. Arrays are float64 and contiguous,
since every other layout is compiled anew.
"""

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.compiled import compiled

Array = NDArray[np.float64]


@compiled
def product(first: Array, second: Array) -> Array:
    """Product (4, 4) of two transforms."""
    out = np.empty((4, 4))
    for row in range(4):
        for column in range(4):
            total = first[row, 0] * second[0, column]
            for k in range(1, 4):
                total += first[row, k] * second[k, column]
            out[row, column] = total
    return out


@compiled
def products(first: Array, each: Array) -> Array:
    """Products (N, 4, 4) of one transform with each of `each` (N, 4, 4)."""
    out = np.empty(each.shape)
    for index in range(each.shape[0]):
        out[index] = product(first, each[index])
    return out


@compiled
def moved(pose: Array, point: Array) -> Array:
    """A point (3,) [m] moved by `pose` (4, 4)."""
    out = np.empty(3)
    for row in range(3):
        out[row] = pose[row, 0] * point[0] + pose[row, 1] * point[1] + pose[row, 2] * point[2] + pose[row, 3]
    return out


@compiled
def inverted(pose: Array) -> Array:
    """Inverse (4, 4) of a rigid transform."""
    out = np.zeros((4, 4))
    out[3, 3] = 1.0
    for row in range(3):
        for column in range(3):
            out[row, column] = pose[column, row]
            out[row, 3] -= pose[column, row] * pose[column, 3]
    return out


def quaternion(rotation: Array) -> list[float]:
    """Quaternion (x, y, z, w) of a rotation matrix (3, 3)."""
    trace = np.trace(rotation)
    if trace > 0:
        w = 0.5 * np.sqrt(1.0 + trace)
        axis = np.array(
            [
                rotation[2, 1] - rotation[1, 2],
                rotation[0, 2] - rotation[2, 0],
                rotation[1, 0] - rotation[0, 1],
            ]
        )
        return [*(axis / (4 * w)), w]
    largest = int(np.argmax(np.diag(rotation)))
    i, j, k = largest, (largest + 1) % 3, (largest + 2) % 3
    quaternion = np.zeros(4)
    quaternion[i] = 0.5 * np.sqrt(1.0 + rotation[i, i] - rotation[j, j] - rotation[k, k])
    quaternion[j] = (rotation[j, i] + rotation[i, j]) / (4 * quaternion[i])
    quaternion[k] = (rotation[k, i] + rotation[i, k]) / (4 * quaternion[i])
    quaternion[3] = (rotation[k, j] - rotation[j, k]) / (4 * quaternion[i])
    return quaternion.tolist()
