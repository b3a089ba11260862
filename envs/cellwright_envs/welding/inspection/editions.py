"""The limits of ISO 5817 at levels B, C and D, by edition of the standard."""

from dataclasses import dataclass, replace

from cellwright_envs.welding.inspection.quality import (
    ANY,
    LEVELS,
    NONE,
    Feature,
    LimitRow,
    WeldJoint,
    toe_angle,
    upto,
)

BUTT = (WeldJoint.BUTT,)
FILLETS = (WeldJoint.LAP, WeldJoint.T_FILLET)
_CAP = (upto(1, 0.1, 5), upto(1, 0.15, 7), upto(1, 0.25, 10))
_CONVEXITY = (upto(1, 0.1, 3), upto(1, 0.15, 4), upto(1, 0.25, 5))
_PORE = (upto(0, 0.2, 3), upto(0, 0.3, 4), upto(0, 0.4, 5))
_LEGS = (upto(1.5, 0.15), upto(2, 0.15), upto(2, 0.2))
_ROOT = (NONE, NONE, upto(0, 0.2, 2, short=True))
_OVERLAP = (NONE, NONE, upto(0, 0.2))
_NO = (NONE, NONE, NONE)
_BUTT_TOES = (toe_angle(150), toe_angle(110), toe_angle(90))
_FILLET_TOES = (toe_angle(110), toe_angle(100), toe_angle(90))

_ROWS_2014 = (
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
        thin=(upto(1, 0.1), upto(1, 0.3), upto(1, 0.6)),
        thick=(upto(1, 0.2, 3), upto(1, 0.6, 4), upto(1, 1.0, 5)),
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
        thin=(upto(0.2, 0.1), upto(0.2, 0.15), upto(0.2, 0.25)),
        thick=(upto(0, 0.1, 3), upto(0, 0.15, 4), upto(0, 0.25, 5)),
        joints=BUTT,
    ),
    LimitRow(code=510, feature=Feature.BURN_THROUGH, reference=Feature.THICKNESS, thin=_NO, thick=_NO),
    LimitRow(
        code=511,
        feature=Feature.UNDERFILL,
        reference=Feature.THICKNESS,
        thin=(NONE, upto(0, 0.1, short=True), upto(0, 0.25, short=True)),
        thick=(upto(0, 0.05, 0.5, short=True), upto(0, 0.1, 1, short=True), upto(0, 0.25, 2, short=True)),
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
        thin=(upto(0.2, 0.1), upto(0.3, 0.1), upto(0.5, 0.1)),
        thick=(upto(0.5, 0.1, 2), upto(0.5, 0.2, 3), upto(1, 0.3, 4)),
        joints=FILLETS,
    ),
    LimitRow(code=2011, feature=Feature.PORE_DIAMETER, reference=Feature.SIZE, thin=_PORE, thick=_PORE),
    LimitRow(
        code=2017,
        feature=Feature.PORE_DIAMETER,
        reference=Feature.SIZE,
        thin=(NONE, NONE, upto(0, 0.3)),
        thick=(NONE, upto(0, 0.2, 2), upto(0, 0.3, 3)),
        detectable_mm=0.2,
    ),
    LimitRow(
        code=5011,
        feature=Feature.UNDERCUT,
        reference=Feature.THICKNESS,
        thin=(NONE, upto(0, 0.1, short=True), upto(0, 0.2, short=True)),
        thick=(upto(0, 0.05, 0.5), upto(0, 0.1, 0.5), upto(0, 0.2, 1)),
    ),
    LimitRow(
        code=5213,
        feature=Feature.THROAT_DEFICIT,
        reference=Feature.SIZE,
        thin=(NONE, upto(0.2, 0, short=True), upto(0.2, 0.1, short=True)),
        thick=(NONE, upto(0.3, 0.1, 1, short=True), upto(0.3, 0.1, 2, short=True)),
        joints=FILLETS,
        detectable_mm=0.1,
    ),
    LimitRow(
        code=5214,
        feature=Feature.THROAT_EXCESS,
        reference=Feature.SIZE,
        thin=(upto(1, 0.15, 3), upto(1, 0.2, 4), ANY),
        thick=(upto(1, 0.15, 3), upto(1, 0.2, 4), ANY),
        joints=FILLETS,
    ),
    LimitRow(
        code=505,
        feature=Feature.TOE_RISE_RAD,
        reference=Feature.SIZE,
        thin=_BUTT_TOES,
        thick=_BUTT_TOES,
        joints=BUTT,
    ),
    LimitRow(
        code=505,
        feature=Feature.TOE_RISE_RAD,
        reference=Feature.SIZE,
        thin=_FILLET_TOES,
        thick=_FILLET_TOES,
        joints=FILLETS,
    ),
)
"""Limits of ISO 5817; rows 507, 617, 5213, 2011, parts of 506, 511, 512 and 2017 are textbook values.

402 is incomplete penetration of a fillet, 4021 of a one-sided butt. Pores are judged as surface pores
(2017) and as internal pores (2011) of one size.
"""

_ROOT_HEIGHT_2023 = (upto(1, 0.2, 3), upto(1, 0.45, 4), upto(1, 1.0, 5))
_OF_ACTUAL_THROAT = (2017, 512, 617)
"""Rows 1.3, 1.16 and 3.2, whose limits grow with the throat as it is since 2023."""
_ROWS_2023 = tuple(
    replace(
        row,
        thick=_ROOT_HEIGHT_2023 if row.code == 504 else row.thick,
        reference=Feature.ACTUAL_SIZE if row.code in _OF_ACTUAL_THROAT else row.reference,
    )
    for row in _ROWS_2014
)


@dataclass(frozen=True, kw_only=True)
class Edition:
    """One edition of the limits, or one way to apply it."""

    name: str
    meaning: str
    """What it is, in one sentence."""
    rows: tuple[LimitRow, ...]
    """Each code at most once per joint."""

    @property
    def codes(self) -> tuple[int, ...]:
        """The ISO 6520-1 numbers that it limits, in the order of `CODES`."""
        return tuple(dict.fromkeys(row.code for row in self.rows))

    def limit_of(self, code: int, level: str, joint: WeldJoint) -> tuple[float, float]:
        """The constant limit [m or rad] of a code up to 3 mm and above; infinite without such a row."""
        for row in self.rows:
            if row.code == code and joint in row.joints:
                thin, thick = (limits[LEVELS.index(level)][0] for limits in (row.thin, row.thick))
                return thin, thick
        return float("inf"), float("inf")


NEWEST = "2023"
EDITIONS = {
    edition.name: edition
    for edition in (
        Edition(name=NEWEST, meaning="ISO 5817:2023.", rows=_ROWS_2023),
        Edition(
            name="2023-en1090",
            meaning="ISO 5817:2023 as EN 1090-2 applies it to structural steel: without row 505.",
            rows=tuple(row for row in _ROWS_2023 if row.code != 505),
        ),
        Edition(name="2014", meaning="ISO 5817:2014.", rows=_ROWS_2014),
    )
}
"""By name; the newest is the default everywhere."""
CODES = tuple(dict.fromkeys(row.code for row in _ROWS_2014))
"""ISO 6520-1 numbers of all editions; bit n of a mask is `CODES[n]`, whatever the edition."""


def edition_of(name: str) -> Edition:
    """The edition of this name; raises ValueError with those there are."""
    if name not in EDITIONS:
        raise ValueError(f"no edition of ISO 5817 is called {name!r}; there are {', '.join(EDITIONS)}")
    return EDITIONS[name]
