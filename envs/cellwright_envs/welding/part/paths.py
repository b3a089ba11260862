"""Seam curves in the product frame: arc length in, points, tangents and base-plate normals out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import circle_points, cos, length, sin, unit

Array = NDArray[np.float64]


class SeamCurve(Protocol):
    """A curve that a joint follows; x and y lie in the base plate, z is its normal where it is flat."""

    @property
    def length_m(self) -> float: ...

    @property
    def closed(self) -> bool: ...

    def frames(self, path_position_m: Array) -> tuple[Array, Array, Array]:
        """Points (N, 3) [m], unit tangents (N, 3) and unit base normals (N, 3) at `path_position_m` (N,).

        Positions before 0 and beyond `length_m` continue the curve: straight on for an open one,
        round again for a closed one.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class PlanarPath:
    """Lines and arcs in a flat base plate, joined with a common tangent."""

    segments: tuple[tuple[float, float], ...]
    """(curvature [1/m], length [m]) of each piece in travel order; positive curvature turns left."""
    closed: bool = False

    def __post_init__(self) -> None:
        if not self.segments or any(length_m <= 0 for _, length_m in self.segments):
            raise ValueError(f"a planar path needs pieces of positive length, got {self.segments}")

    @property
    def length_m(self) -> float:
        return sum(length_m for _, length_m in self.segments)

    @cached_property
    def _knots(self) -> tuple[Array, Array, Array, Array]:
        """Start position, heading and point of every piece, the run-out behind the last included."""
        starts, headings, points = [0.0], [0.0], [np.zeros(2)]
        for curvature, length_m in self.segments:
            points.append(points[-1] + _along(headings[-1], curvature, np.array([length_m]))[0])
            headings.append(headings[-1] + curvature * length_m)
            starts.append(starts[-1] + length_m)
        run_out = self.segments[-1][0] if self.closed else 0.0
        curvatures = np.array([curvature for curvature, _ in self.segments] + [run_out])
        return np.array(starts), np.array(headings), np.array(points), curvatures

    def frames(self, path_position_m: Array) -> tuple[Array, Array, Array]:
        starts, headings, points, curvatures = self._knots
        piece = np.clip(np.searchsorted(starts, path_position_m, side="right") - 1, 0, len(starts) - 1)
        curvature = curvatures[piece]
        if not self.closed:
            curvature = np.where(path_position_m < 0, 0.0, curvature)
        travelled_m = path_position_m - starts[piece]
        heading = headings[piece] + curvature * travelled_m
        points_w = np.zeros((len(path_position_m), 3))
        points_w[:, :2] = points[piece] + _along(headings[piece], curvature, travelled_m)
        tangents = np.stack([cos(heading), sin(heading), np.zeros_like(heading)], axis=1)
        return points_w, tangents, np.broadcast_to([0.0, 0.0, 1.0], tangents.shape).copy()


def _along(heading_rad: Array | float, curvature: Array | float, length_m: Array) -> Array:
    """Displacement (N, 2) [m] after `length_m` of constant curvature, starting at `heading_rad`."""
    half_turn = 0.5 * np.asarray(curvature) * length_m
    straight = half_turn == 0.0
    chord_m = length_m * np.where(straight, 1.0, sin(half_turn) / np.where(straight, 1.0, half_turn))
    direction = heading_rad + half_turn
    return np.asarray(chord_m[..., None] * circle_points(direction))


def straight(length_m: float) -> PlanarPath:
    """A straight seam."""
    return PlanarPath(segments=((0.0, length_m),))


def arc(radius_m: float, angle_rad: float) -> PlanarPath:
    """One arc; a positive angle turns left."""
    return PlanarPath(segments=((np.sign(angle_rad) / radius_m, radius_m * abs(angle_rad)),))


def s_curve(radius_m: float, angle_rad: float) -> PlanarPath:
    """A left arc that runs into a right arc of the same size."""
    piece_m = radius_m * angle_rad
    return PlanarPath(segments=((1.0 / radius_m, piece_m), (-1.0 / radius_m, piece_m)))


def circle(radius_m: float) -> PlanarPath:
    """A full circle, counter-clockwise: the pipe of a flange stands to the left of travel."""
    return PlanarPath(segments=((1.0 / radius_m, 2 * np.pi * radius_m),), closed=True)


@dataclass(frozen=True, kw_only=True)
class SaddlePath:
    """Where a vertical branch pipe meets a horizontal main pipe (axis along x), counter-clockwise.

    The curve is (r cos u, r sin u, sqrt(R^2 - r^2 sin^2 u) - R): outer branch radius r, main radius R.
    """

    branch_radius_m: float
    main_radius_m: float
    closed: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.branch_radius_m < 0.9 * self.main_radius_m:
            raise ValueError(
                f"need 0 < branch radius < 0.9 main radius, got {self.branch_radius_m=} {self.main_radius_m=}"
            )

    @cached_property
    def _table(self) -> tuple[Array, Array]:
        """Arc length (M,) [m] over the curve parameter (M,) [rad] for one turn."""
        parameter = np.linspace(0.0, 2 * np.pi, 2881)
        steps = length(np.diff(self._points(parameter), axis=0))
        return np.concatenate([[0.0], np.cumsum(steps)]), parameter

    def _points(self, parameter: Array) -> Array:
        r, big = self.branch_radius_m, self.main_radius_m
        across = r * sin(parameter)
        return np.stack([r * cos(parameter), across, np.sqrt(big**2 - across**2) - big], axis=1)

    @property
    def length_m(self) -> float:
        return float(self._table[0][-1])

    def frames(self, path_position_m: Array) -> tuple[Array, Array, Array]:
        lengths, parameters = self._table
        parameter = np.interp(np.mod(path_position_m, self.length_m), lengths, parameters)
        points = self._points(parameter)
        tangents = unit(self._points(parameter + 1e-5) - self._points(parameter - 1e-5))
        normals = points + np.array([0.0, 0.0, self.main_radius_m])
        normals[:, 0] = 0.0
        return points, tangents, unit(normals)
