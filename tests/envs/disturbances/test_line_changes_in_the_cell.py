"""What the catalogues of line changes say happens in the cell, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_envs.welding.weld_seam import WeldSeam

PEG = "round-8-0.5"
BUTT = "butt-straight-2.3"


@pytest.fixture(scope="module")
def weld() -> Iterator[WeldSeam]:
    env = WeldSeam(product=BUTT, disturbances="none")
    yield env
    env.close()


@pytest.fixture(scope="module")
def insertion() -> Iterator[PegInsertion]:
    env = PegInsertion(product=PEG, disturbances="none")
    yield env
    env.close()


def begin(env: Any, change: str | None = None, base: str = "none") -> NDArray[np.float64]:
    """Start an episode after a line change; the picture that it begins with."""
    disturbances = env.disturbance_sets[base]
    if change is not None:
        disturbances = env.line_changes[change].apply(disturbances)
    observation, _ = env.reset(seed=5, options={"disturbances": disturbances})
    return observation["image"].astype(np.float64)


def test_a_new_batch_of_plate_is_thinner_fits_worse_and_reflects_less(weld: WeldSeam) -> None:
    usual = begin(weld)
    thickness_m = weld.deviation.thickness_m
    dull = begin(weld, "new-batch")
    assert weld.deviation.thickness_m == pytest.approx(0.94 * thickness_m)
    # A thinner plate shows a little less of its edges; the open face is as it was but for its reflectance.
    assert np.mean(np.abs(dull[0] - 0.75 * usual[0]) < 0.51) > 0.6
    assert dull.mean() == pytest.approx(0.75 * usual.mean(), rel=0.05)

    begin(weld, base="gap_profile")
    gap_m = weld.deviation.gap_m.copy()
    begin(weld, "new-batch", base="gap_profile")
    # Half of the largest deviation more, which is a fifth of the plate, but where the field is clipped.
    wider_m = weld.deviation.gap_m - gap_m
    assert wider_m.max() == pytest.approx(0.5 * 0.2 * 2.3e-3, rel=1e-6)
    assert wider_m.min() >= -1e-12


def test_a_moved_fixture_stands_where_it_says_and_is_turned(weld: WeldSeam) -> None:
    begin(weld)
    nominal = weld.deviation.lateral_m.copy(), weld.deviation.height_m.copy()
    begin(weld, "moved-fixture")
    np.testing.assert_allclose(weld.deviation.translation_w, [1.5e-3, 2.0e-3, -0.8e-3])
    lateral_m, height_m = weld.deviation.lateral_m - nominal[0], weld.deviation.height_m - nominal[1]
    np.testing.assert_allclose(height_m, -0.8e-3, atol=1e-9)
    # A straight seam, turned about its middle.
    position_m = weld.cell.frames.path_position_m
    slope = np.polyfit(position_m, lateral_m, 1)[0]
    assert abs(slope) == pytest.approx(np.tan(np.radians(0.6)), rel=0.01)


def test_a_bent_wire_ends_beside_and_ahead_of_where_the_torch_is(weld: WeldSeam) -> None:
    begin(weld)
    straight = weld.wire
    begin(weld, "bent-wire")
    np.testing.assert_allclose(weld.wire.tip_t - straight.tip_t, [0.6e-3, 1.2e-3, 0.0])
    assert weld.wire.wire_m - straight.wire_m == pytest.approx(0.6e-3)
    assert weld.wire.lateral_error_m - straight.lateral_error_m == pytest.approx(-1.2e-3, abs=1e-6)


def test_a_dirty_window_takes_its_part_of_the_light(weld: WeldSeam) -> None:
    usual = begin(weld)
    np.testing.assert_allclose(begin(weld, "dim-light"), 0.55 * usual, atol=0.51)


def test_a_new_batch_of_parts_is_tighter_and_rougher(insertion: PegInsertion) -> None:
    begin(insertion)
    usual = insertion.conditions
    begin(insertion, "new-batch")
    assert insertion.conditions.clearance_m == pytest.approx(0.85 * usual.clearance_m)
    assert insertion.conditions.friction == pytest.approx(1.5 * usual.friction)


def test_a_moved_fixture_of_an_insertion_stands_where_it_says(insertion: PegInsertion) -> None:
    begin(insertion)
    nominal_w = insertion.cell.fixture_w.copy()
    begin(insertion, "moved-fixture")
    moved_w = insertion.cell.fixture_w
    np.testing.assert_allclose(moved_w[:3, 3] - nominal_w[:3, 3], [1.8e-3, -2.4e-3, -1.0e-3], atol=1e-12)
    assert np.arctan2(moved_w[1, 0], moved_w[0, 0]) == pytest.approx(np.radians(2.0))


def test_a_moved_camera_shifts_its_own_view_only(insertion: PegInsertion) -> None:
    usual = begin(insertion)
    moved = begin(insertion, "moved-camera")
    assert insertion.disturbed.hand_camera.translation_m == pytest.approx((2.4e-3, 1.8e-3, 0.0))
    assert np.abs(moved[0] - usual[0]).mean() > 1.0
    np.testing.assert_array_equal(moved[1], usual[1])


def test_worn_fingers_hold_half(insertion: PegInsertion) -> None:
    begin(insertion)
    usual = insertion.conditions.grip
    begin(insertion, "worn-fingers")
    worn = insertion.conditions.grip
    assert worn.along_n == pytest.approx(0.5 * usual.along_n)
    assert worn.across_n == pytest.approx(0.5 * usual.across_n)
    assert worn.twist_n_m == pytest.approx(0.5 * usual.twist_n_m)


def test_half_of_the_cells_light_is_half_of_every_grey(insertion: PegInsertion) -> None:
    usual = begin(insertion)
    np.testing.assert_allclose(begin(insertion, "dim-light"), 0.5 * usual, atol=1.0)
