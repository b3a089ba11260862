"""How a held part hangs in the fingers: a chain of joints from the part to the tool."""

from __future__ import annotations

from typing import NamedTuple

_X, _Y, _Z = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)


class GripJoints(NamedTuple):
    """The joints from the part to the tool; those that slip turn about y, slide along x, slide along z."""

    fractions: tuple[float, ...]
    """Of mass and inertia in pads and tool; the part has the rest. The tool's fraction keeps spring and
    damper stable while the part slips."""
    turns: tuple[bool, ...]
    """Whether each joint turns; the others slide."""
    axes: tuple[tuple[float, float, float], ...]
    slipping: tuple[int, int, int]
    """Indices of the three that slip."""

    @property
    def tool(self) -> int:
        """Index of the last link."""
        return len(self.turns) - 1


PLAIN = GripJoints(
    fractions=(0.02, 0.02, 0.3), turns=(True, False, False), axes=(_Y, _X, _Z), slipping=(0, 1, 2)
)
EVEN = GripJoints(
    fractions=(0.02, 0.02, 0.02, 0.3),
    turns=(True, False, False, False),
    axes=(_Y, _X, _Y, _Z),
    slipping=(0, 1, 3),
)
"""With a fourth joint, along y, that never slips. Bullet solves friction along x and along y each by the mass
that it meets there, then shortens both to the cone of friction. Where the masses differ, as without that
joint by the tool's third, the friction of a part that slides diagonally points up to 12 degrees off."""
