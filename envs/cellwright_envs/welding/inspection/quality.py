"""The limits of ISO 5817: which imperfections there are and how large each may be at levels B, C and D."""

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
    """Columns of the measured bead, all [m] and zero when perfect; the last four are reference sizes."""

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


Limit = tuple[float, float, float, bool]
NONE: Limit = (0.0, 0.0, 0.0, False)
ANY: Limit = (np.inf, 0.0, np.inf, False)


def _upto(constant_mm: float, slope: float, cap_mm: float = np.inf, *, short: bool = False) -> Limit:
    return (constant_mm * 1e-3, slope, cap_mm * 1e-3, short)


@dataclass(frozen=True, kw_only=True)
class LimitRow:
    """One imperfection of ISO 5817: limit = min(constant + slope * reference, cap) per level."""

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


BUTT = (WeldJoint.BUTT,)
FILLETS = (WeldJoint.LAP, WeldJoint.T_FILLET)
_CAP = (_upto(1, 0.1, 5), _upto(1, 0.15, 7), _upto(1, 0.25, 10))
_CONVEXITY = (_upto(1, 0.1, 3), _upto(1, 0.15, 4), _upto(1, 0.25, 5))
_PORE = (_upto(0, 0.2, 3), _upto(0, 0.3, 4), _upto(0, 0.4, 5))
_LEGS = (_upto(1.5, 0.15), _upto(2, 0.15), _upto(2, 0.2))
_ROOT = (NONE, NONE, _upto(0, 0.2, 2, short=True))
_OVERLAP = (NONE, NONE, _upto(0, 0.2))
_NO = (NONE, NONE, NONE)

ROWS = (
    LimitRow(code=401, feature=Feature.FUSION_DEFICIT, reference=Feature.SIZE, thin=_NO, thick=_NO),
    LimitRow(
        code=402,
        feature=Feature.ROOT_DEFICIT,
        reference=Feature.SIZE,
        thin=_ROOT,
        thick=_ROOT,
        joints=FILLETS,
    ),
    LimitRow(
        code=4021,
        feature=Feature.ROOT_DEFICIT,
        reference=Feature.THICKNESS,
        thin=_ROOT,
        thick=_ROOT,
        joints=BUTT,
    ),
    LimitRow(
        code=502, feature=Feature.CAP_HEIGHT, reference=Feature.FACE_WIDTH, thin=_CAP, thick=_CAP, joints=BUTT
    ),
    LimitRow(
        code=503,
        feature=Feature.CAP_HEIGHT,
        reference=Feature.FACE_WIDTH,
        thin=_CONVEXITY,
        thick=_CONVEXITY,
        joints=FILLETS,
    ),
    LimitRow(
        code=504,
        feature=Feature.ROOT_HEIGHT,
        reference=Feature.ROOT_WIDTH,
        thin=(_upto(1, 0.1), _upto(1, 0.3), _upto(1, 0.6)),
        thick=(_upto(1, 0.2, 3), _upto(1, 0.6, 4), _upto(1, 1.0, 5)),
        joints=BUTT,
    ),
    LimitRow(
        code=506,
        feature=Feature.OVERLAP,
        reference=Feature.FACE_WIDTH,
        thin=_OVERLAP,
        thick=_OVERLAP,
        detectable_mm=0.1,
    ),
    LimitRow(
        code=507,
        feature=Feature.MISALIGNMENT,
        reference=Feature.THICKNESS,
        thin=(_upto(0.2, 0.1), _upto(0.2, 0.15), _upto(0.2, 0.25)),
        thick=(_upto(0, 0.1, 3), _upto(0, 0.15, 4), _upto(0, 0.25, 5)),
        joints=BUTT,
    ),
    LimitRow(code=510, feature=Feature.BURN_THROUGH, reference=Feature.THICKNESS, thin=_NO, thick=_NO),
    LimitRow(
        code=511,
        feature=Feature.UNDERFILL,
        reference=Feature.THICKNESS,
        thin=(NONE, _upto(0, 0.1, short=True), _upto(0, 0.25, short=True)),
        thick=(_upto(0, 0.05, 0.5), _upto(0, 0.1, 1), _upto(0, 0.25, 2)),
        joints=BUTT,
    ),
    LimitRow(
        code=512,
        feature=Feature.LEG_DIFFERENCE,
        reference=Feature.SIZE,
        thin=_LEGS,
        thick=_LEGS,
        joints=FILLETS,
    ),
    LimitRow(
        code=617,
        feature=Feature.GAP,
        reference=Feature.SIZE,
        thin=(_upto(0.2, 0.1), _upto(0.3, 0.1), _upto(0.5, 0.1)),
        thick=(_upto(0.5, 0.1, 2), _upto(0.5, 0.2, 3), _upto(1, 0.3, 4)),
        joints=FILLETS,
    ),
    LimitRow(code=2011, feature=Feature.PORE_DIAMETER, reference=Feature.SIZE, thin=_PORE, thick=_PORE),
    LimitRow(
        code=2017,
        feature=Feature.PORE_DIAMETER,
        reference=Feature.SIZE,
        thin=(NONE, NONE, _upto(0, 0.3)),
        thick=(NONE, _upto(0, 0.2, 2), _upto(0, 0.3, 3)),
        detectable_mm=0.2,
    ),
    LimitRow(
        code=5011,
        feature=Feature.UNDERCUT,
        reference=Feature.THICKNESS,
        thin=(NONE, _upto(0, 0.1, short=True), _upto(0, 0.2, short=True)),
        thick=(_upto(0, 0.05, 0.5), _upto(0, 0.1, 0.5), _upto(0, 0.2, 1)),
    ),
    LimitRow(
        code=5213,
        feature=Feature.THROAT_DEFICIT,
        reference=Feature.SIZE,
        thin=(NONE, _upto(0.2, 0, short=True), _upto(0.2, 0.1, short=True)),
        thick=(NONE, _upto(0.3, 0.1, 1), _upto(0.3, 0.1, 2)),
        joints=FILLETS,
        detectable_mm=0.1,
    ),
    LimitRow(
        code=5214,
        feature=Feature.THROAT_EXCESS,
        reference=Feature.SIZE,
        thin=(_upto(1, 0.15, 3), _upto(1, 0.2, 4), ANY),
        thick=(_upto(1, 0.15, 3), _upto(1, 0.2, 4), ANY),
        joints=FILLETS,
    ),
)
"""Limits of ISO 5817; rows 507, 617, 5213, 2011, parts of 506, 511, 512 and 2017 are textbook values.

402 is incomplete penetration of a fillet, 4021 of a one-sided butt. Pores are judged as surface pores
(2017) and as internal pores (2011) of one size.
"""
CODES = tuple(row.code for row in ROWS)
"""ISO 6520-1 numbers; bit n of a mask is `CODES[n]`."""
