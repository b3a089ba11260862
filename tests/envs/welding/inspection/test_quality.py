"""Limits of ISO 5817 and the grading of recorded beads."""

import json

import numpy as np
import pytest

from cellwright_envs.welding.inspection.bead_record import BeadRecord, codes_of
from cellwright_envs.welding.inspection.editions import CODES, EDITIONS
from cellwright_envs.welding.inspection.quality import LEVELS, Feature, WeldJoint

LENGTH_M = 0.2
STEP_M = 0.5e-3


Row = tuple[int, WeldJoint, Feature, tuple[float, float, float], tuple[float, float, float]]
BUTT, LAP, TEE, ANY = WeldJoint.BUTT, WeldJoint.LAP, WeldJoint.T_FILLET, np.inf
LIMITS: list[Row] = [
    (401, TEE, Feature.FUSION_DEFICIT, (2, 4, 8), (0.05, 0.05, 0.05)),
    (401, BUTT, Feature.FUSION_DEFICIT, (5, 4, 8), (0.05, 0.05, 0.05)),
    (402, TEE, Feature.ROOT_DEFICIT, (2, 4, 8), (0.05, 0.05, 0.8)),
    (402, LAP, Feature.ROOT_DEFICIT, (5, 20, 8), (0.05, 0.05, 2.0)),
    (4021, BUTT, Feature.ROOT_DEFICIT, (2, 4, 8), (0.05, 0.05, 0.4)),
    (4021, BUTT, Feature.ROOT_DEFICIT, (12, 4, 8), (0.05, 0.05, 2.0)),
    (502, BUTT, Feature.CAP_HEIGHT, (2, 4, 8), (1.8, 2.2, 3.0)),
    (502, BUTT, Feature.CAP_HEIGHT, (5, 4, 12), (2.2, 2.8, 4.0)),
    (502, BUTT, Feature.CAP_HEIGHT, (5, 4, 80), (5.0, 7.0, 10.0)),
    (503, TEE, Feature.CAP_HEIGHT, (2, 4, 8), (1.8, 2.2, 3.0)),
    (503, LAP, Feature.CAP_HEIGHT, (5, 4, 80), (3.0, 4.0, 5.0)),
    (504, BUTT, Feature.ROOT_HEIGHT, (2, 4, 8), (1.2, 1.6, 2.2)),
    (504, BUTT, Feature.ROOT_HEIGHT, (4, 4, 80), (3.0, 4.0, 5.0)),
    (506, TEE, Feature.OVERLAP, (2, 4, 8), (0.1, 0.1, 1.6)),
    (506, BUTT, Feature.OVERLAP, (5, 4, 12), (0.1, 0.1, 2.4)),
    (507, BUTT, Feature.MISALIGNMENT, (2, 4, 8), (0.4, 0.5, 0.7)),
    (507, BUTT, Feature.MISALIGNMENT, (3.2, 4, 8), (0.32, 0.48, 0.8)),
    (507, BUTT, Feature.MISALIGNMENT, (40, 4, 8), (3.0, 4.0, 5.0)),
    (510, LAP, Feature.BURN_THROUGH, (2, 4, 8), (0.05, 0.05, 0.05)),
    (510, BUTT, Feature.BURN_THROUGH, (5, 4, 8), (0.05, 0.05, 0.05)),
    (511, BUTT, Feature.UNDERFILL, (2, 4, 8), (0.05, 0.2, 0.5)),
    (511, BUTT, Feature.UNDERFILL, (5, 4, 8), (0.25, 0.5, 1.25)),
    (511, BUTT, Feature.UNDERFILL, (20, 4, 8), (0.5, 1.0, 2.0)),
    (512, TEE, Feature.LEG_DIFFERENCE, (2, 4, 8), (2.1, 2.6, 2.8)),
    (512, LAP, Feature.LEG_DIFFERENCE, (5, 6, 8), (2.4, 2.9, 3.2)),
    (617, TEE, Feature.GAP, (2, 2, 8), (0.4, 0.5, 0.7)),
    (617, TEE, Feature.GAP, (5, 4, 8), (0.9, 1.3, 2.2)),
    (617, LAP, Feature.GAP, (5, 30, 8), (2.0, 3.0, 4.0)),
    (2011, TEE, Feature.PORE_DIAMETER, (2, 4, 8), (0.8, 1.2, 1.6)),
    (2011, BUTT, Feature.PORE_DIAMETER, (5, 30, 8), (3.0, 4.0, 5.0)),
    (2017, TEE, Feature.PORE_DIAMETER, (2, 4, 8), (0.2, 0.2, 1.2)),
    (2017, BUTT, Feature.PORE_DIAMETER, (5, 4, 8), (0.2, 0.8, 1.2)),
    (2017, BUTT, Feature.PORE_DIAMETER, (5, 30, 8), (0.2, 2.0, 3.0)),
    (5011, TEE, Feature.UNDERCUT, (2, 4, 8), (0.05, 0.2, 0.4)),
    (5011, BUTT, Feature.UNDERCUT, (3.2, 4, 8), (0.16, 0.32, 0.64)),
    (5011, BUTT, Feature.UNDERCUT, (10, 4, 8), (0.5, 0.5, 1.0)),
    (5213, TEE, Feature.THROAT_DEFICIT, (2, 3, 8), (0.1, 0.2, 0.5)),
    (5213, TEE, Feature.THROAT_DEFICIT, (5, 4, 8), (0.1, 0.7, 0.7)),
    (5213, LAP, Feature.THROAT_DEFICIT, (5, 30, 8), (0.1, 1.0, 2.0)),
    (5214, TEE, Feature.THROAT_EXCESS, (2, 4, 8), (1.6, 1.8, ANY)),
    (5214, TEE, Feature.THROAT_EXCESS, (5, 4, 8), (1.6, 1.8, ANY)),
    (5214, LAP, Feature.THROAT_EXCESS, (5, 30, 8), (3.0, 4.0, ANY)),
]
"""Code, joint, what is measured; plate, throat and bead width [mm]; limits of levels B, C and D [mm].

The limits of every edition; `test_editions` has those that differ. A root is a quarter as wide as its bead, a
throat is as designed. What is not permitted is what an inspector finds.
"""
EDITION_NAMES = ("2023", "2023-en1090", "2014")
SHORT = {(402, "D"), (4021, "D"), (511, "C"), (511, "D"), (5011, "C"), (5011, "D"), (5213, "C"), (5213, "D")}
"""Permitted on plate up to 3 mm only where short, in every edition."""


