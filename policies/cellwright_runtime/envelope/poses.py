"""Tool poses as six coordinates: a place [m], and a turn [rad].

There are two kinds of turns. `TurnsFrom` has the rotation vector from one orientation, which a fence can be
put around, but which has no direction after a full turn. `TurnsSoFar` has what was turned on the way, without
end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from cellwright_runtime.interface.rotation import Rows, rotation_rows, rotation_vector

Numbers = list[float]

MOST_TURN_RAD = 3.1
"""How far `TurnsFrom` is good for: less than half a turn, where a rotation vector changes its sign."""


class TurnsFrom:
    """Converts between poses (6,) in the base frame and coordinates (6,) about one orientation.

    The turn of a coordinate is a rotation vector in the base frame that leads from the reference orientation
    to the pose's. Its rate is at least the angular speed, whatever the angle, so that limits of rates hold.
    """

    def __init__(self, reference: Sequence[float]) -> None:
        """`reference` (6,) is a pose with the orientation that has no turn."""
        self._rows = rotation_rows(*reference[3:6])
        self._turn = (0.0, 0.0, 0.0)

    def coordinates(self, pose: Sequence[float]) -> Numbers:
        """Of a pose (6,); of all rotation vectors of its turn, the one nearest to that of the call before."""
        turn = rotation_vector(_times_transposed(rotation_rows(*pose[3:6]), self._rows))
        self._turn = _nearest(turn, self._turn)
        return [*map(float, pose[:3]), *self._turn]

    def pose(self, coordinates: Sequence[float]) -> Numbers:
        """The pose (6,) of coordinates."""
        turned = _times(rotation_rows(*coordinates[3:6]), self._rows)
        return [*map(float, coordinates[:3]), *rotation_vector(turned)]


class TurnsSoFar:
    """Converts between poses (6,) in the base frame and coordinates (6,) of how far the tool was turned.

    The turn is the sum of the small rotation vectors in the base frame that have led to the present setpoint,
    so that its rate is the angular velocity, whatever was turned before. The orientation that a turn means
    depends on the way: `pose` takes the coordinates of one setpoint after the other, and `coordinates` leads
    from the last of them to a pose the short way round.
    """

    def __init__(self, reference: Sequence[float]) -> None:
        """`reference` (6,) is a pose with the orientation that has no turn."""
        self._vector = (float(reference[3]), float(reference[4]), float(reference[5]))
        self._rows = rotation_rows(*self._vector)
        self._turn = (0.0, 0.0, 0.0)

    def coordinates(self, pose: Sequence[float]) -> Numbers:
        """Of a pose (6,) that is less than half a turn from the present setpoint."""
        further = rotation_vector(_times_transposed(rotation_rows(*pose[3:6]), self._rows))
        return [*map(float, pose[:3]), *(at + by for at, by in zip(self._turn, further, strict=True))]

    def pose(self, coordinates: Sequence[float]) -> Numbers:
        """The pose (6,) of coordinates, which are those of the present setpoint from now on."""
        turn = (coordinates[3], coordinates[4], coordinates[5])
        if turn != self._turn:
            x, y, z = (to - at for to, at in zip(turn, self._turn, strict=True))
            self._vector = rotation_vector(_times(rotation_rows(x, y, z), self._rows))
            self._rows, self._turn = rotation_rows(*self._vector), turn
        return [*map(float, coordinates[:3]), *self._vector]


def angle_between(one: Rows, other: Rows) -> float:
    """Angle [rad] of the turn from one rotation to another."""
    trace = sum(
        a * b for left, right in zip(one, other, strict=True) for a, b in zip(left, right, strict=True)
    )
    return math.acos(min(max(0.5 * (trace - 1.0), -1.0), 1.0))


def _nearest(
    turn: tuple[float, float, float], near: tuple[float, float, float]
) -> tuple[float, float, float]:
    """`turn`, or the same rotation the other way round where that is nearer to `near`."""
    angle = math.hypot(*turn)
    if angle < 0.5 * math.pi:
        return turn
    scale = (angle - 2.0 * math.pi) / angle
    other = (scale * turn[0], scale * turn[1], scale * turn[2])
    return turn if math.dist(turn, near) <= math.dist(other, near) else other


def _times(left: Rows, right: Rows) -> Rows:
    (a, b, c), (d, e, f), (g, h, i) = left
    (j, k, m), (n, o, p), (q, r, s) = right
    return (
        (a * j + b * n + c * q, a * k + b * o + c * r, a * m + b * p + c * s),
        (d * j + e * n + f * q, d * k + e * o + f * r, d * m + e * p + f * s),
        (g * j + h * n + i * q, g * k + h * o + i * r, g * m + h * p + i * s),
    )


def _times_transposed(left: Rows, right: Rows) -> Rows:
    (j, k, m), (n, o, p), (q, r, s) = right
    return _times(left, ((j, n, q), (k, o, r), (m, p, s)))
