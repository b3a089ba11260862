"""Editions of ISO 5817: each row in which one differs from another, through the record of a bead.

Every expected limit is written out here. Sources: docs/references.md.
"""

from typing import NamedTuple

import numpy as np
import pytest

from cellwright_envs.welding.inspection.bead_record import BeadRecord, Scorecard, codes_of
from cellwright_envs.welding.inspection.editions import CODES, EDITIONS, edition_of
from cellwright_envs.welding.inspection.quality import LEVELS, Feature, WeldJoint

LENGTH_M = 0.2
SHORT_M, LONG_M = 0.024, 0.026
"""Below and above the 25 mm that short imperfections may fill in 100 mm."""
BUTT, LAP, TEE = WeldJoint.BUTT, WeldJoint.LAP, WeldJoint.T_FILLET
NEW, EN1090, OLD = "2023", "2023-en1090", "2014"


class Limit(NamedTuple):
    """Largest size [mm], and whether for short imperfections only; or the smallest toe angle [degrees]."""

    value: float
    short: bool = False


class Row(NamedTuple):
    editions: tuple[str, ...]
    code: int
    joint: WeldJoint
    feature: Feature
    sizes_mm: tuple[float, float, float, float]
    """Plate, throat as designed, throat as it is, width of face and root."""
    limits: tuple[Limit, Limit, Limit]


def any_length(*values: float) -> tuple[Limit, Limit, Limit]:
    return Limit(values[0]), Limit(values[1]), Limit(values[2])


def short(*values: float) -> tuple[Limit, Limit, Limit]:
    return Limit(values[0], True), Limit(values[1], True), Limit(values[2], True)


ROOT, FILL, TOE = Feature.ROOT_HEIGHT, Feature.UNDERFILL, Feature.TOE_RISE_RAD
THROAT, LEGS, GAP, PORE = (
    Feature.THROAT_DEFICIT, Feature.LEG_DIFFERENCE, Feature.GAP, Feature.PORE_DIAMETER,
)  # fmt: skip
NO_THROAT = Limit(0.1)
"""Not permitted is what an inspector finds."""
NO_PORE = Limit(0.2)
ROWS = [
    # 504, above 3 mm: 1 mm + 0.2 b, + 0.6 b or 0.45 b since 2023, + 1.0 b; b the width of the root.
    Row((NEW, EN1090), 504, BUTT, ROOT, (4, 4, 4, 2), any_length(1.4, 1.9, 3.0)),
    Row((NEW, EN1090), 504, BUTT, ROOT, (10, 10, 10, 6), any_length(2.2, 3.7, 5.0)),
    Row((OLD,), 504, BUTT, ROOT, (4, 4, 4, 2), any_length(1.4, 2.2, 3.0)),
    Row((OLD,), 504, BUTT, ROOT, (10, 10, 10, 6), any_length(2.2, 4.0, 5.0)),
    # 504, up to 3 mm: 1 mm + 0.1 b, + 0.3 b, + 0.6 b in every edition.
    Row((NEW, EN1090, OLD), 504, BUTT, ROOT, (3, 3, 3, 2), any_length(1.2, 1.6, 2.2)),
    # 505: toe angles, butt and fillet, on any plate.
    Row((NEW, OLD), 505, BUTT, TOE, (2, 2, 2, 6), any_length(150, 110, 90)),
    Row((NEW, OLD), 505, BUTT, TOE, (10, 10, 10, 6), any_length(150, 110, 90)),
    Row((NEW, OLD), 505, TEE, TOE, (2, 1.4, 1.4, 4), any_length(110, 100, 90)),
    Row((NEW, OLD), 505, TEE, TOE, (10, 7, 7, 9), any_length(110, 100, 90)),
    Row((NEW, OLD), 505, LAP, TOE, (2, 1.4, 1.4, 4), any_length(110, 100, 90)),
    Row((NEW, OLD), 505, LAP, TOE, (10, 7, 7, 9), any_length(110, 100, 90)),
    # 511, above 3 mm: 0.05 t, 0.1 t, 0.25 t, at most 0.5, 1, 2 mm, short imperfections.
    Row((NEW, EN1090, OLD), 511, BUTT, FILL, (4, 4, 4, 6), short(0.2, 0.4, 1.0)),
    Row((NEW, EN1090, OLD), 511, BUTT, FILL, (12, 12, 12, 6), short(0.5, 1.0, 2.0)),
    # 5213, above 3 mm: no, 0.3 mm + 0.1 a, at most 1 and 2 mm, short imperfections.
    Row((NEW, EN1090, OLD), 5213, TEE, THROAT, (4, 3, 3, 6), (NO_THROAT, *short(0, 0.6, 0.6)[1:])),
    Row((NEW, EN1090, OLD), 5213, LAP, THROAT, (10, 9, 9, 6), (NO_THROAT, *short(0, 1.0, 1.2)[1:])),
    # Since 2023 these grow with the throat as it is.
    Row((NEW, EN1090), 512, TEE, LEGS, (2, 4, 6, 6), any_length(2.4, 2.9, 3.2)),
    Row((NEW, EN1090), 512, LAP, LEGS, (5, 4, 6, 6), any_length(2.4, 2.9, 3.2)),
    Row((OLD,), 512, TEE, LEGS, (2, 4, 6, 6), any_length(2.1, 2.6, 2.8)),
    Row((OLD,), 512, LAP, LEGS, (5, 4, 6, 6), any_length(2.1, 2.6, 2.8)),
    Row((NEW, EN1090), 617, TEE, GAP, (2, 4, 2, 6), any_length(0.4, 0.5, 0.7)),
    Row((NEW, EN1090), 617, TEE, GAP, (5, 4, 3, 6), any_length(0.8, 1.1, 1.9)),
    Row((OLD,), 617, TEE, GAP, (2, 4, 2, 6), any_length(0.6, 0.7, 0.9)),
    Row((OLD,), 617, TEE, GAP, (5, 4, 3, 6), any_length(0.9, 1.3, 2.2)),
    Row((NEW, EN1090), 2017, TEE, PORE, (2, 4, 6, 6), (NO_PORE, NO_PORE, Limit(1.8))),
    Row((NEW, EN1090), 2017, TEE, PORE, (5, 4, 6, 6), (NO_PORE, Limit(1.2), Limit(1.8))),
    Row((OLD,), 2017, TEE, PORE, (2, 4, 6, 6), (NO_PORE, NO_PORE, Limit(1.2))),
    Row((OLD,), 2017, TEE, PORE, (5, 4, 6, 6), (NO_PORE, Limit(0.8), Limit(1.2))),
]


