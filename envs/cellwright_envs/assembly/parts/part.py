"""A part to insert: its dimensions, its limits, its collision shapes and its visible surfaces.

The part frame `_p` has its origin in the middle of the part's tip and z up along its axis; the fixture frame
`_f` has its origin in the middle of the mouth and z up out of the fixture. The mouth is where the part begins
to engage. Seated, the part's origin is at z = -depth in the fixture frame and both frames are parallel.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import PART_LENGTH_M
from cellwright_assets.meshes import Faces, Vertices
from cellwright_envs.physics.world import Box, Cylinder

STEEL_KG_M3 = 7850.0
FINE_CLEARANCE_M = 0.25e-3
"""Below this clearance physics runs at 500 Hz: at 250 Hz a held peg can be pressed 0.05 mm into the wall of
its hole. Holes of 0.3 mm that are a tenth tighter stay above."""


class Shape(NamedTuple):
    """The visible surface of a body."""

    vertices: Vertices
    """(V, 3) [m] in the body's frame."""
    faces: Faces
    """(F, 3) indices of vertices, counter-clockwise from outside."""
    surface: NDArray[np.int64]
    """(F,) of `cellwright_assets.assembly_cell.Surface`."""


@dataclass(frozen=True, kw_only=True)
class Part(ABC):
    """A part in the fingers and its fixture. The parts of a task are one subclass, as data."""

    name: str
    size_m: float
    """Size of the surfaces that mate: diameter, or width across flats."""
    clearance_m: float
    """Distance between part and fixture, per side."""
    chamfer_m: float = 0.0
    """Chamfer of the mouth, 45 degrees; 0 for a sharp edge."""
    depth_m: float = 0.025
    """From the mouth to where the part is seated. Factory's sockets have 25 mm."""
    length_m: float = PART_LENGTH_M
    friction: float = 0.2
    """Steel on aluminium, lightly oiled (assumption); `ContactFriction` varies it."""
    force_limit_n: float = 30.0
    """Force above which the part counts as broken; an engineering assumption."""

    noun: ClassVar[str] = "part"
    """Word for such a part in reports."""
    place: ClassVar[str] = "fixture"
    """Word for the object that the part goes into or onto."""
    mouth: ClassVar[str] = "mouth"
    """Word for the place where the part begins to engage, the origin of the fixture frame."""
    ranges: ClassVar[dict[str, tuple[float, float]]]
    """What each field may be, by its name."""

    def __post_init__(self) -> None:
        for name, (low, high) in self.ranges.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{self.name}: {name}={getattr(self, name)} is outside {low}..{high}")

    @property
    @abstractmethod
    def symmetry_rad(self) -> float:
        """Turn about the axis after which the part fits again; 0 where any turn does."""

    @property
    @abstractmethod
    def width_m(self) -> float:
        """Between the fingers, which close along y, at `assembly_cell.GRASP_HEIGHT_M`."""

    @property
    @abstractmethod
    def mass_kg(self) -> float: ...

    @abstractmethod
    def solids(self) -> Sequence[Box | Cylinder]:
        """Collision shapes of the part, in its own frame."""

    @abstractmethod
    def fixture_solids(self, clearance_m: float, chamfer_m: float) -> Sequence[Box | Cylinder]:
        """Collision shapes of the fixture, in the fixture frame, fitted as in this episode."""

    @abstractmethod
    def shape(self, *, fine: bool = False) -> Shape:
        """The part, in its own frame; `fine` for pictures, which have time for more triangles."""

    @abstractmethod
    def fixture_shape(self, clearance_m: float, chamfer_m: float) -> Shape:
        """The fixture, in its frame, from the table at -assembly_cell.BLOCK_HEIGHT_M up."""
