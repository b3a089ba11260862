"""How a held part hangs in the fingers: a chain of joints from the part to the tool.

The joints turn about y, slide along x, slide along y, and slide along z. The third never slips. Bullet solves
friction along x and along y each by the mass that it meets there, then shortens both to the cone of friction.
Where the masses differ, as without that joint by the tool's third, the friction of a part that slides
diagonally points up to 12 degrees off.
"""

from __future__ import annotations

from typing import NamedTuple


class GripJoint(NamedTuple):
    """One joint and the link behind it."""

    axis: tuple[float, float, float]
    turns: bool = False
    """Whether it turns; else it slides."""
    slips: bool = True
    fraction: float = 0.02
    """Of mass and inertia in the link; the part has what is left."""


GRIP_JOINTS = (
    GripJoint(axis=(0.0, 1.0, 0.0), turns=True),
    GripJoint(axis=(1.0, 0.0, 0.0)),
    GripJoint(axis=(0.0, 1.0, 0.0), slips=False),
    # The tool's fraction keeps spring and damper stable while the part slips.
    GripJoint(axis=(0.0, 0.0, 1.0), fraction=0.3),
)
SLIPPING = tuple(index for index, joint in enumerate(GRIP_JOINTS) if joint.slips)
"""Indices of the three that slip."""
TOOL = len(GRIP_JOINTS) - 1
"""Index of the last link."""