def bead(row: Row, size: float) -> np.ndarray:
    """A bead that is perfect but for one imperfection of `size` [mm, or degrees of toe angle]."""
    plate_mm, designed_mm, actual_mm, width_mm = row.sizes_mm
    features = np.zeros(len(Feature))
    features[Feature.THROAT_DEFICIT] = 0.2e-3 if row.code == 617 else 0.0  # else no gap counts
    features[Feature.THICKNESS] = plate_mm * 1e-3
    features[Feature.SIZE] = designed_mm * 1e-3
    features[Feature.ACTUAL_SIZE] = actual_mm * 1e-3
    features[Feature.FACE_WIDTH] = features[Feature.ROOT_WIDTH] = width_mm * 1e-3
    features[row.feature] = np.deg2rad(180.0 - size) if row.code == 505 else size * 1e-3
    return features


def welded(edition: str, row: Row, size: float, length_m: float) -> BeadRecord:
    """A seam with the imperfection from 50 mm on over `length_m`, else perfect."""
    record = BeadRecord(1, LENGTH_M, edition)
    record.reset(0, row.joint, LENGTH_M)
    perfect = bead(row, 180.0 if row.code == 505 else 0.0)
    ends_m = (0.05, 0.05 + length_m, LENGTH_M)
    begin_m = 0.0
    for end_m, features in zip(ends_m, (perfect, bead(row, size), perfect), strict=True):
        record.add(np.array([begin_m]), np.array([end_m]), np.ones(1), features[None])
        begin_m = end_m
    return record


def fails(record: BeadRecord, code: int, level: str) -> bool:
    return any(code in codes_of(int(mask)) for mask in record.grade(0)[:, LEVELS.index(level)])


def card(record: BeadRecord) -> Scorecard:
    return record.scorecard(0, tracking_errors_m=np.zeros(1), cycle_time_s=1.0, crashed=False)