def measured(row: Row, size_mm: float) -> np.ndarray:
    """A bead that is perfect but for one imperfection."""
    code, _, feature, (thickness_mm, throat_mm, width_mm), _ = row
    features = np.zeros(len(Feature))
    features[Feature.THROAT_DEFICIT] = 0.2e-3 if code == 617 else 0.0  # else no gap counts
    features[Feature.THICKNESS] = thickness_mm * 1e-3
    features[Feature.SIZE] = features[Feature.ACTUAL_SIZE] = throat_mm * 1e-3
    features[Feature.FACE_WIDTH] = width_mm * 1e-3
    features[Feature.ROOT_WIDTH] = 0.25e-3 * width_mm
    features[feature] = size_mm * 1e-3
    return features


@pytest.mark.parametrize("edition", EDITION_NAMES)
@pytest.mark.parametrize("row", LIMITS, ids=lambda row: f"{row[0]}-{row[3][0]}-{row[3][1]}-{row[3][2]}")
def test_what_is_larger_than_iso_5817_permits_is_a_violation(row: Row, edition: str) -> None:
    code, joint, *_, limits_mm = row
    record = BeadRecord(1, LENGTH_M, edition)
    record.reset(0, joint, LENGTH_M)
    for level, limit_mm in enumerate(limits_mm):
        for factor, violates in ((0.99, False), (1.01, True)):
            size_mm = min(limit_mm, 1e3) * factor
            found = codes_of(int(record.violations_now(measured(row, size_mm)[None])[0, level]))
            assert (code in found) == (violates and np.isfinite(limit_mm)), (LEVELS[level], size_mm)


@pytest.mark.parametrize("edition", EDITION_NAMES)
@pytest.mark.parametrize("row", [row for row in LIMITS if row[3][0] <= 2], ids=lambda row: str(row[0]))
def test_what_is_permitted_where_short_fails_a_whole_seam(row: Row, edition: str) -> None:
    code, joint, *_, limits_mm = row
    for level, limit_mm in zip(LEVELS, limits_mm, strict=True):
        record = BeadRecord(1, LENGTH_M, edition)
        record.reset(0, joint, LENGTH_M)
        features = measured(row, 0.99 * min(limit_mm, 1e3))
        record.add(np.zeros(1), np.array([LENGTH_M]), np.ones(1), features[None])
        found = codes_of(int(record.grade(0)[0, LEVELS.index(level)]))
        assert (code in found) == ((code, level) in SHORT)


