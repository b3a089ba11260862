"""The delay line: what was seen ahead comes back by position, held at both ends."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_perception.seam.seam_profile import SeamProfile


def profile_of(*rows: tuple[float, float, float, float, float], capacity: int = 16) -> SeamProfile:
    profile = SeamProfile(look_ahead_m=0.025, capacity=capacity)
    for row in rows:
        profile.push(*row)
    return profile


def test_before_the_first_measurement_everything_is_zero() -> None:
    profile = profile_of()
    np.testing.assert_array_equal(profile.sample(np.linspace(0, 1, 4)), np.zeros((4, 3)))
    assert profile.confidence == 0.0


def test_between_measurements_values_are_linear_and_beyond_them_held() -> None:
    profile = profile_of((0.01, 1e-3, 2e-3, 0.0, 1.0), (0.03, 3e-3, -2e-3, 1e-3, 0.5))
    values = profile.sample(np.array([0.0, 0.01, 0.02, 0.03, 0.09]))
    np.testing.assert_allclose(values[:, 0], [1e-3, 1e-3, 2e-3, 3e-3, 3e-3])
    np.testing.assert_allclose(values[:, 1], [2e-3, 2e-3, 0.0, -2e-3, -2e-3], atol=1e-18)
    np.testing.assert_allclose(values[:, 2], [0.0, 0.0, 0.5e-3, 1e-3, 1e-3])


def test_confidence_counts_held_positions_as_nothing() -> None:
    profile = profile_of((0.01, 0.0, 0.0, 0.0, 1.0), (0.03, 0.0, 0.0, 0.0, 0.5))
    profile.sample(np.array([0.0, 0.01, 0.02, 0.09]))
    assert profile.confidence == pytest.approx((0.0 + 1.0 + 0.75 + 0.0) / 4)


@pytest.mark.parametrize("bad", [(0.02, 0.0, 0.0, 0.0, 0.0), (0.02, float("nan"), 0.0, 0.0, 1.0)])
def test_what_measures_nothing_leaves_no_trace(bad: tuple[float, float, float, float, float]) -> None:
    profile = profile_of((0.01, 1e-3, 0.0, 0.0, 1.0), bad)
    assert len(profile) == 1
    np.testing.assert_allclose(profile.sample(np.array([0.02]))[:, 0], 1e-3)


def test_a_torch_that_went_back_replaces_what_it_saw() -> None:
    profile = profile_of(*((position, 1e-3, 0.0, 0.0, 1.0) for position in (0.01, 0.02, 0.03)))
    profile.push(0.015, 5e-3, 0.0, 0.0, 1.0)
    assert len(profile) == 2
    np.testing.assert_allclose(profile.sample(np.array([0.01, 0.03]))[:, 0], [1e-3, 5e-3])


@given(st.integers(0, 2**32 - 1), st.integers(2, 40))
def test_a_ring_holds_the_newest_as_a_list_would(seed: int, capacity: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.column_stack([np.cumsum(rng.uniform(1e-4, 1e-3, 30)), rng.normal(size=(30, 3)), np.ones(30)])
    profile = profile_of(*map(tuple, rows.tolist()), capacity=capacity)
    kept, wanted = rows[-capacity:], np.linspace(0.0, 0.03, 17)
    expected = np.stack([np.interp(wanted, kept[:, 0], kept[:, k]) for k in (1, 2, 3)], axis=1)
    np.testing.assert_allclose(profile.sample(wanted), expected, atol=1e-12)
    assert len(profile) == len(kept)


def test_a_reset_forgets() -> None:
    profile = profile_of((0.01, 1e-3, 0.0, 0.0, 1.0))
    profile.reset()
    assert len(profile) == 0
    np.testing.assert_array_equal(profile.sample(np.array([0.01])), np.zeros((1, 3)))


def test_lines_that_cannot_work_are_refused() -> None:
    with pytest.raises(ValueError, match="look_ahead_m"):
        SeamProfile(look_ahead_m=0.0)
    with pytest.raises(ValueError, match="capacity=1"):
        SeamProfile(look_ahead_m=0.025, capacity=1)
    with pytest.raises(ValueError, match=r"shape \(N,\)"):
        profile_of().sample(np.zeros((2, 2)))
