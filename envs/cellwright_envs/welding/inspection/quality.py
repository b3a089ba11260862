"""The vocabulary of inspection to ISO 5817: levels, joints, measured sizes, and what a limit is."""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

LEVELS = ("B", "C", "D")
"""Quality levels of ISO 5817, strictest first; masks and limits are indexed in this order."""
THIN_PLATE_M = 3.0e-3
"""Up to this thickness ISO 5817 has rows of their own."""


class WeldJoint(IntEnum):
    """Joint types, in the order of the programme's one-hot code."""

    LAP = 0
    T_FILLET = 1
    BUTT = 2


class Feature(IntEnum):
    """Columns of the measured bead, [m] but for one angle.

    Imperfections are zero when perfect, but for the rise at the toe: it is 45 degrees in a flat fillet.
    `THICKNESS` to `SIZE` and `ACTUAL_SIZE` are sizes that limits grow with.
    """

    FUSION_DEFICIT = 0
    ROOT_DEFICIT = 1
    CAP_HEIGHT = 2
    ROOT_HEIGHT = 3
    OVERLAP = 4
    MISALIGNMENT = 5
    BURN_THROUGH = 6
    UNDERFILL = 7
    LEG_DIFFERENCE = 8
    PORE_DIAMETER = 9
    UNDERCUT = 10
    THROAT_DEFICIT = 11
    THROAT_EXCESS = 12
    GAP = 13
    THICKNESS = 14
    FACE_WIDTH = 15
    ROOT_WIDTH = 16
    SIZE = 17
    """Throat of a fillet as designed, plate thickness of a butt weld."""
    TOE_RISE_RAD = 18
    """Angle [rad] by which the weld face rises from the plate at its steeper toe: pi less the toe angle."""
    ACTUAL_SIZE = 19
    """Throat of a fillet as it is, plate thickness of a butt weld."""


Limit = tuple[float, float, float, bool]
NONE: Limit = (0.0, 0.0, 0.0, False)
ANY: Limit = (np.inf, 0.0, np.inf, False)


def upto(constant_mm: float, slope: float, cap_mm: float = np.inf, *, short: bool = False) -> Limit:
    """A size [m] of at most `constant_mm` + `slope` * reference and `cap_mm`, maybe where short only."""
    return (constant_mm * 1e-3, slope, cap_mm * 1e-3, short)


def toe_angle(least_deg: float) -> Limit:
    """A toe angle of at least this, between plate and weld face, as the largest rise [rad] of the face."""
    return (math.pi - math.radians(least_deg), 0.0, np.inf, False)


@dataclass(frozen=True, kw_only=True)
class LimitRow:
    """One imperfection of ISO 5817: limit = min(constant + slope * reference, cap) per level [m or rad]."""

    code: int
    """Reference number of ISO 6520-1."""
    feature: Feature
    """Measured size of the imperfection."""
    reference: Feature
    """Size that the limit grows with."""
    thin: tuple[Limit, Limit, Limit]
    """Limits at B, C, D for 0.5 to 3 mm; the last element is whether for short imperfections only."""
    thick: tuple[Limit, Limit, Limit]
    """Limits at B, C, D above 3 mm."""
    joints: tuple[WeldJoint, ...] = (WeldJoint.LAP, WeldJoint.T_FILLET, WeldJoint.BUTT)
    """Joints the row applies to."""
    detectable_mm: float = 0.05
    """Smallest size an inspector finds (an assumption); "not permitted" means not above this."""