def good_bead(thickness_m: float = 3.2e-3) -> np.ndarray:
    features = np.zeros(len(Feature))
    features[Feature.THICKNESS] = thickness_m
    features[Feature.FACE_WIDTH] = 6e-3
    features[Feature.ROOT_WIDTH] = 2e-3
    features[Feature.SIZE] = features[Feature.ACTUAL_SIZE] = thickness_m
    return features


def record_of(
    beads: dict[tuple[float, float], dict[Feature, float]],
    *,
    thickness_m: float = 3.2e-3,
    joint: WeldJoint = WeldJoint.BUTT,
    until_m: float = LENGTH_M,
) -> BeadRecord:
    """A record of a perfect bead, with features set between positions [m]."""
    record = BeadRecord(1, LENGTH_M)
    record.reset(0, joint, LENGTH_M)
    for position_m in np.arange(0.0, until_m - 1e-9, STEP_M):
        features = good_bead(thickness_m)
        for (begin_m, end_m), changes in beads.items():
            if begin_m - 1e-9 <= position_m < end_m - 1e-9:
                for feature, value in changes.items():
                    features[feature] = value
        begin = np.array([position_m])
        record.add(begin, begin + STEP_M, np.ones(1), features[None])
    return record


def judge(record: BeadRecord, *, crashed: bool = False):
    return record.scorecard(
        0, tracking_errors_m=np.array([0.1e-3, -0.3e-3]), cycle_time_s=9.0, crashed=crashed
    )


def test_a_perfect_bead_passes_every_level() -> None:
    card = judge(record_of({}))
    assert card.passed == {"B": True, "C": True, "D": True}
    assert card.defect_length_by_code_m == {}
    assert card.tracking_error_mean_m == pytest.approx(0.2e-3)


def test_a_crashed_weld_fails_every_level() -> None:
    assert not any(judge(record_of({}), crashed=True).passed.values())


def test_unwelded_length_fails_every_level_and_is_measured() -> None:
    card = judge(record_of({}, until_m=0.15))
    assert not any(card.passed.values())
    assert card.unwelded_length_m == pytest.approx(0.05)
    assert card.defect_length_m["D"] == pytest.approx(0.05)
    assert card.defect_length_by_code_m == {}


def test_one_defect_is_found_with_code_length_and_level() -> None:
    card = judge(record_of({(0.05, 0.06): {Feature.UNDERCUT: 0.2e-3}}))
    assert card.passed == {"B": False, "C": True, "D": True}
    assert card.defect_length_m["B"] == pytest.approx(0.01)
    card = judge(record_of({(0.05, 0.06): {Feature.UNDERCUT: 0.4e-3}}))
    assert card.defect_length_by_code_m == pytest.approx({5011: 0.01})


@pytest.mark.parametrize(("length_m", "passes"), [(0.025, True), (0.030, False)])
def test_short_imperfections_may_fill_a_quarter_of_a_hundred_millimetres(
    length_m: float, passes: bool
) -> None:
    record = record_of({(0.05, 0.05 + length_m): {Feature.UNDERCUT: 0.1e-3}}, thickness_m=2e-3)
    card = judge(record)
    assert card.passed["C"] is passes
    assert not card.passed["B"]
    assert card.defect_length_m["C"] == pytest.approx(0.0 if passes else length_m)


@pytest.mark.parametrize(
    ("seam_m", "length_m", "passes"),
    # A quarter of 40 mm is 10 mm, of 11.2 mm it is 2.8 mm, of 100 mm and of more it is 25 mm.
    [(0.04, 0.010, True), (0.04, 0.011, False), (0.0112, 0.002, True), (0.0112, 0.003, False),
     (0.1, 0.025, True), (0.1, 0.026, False), (0.036, 0.009, True), (0.036, 0.010, False)],
)  # fmt: skip
@pytest.mark.parametrize("edition", EDITION_NAMES)
def test_short_imperfections_may_fill_a_quarter_of_a_shorter_weld(
    edition: str, seam_m: float, length_m: float, passes: bool
) -> None:
    record = BeadRecord(1, LENGTH_M, edition)
    record.reset(0, BUTT, seam_m)
    for end_m, undercut_m in ((length_m, 0.1e-3), (seam_m, 0.0)):
        features = good_bead(2e-3)
        features[Feature.UNDERCUT] = undercut_m
        begin_m = 0.0 if undercut_m else length_m
        record.add(np.array([begin_m]), np.array([end_m]), np.ones(1), features[None])
    assert judge(record).passed["C"] is passes


