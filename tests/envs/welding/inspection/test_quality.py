"""Limits of ISO 5817 and the grading of recorded beads."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.welding.inspection.bead_record import BeadRecord, codes_of
from cellwright_envs.welding.inspection.quality import (
    CODES,
    LEVELS,
    ROWS,
    Feature,
    Joint,
    convexity_limit_m,
    excess_penetration_limit_m,
    excess_weld_metal_limit_m,
    limit_m,
    misalignment_limit_m,
    undercut_limit_m,
)

LENGTH_M = 0.2
STEP_M = 0.5e-3


@pytest.mark.parametrize(
    ("thickness_mm", "limits_mm"),
    [
        (3.2, (0.16, 0.32, 0.64)),
        (5, (0.25, 0.5, 1.0)),
        (6, (0.3, 0.5, 1.0)),
        (8, (0.4, 0.5, 1)),
        (10, (0.5, 0.5, 1)),
    ],
)
def test_undercut_limits_are_those_evaluated_from_the_standard(
    thickness_mm: float, limits_mm: tuple[float, ...]
) -> None:
    for level, expected_mm in zip(LEVELS, limits_mm, strict=True):
        assert undercut_limit_m(thickness_mm * 1e-3, level) == pytest.approx(expected_mm * 1e-3)


def test_undercut_on_thin_plate() -> None:
    assert [undercut_limit_m(2e-3, level) for level in LEVELS] == pytest.approx([0.0, 0.2e-3, 0.4e-3])


@pytest.mark.parametrize(
    ("width_mm", "limits_mm"),
    [
        (6, (1.6, 1.9, 2.5)),
        (8, (1.8, 2.2, 3.0)),
        (10, (2.0, 2.5, 3.5)),
        (12, (2.2, 2.8, 4.0)),
        (80, (5, 7, 10)),
    ],
)
def test_excess_weld_metal_limits(width_mm: float, limits_mm: tuple[float, ...]) -> None:
    for level, expected_mm in zip(LEVELS, limits_mm, strict=True):
        assert excess_weld_metal_limit_m(width_mm * 1e-3, level) == pytest.approx(expected_mm * 1e-3)


@pytest.mark.parametrize(
    ("thickness_mm", "limits_mm"),
    [(2, (0.4, 0.5, 0.7)), (3.2, (0.32, 0.48, 0.8)), (6, (0.6, 0.9, 1.5)), (10, (1.0, 1.5, 2.5))],
)
def test_misalignment_limits(thickness_mm: float, limits_mm: tuple[float, ...]) -> None:
    for level, expected_mm in zip(LEVELS, limits_mm, strict=True):
        assert misalignment_limit_m(thickness_mm * 1e-3, level) == pytest.approx(expected_mm * 1e-3)


def test_convexity_and_root_limits() -> None:
    assert convexity_limit_m(30e-3, "C") == pytest.approx(4e-3)
    assert excess_penetration_limit_m(2e-3, "B", 2e-3) == pytest.approx(1.2e-3)
    assert excess_penetration_limit_m(2e-3, "B", 4e-3) == pytest.approx(1.4e-3)


def test_limits_take_arrays() -> None:
    np.testing.assert_allclose(undercut_limit_m(np.array([2e-3, 5e-3]), "C"), [0.2e-3, 0.5e-3])


@pytest.mark.parametrize("level", ["A", "b", "", "CC"])
def test_an_unknown_level_is_named_with_its_alternatives(level: str) -> None:
    with pytest.raises(ValueError, match=f"'{level}'.*B, C, D"):
        undercut_limit_m(5e-3, level)


def test_an_unknown_code_is_named() -> None:
    with pytest.raises(ValueError, match="999"):
        limit_m(999, "B", 1e-3, 5e-3)


@given(st.sampled_from(CODES), st.floats(0.1e-3, 30e-3), st.floats(0.6e-3, 20e-3))
def test_a_stricter_level_never_permits_more(code: int, reference_m: float, thickness_m: float) -> None:
    strict, middle, loose = (limit_m(code, level, reference_m, thickness_m) for level in LEVELS)
    assert strict <= middle <= loose


def good_bead(thickness_m: float = 3.2e-3) -> np.ndarray:
    features = np.zeros(len(Feature))
    features[Feature.THICKNESS] = thickness_m
    features[Feature.FACE_WIDTH] = 6e-3
    features[Feature.ROOT_WIDTH] = 2e-3
    features[Feature.SIZE] = thickness_m
    return features


def record_of(
    beads: dict[tuple[float, float], dict[Feature, float]],
    *,
    thickness_m: float = 3.2e-3,
    joint: Joint = Joint.BUTT,
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


def test_two_short_imperfections_far_apart_are_both_permitted() -> None:
    undercut = {Feature.UNDERCUT: 0.1e-3}
    near = record_of({(0.02, 0.04): undercut, (0.06, 0.08): undercut}, thickness_m=2e-3)
    apart = record_of({(0.02, 0.04): undercut, (0.15, 0.17): undercut}, thickness_m=2e-3)
    assert not judge(near).passed["C"]
    assert judge(apart).passed["C"]


def test_a_fillet_gap_counts_only_without_the_throat_to_make_up_for_it() -> None:
    wide = {Feature.GAP: 1.5e-3}
    thin_throat = {Feature.GAP: 1.5e-3, Feature.THROAT_DEFICIT: 0.2e-3}
    assert judge(record_of({(0, 0.1): wide}, joint=Joint.T_FILLET)).passed["B"]
    card = judge(record_of({(0, 0.1): thin_throat}, joint=Joint.T_FILLET))
    assert card.defect_length_by_code_m == pytest.approx({617: 0.1})


def test_rows_apply_to_their_joints() -> None:
    cap = {(0.0, 0.1): {Feature.MISALIGNMENT: 2e-3, Feature.LEG_DIFFERENCE: 5e-3}}
    assert set(judge(record_of(cap)).defect_length_by_code_m) == {507}
    assert set(judge(record_of(cap, joint=Joint.LAP)).defect_length_by_code_m) == {512}


def test_every_row_can_fail_a_weld_at_level_c() -> None:
    for row in ROWS:
        changes = {(0.0, 0.1): {row.feature: 50e-3, Feature.THROAT_DEFICIT: 50e-3}}
        assert row.code in judge(record_of(changes, joint=row.joints[0])).defect_length_by_code_m


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
        BeadRecord(1, 0.2).reset(0, Joint.BUTT, 0.3)


def test_a_partial_last_bin_has_its_true_length() -> None:
    record = BeadRecord(1, 0.1)
    record.reset(0, Joint.BUTT, 0.0104)
    record.add(np.zeros(1), np.array([0.0104]), np.ones(1), good_bead()[None])
    card = judge(record)
    assert card.passed["B"]
    assert card.weld_length_m == pytest.approx(0.0104)