CASES = [
    pytest.param(edition, row, id=f"{edition}-{row.code}-{row.joint.name}-{row.sizes_mm[0]}mm")
    for row in ROWS
    for edition in row.editions
]


@pytest.mark.parametrize(("edition", "row"), CASES)
def test_a_part_just_inside_passes_and_just_outside_fails(edition: str, row: Row) -> None:
    for level, limit in zip(LEVELS, row.limits, strict=True):
        step = 0.5 if row.code == 505 else 0.005
        inside, outside = limit.value - step, limit.value + step
        if row.code == 505:
            inside, outside = outside, inside
        good = welded(edition, row, inside, SHORT_M)
        assert not fails(good, row.code, level), (level, inside)
        if row.code not in (617, 2017):  # a gap counts with its throat, and pores have a second row
            assert card(good).passed[level]
        bad = welded(edition, row, outside, SHORT_M)
        assert fails(bad, row.code, level), (level, outside)
        assert not card(bad).passed[level]


@pytest.mark.parametrize(("edition", "row"), CASES)
def test_only_what_is_permitted_where_short_fails_by_its_length(edition: str, row: Row) -> None:
    for level, limit in zip(LEVELS, row.limits, strict=True):
        inside = limit.value + 0.5 if row.code == 505 else limit.value - 0.005
        assert fails(welded(edition, row, inside, LONG_M), row.code, level) == limit.short, level


@pytest.mark.parametrize("joint", [BUTT, TEE, LAP])
@pytest.mark.parametrize("plate_mm", [2.0, 10.0])
def test_without_row_505_no_toe_angle_fails(joint: WeldJoint, plate_mm: float) -> None:
    row = Row((EN1090,), 505, joint, TOE, (plate_mm, 3, 3, 6), any_length(0, 0, 0))
    assert card(welded(EN1090, row, 1.0, LENGTH_M - 0.05)).passed == {"B": True, "C": True, "D": True}


def test_a_limit_at_three_millimetres_is_that_of_thin_plate() -> None:
    """A root of 2 mm: 1.9 mm is too high at level C up to 3 mm (1.6 mm) and not above (1.9 mm)."""
    for plate_mm, too_high in ((3.0, True), (3.01, False)):
        row = Row((NEW,), 504, BUTT, ROOT, (plate_mm, 3, 3, 2), any_length(0, 0, 0))
        assert fails(welded(NEW, row, 1.89, SHORT_M), 504, "C") == too_high


def test_the_newest_edition_is_the_default_and_every_one_is_named() -> None:
    assert set(EDITIONS) == {NEW, EN1090, OLD}
    assert BeadRecord(1, LENGTH_M).iso_edition == "2023"
    assert all(edition.name == name for name, edition in EDITIONS.items())


def test_an_unknown_edition_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"'2007'; there are 2023, 2023-en1090, 2014"):
        edition_of("2007")
    with pytest.raises(ValueError, match="'2007'"):
        BeadRecord(1, LENGTH_M, "2007")


def test_masks_of_before_keep_their_bits() -> None:
    """Recorded masks say which code is which by position; a new code comes last."""
    before = (401, 402, 4021, 502, 503, 504, 506, 507, 510, 511, 512, 617, 2011, 2017, 5011, 5213, 5214)
    assert (*before, 505) == CODES
    assert EDITIONS[EN1090].codes == before


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_code_has_one_row_per_joint(edition: str) -> None:
    rows = [(row.code, joint) for row in EDITIONS[edition].rows for joint in row.joints]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(("edition", "has"), [(NEW, True), (OLD, True), (EN1090, False)])
def test_a_scorecard_says_its_edition_and_has_figures_of_its_codes(edition: str, has: bool) -> None:
    row = Row((edition,), 505, BUTT, TOE, (4, 4, 4, 6), any_length(0, 0, 0))
    found = card(welded(edition, row, 100.0, 0.01))
    assert found.as_dict()["iso_edition"] == edition
    assert found.defect_length_by_code_m == ({505: pytest.approx(0.01)} if has else {})
    assert ("defect_length_505_m" in found.numbers()) == has
    if has:
        assert found.numbers()["defect_length_505_m"] == pytest.approx(0.01)