def test_short_imperfections_of_two_kinds_do_not_add_up() -> None:
    """Each code for itself: 20 mm of undercut and 20 mm of underfill in the same 100 mm."""
    both = {(0.02, 0.04): {Feature.UNDERCUT: 0.1e-3}, (0.06, 0.08): {Feature.UNDERFILL: 0.1e-3}}
    assert judge(record_of(both, thickness_m=2e-3)).passed["C"]


def test_two_short_imperfections_far_apart_are_both_permitted() -> None:
    undercut = {Feature.UNDERCUT: 0.1e-3}
    near = record_of({(0.02, 0.04): undercut, (0.06, 0.08): undercut}, thickness_m=2e-3)
    apart = record_of({(0.02, 0.04): undercut, (0.15, 0.17): undercut}, thickness_m=2e-3)
    assert not judge(near).passed["C"]
    assert judge(apart).passed["C"]


def test_a_fillet_gap_counts_only_without_the_throat_to_make_up_for_it() -> None:
    wide = {Feature.GAP: 1.5e-3}
    thin_throat = {Feature.GAP: 1.5e-3, Feature.THROAT_DEFICIT: 0.2e-3}
    assert judge(record_of({(0, 0.1): wide}, joint=WeldJoint.T_FILLET)).passed["B"]
    card = judge(record_of({(0, 0.02): thin_throat}, joint=WeldJoint.T_FILLET))
    assert card.defect_length_by_code_m == pytest.approx({617: 0.02})


def test_rows_apply_to_their_joints() -> None:
    cap = {(0.0, 0.1): {Feature.MISALIGNMENT: 2e-3, Feature.LEG_DIFFERENCE: 5e-3}}
    assert set(judge(record_of(cap)).defect_length_by_code_m) == {507}
    assert set(judge(record_of(cap, joint=WeldJoint.LAP)).defect_length_by_code_m) == {512}


def test_every_row_can_fail_a_weld_at_level_c() -> None:
    for row in EDITIONS["2023"].rows:
        size = np.pi if row.feature is Feature.TOE_RISE_RAD else 50e-3
        changes = {(0.0, 0.1): {row.feature: size, Feature.THROAT_DEFICIT: 50e-3}}
        assert row.code in judge(record_of(changes, joint=row.joints[0])).defect_length_by_code_m
    assert {row.code for row in EDITIONS["2023"].rows} == set(CODES)


def test_violations_now_agree_with_the_finished_record() -> None:
    bead = {(0.0, LENGTH_M): {Feature.CAP_HEIGHT: 3e-3, Feature.BURN_THROUGH: 1e-3}}
    record = record_of(bead)
    features = good_bead()
    features[Feature.CAP_HEIGHT], features[Feature.BURN_THROUGH] = 3e-3, 1e-3
    now = record.violations_now(features[None])[0]
    np.testing.assert_array_equal(now, record.grade(0)[7])
    assert codes_of(int(now[1])) == (502, 510)


def test_the_scorecard_is_plain_json() -> None:
    card = judge(record_of({(0.05, 0.06): {Feature.UNDERCUT: 0.4e-3}}))
    assert json.loads(card.to_json()) == card.as_dict()


def test_a_seam_longer_than_the_record_is_refused() -> None:
    with pytest.raises(ValueError, match=r"length_m=0\.3"):
        BeadRecord(1, 0.2).reset(0, WeldJoint.BUTT, 0.3)


def test_a_partial_last_bin_has_its_true_length() -> None:
    record = BeadRecord(1, 0.1)
    record.reset(0, WeldJoint.BUTT, 0.0104)
    record.add(np.zeros(1), np.array([0.0104]), np.ones(1), good_bead()[None])
    card = judge(record)
    assert card.passed["B"]
    assert card.weld_length_m == pytest.approx(0.0104)
