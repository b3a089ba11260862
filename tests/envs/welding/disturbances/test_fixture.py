import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.welding.disturbances.fixture import (
    FixtureOffset,
    GapProfile,
    HeatDrift,
    Misalignment,
    PartWarp,
    TackWelds,
    ThicknessBatch,
)

SEEDS = st.integers(0, 2**32 - 1)
POSITION_M = np.linspace(0.0, 0.5, 501)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_everything_off_leaves_the_joint_as_drawn() -> None:
    rng = generator(0)
    translation_w, yaw_rad = FixtureOffset().draw(rng).pose()
    lateral_m, height_m = PartWarp().draw(rng).offset_m(POSITION_M)
    zero = np.zeros_like(POSITION_M)
    np.testing.assert_array_equal(translation_w, np.zeros(3))
    assert yaw_rad == 0.0
    np.testing.assert_array_equal(lateral_m, zero)
    np.testing.assert_array_equal(height_m, zero)
    np.testing.assert_array_equal(GapProfile().draw(rng).gap_m(POSITION_M, 0.4e-3, 3e-3), zero + 0.4e-3)
    np.testing.assert_array_equal(Misalignment().draw(rng).step_m(POSITION_M, 3e-3), zero)
    np.testing.assert_array_equal(TackWelds().draw(rng).height_m(POSITION_M), zero)
    assert ThicknessBatch().draw(rng).scale == 1.0
    assert HeatDrift().draw(rng).offset_m(10.0, 0.3) == 0.0


@given(SEEDS)
def test_fixture_stays_within_two_sigma_of_its_mean(seed: int) -> None:
    config = FixtureOffset(sigma_m=1e-3, rotation_sigma_rad=0.01, mean_m=(1e-3, 2e-3, 3e-3), mean_yaw_rad=0.1)
    translation_w, yaw_rad = config.draw(generator(seed)).pose()
    assert np.all(np.abs(translation_w - [1e-3, 2e-3, 3e-3]) <= 2e-3 + 1e-12)
    assert abs(yaw_rad - 0.1) <= 0.02 + 1e-12


def test_fixture_spread_is_the_truncated_sigma() -> None:
    config = FixtureOffset(sigma_m=1e-3)
    drawn = np.array([config.draw(generator(seed)).pose()[0] for seed in range(2000)])
    # A normal distribution truncated at two sigma has a standard deviation of 0.880 sigma.
    np.testing.assert_allclose(drawn.std(axis=0), 0.880e-3, rtol=0.05)
    np.testing.assert_allclose(drawn.mean(axis=0), 0.0, atol=0.08e-3)


@given(SEEDS)
def test_warp_stays_within_its_limits_and_bends_gently(seed: int) -> None:
    state = PartWarp(lateral_m=1e-3, height_m=0.5e-3).draw(generator(seed))
    lateral_m, height_m = state.offset_m(POSITION_M)
    assert np.abs(lateral_m).max() <= 1e-3
    assert np.abs(height_m).max() <= 0.5e-3
    assert np.abs(np.diff(lateral_m) / np.diff(POSITION_M)).max() < 0.15


@given(SEEDS, st.floats(0.0, 2e-3), st.floats(1e-3, 10e-3))
def test_gap_is_never_negative_and_deviates_no_further_than_allowed(
    seed: int, nominal_gap_m: float, thickness_m: float
) -> None:
    state = GapProfile(limit_of_thickness=0.2, limit_m=0.6e-3).draw(generator(seed))
    gap_m = state.gap_m(POSITION_M, nominal_gap_m, thickness_m)
    assert gap_m.min() >= 0.0
    assert np.abs(gap_m - nominal_gap_m).max() <= min(0.2 * thickness_m, 0.6e-3) + 1e-12


def test_biased_gap_is_wider() -> None:
    fair = GapProfile(limit_of_thickness=0.2, limit_m=0.6e-3)
    poor = GapProfile(limit_of_thickness=0.2, limit_m=0.6e-3, mean_of_limit=0.5)
    gaps_m = [config.draw(generator(1)).gap_m(POSITION_M, 1e-3, 3e-3) for config in (fair, poor)]
    assert gaps_m[1].mean() > gaps_m[0].mean()


@given(SEEDS)
def test_misalignment_stays_below_its_limit(seed: int) -> None:
    state = Misalignment(limit_of_thickness=0.06, limit_m=0.1e-3).draw(generator(seed))
    assert np.abs(state.step_m(POSITION_M, 5e-3)).max() <= 0.4e-3 + 1e-12


@given(SEEDS)
def test_thickness_stays_in_its_batch(seed: int) -> None:
    scale = ThicknessBatch(deviation=0.06, mean_deviation=-0.1).draw(generator(seed)).scale
    assert 0.84 <= scale <= 0.96


@given(SEEDS)
def test_tacks_are_as_long_high_and_far_apart_as_configured(seed: int) -> None:
    config = TackWelds(height_m=(1e-3, 2e-3))
    state = config.draw(generator(seed))
    assert np.all((np.diff(state.centre_m) >= 0.05) & (np.diff(state.centre_m) <= 0.15))
    assert state.centre_m[-1] >= config.longest_seam_m - config.pitch_m[1]
    peaks_m = state.height_m(state.centre_m)
    assert np.all((peaks_m >= 1e-3) & (peaks_m <= 2e-3))
    np.testing.assert_array_equal(state.height_m(state.centre_m + 0.5 * state.length_m + 1e-6), 0.0)
    ends_m = state.centre_m + 0.5 * (state.length_m - state.ramp_m)
    np.testing.assert_allclose(state.height_m(ends_m), 0.5 * peaks_m, rtol=1e-9)
    assert np.all((state.ramp_m >= 1.5e-3) & (state.ramp_m <= 2.5e-3))
    assert 0.10 <= state.ground_to_of_thickness <= 0.15


def test_drift_grows_with_welded_length_as_a_random_walk() -> None:
    config = HeatDrift(sigma_per_100_mm_m=0.1e-3, lag_s=1e-3)
    states = [config.draw(generator(seed)) for seed in range(1500)]
    spread_m = [np.std([state.offset_m(60.0, length) for state in states]) for length in (0.1, 0.4)]
    assert spread_m[0] == pytest.approx(0.1e-3, rel=0.08)
    # Twice the spread at four times the length, a little more for the correlated beginning.
    assert spread_m[1] / spread_m[0] == pytest.approx(2.2, rel=0.1)


@given(SEEDS, st.floats(0.0, 200.0), st.floats(0.0, 2.0))
def test_drift_starts_at_zero_and_is_held_by_the_clamps(seed: int, time_s: float, length_m: float) -> None:
    state = HeatDrift(sigma_per_100_mm_m=1e-3).draw(generator(seed))
    assert state.offset_m(time_s, 0.0) == 0.0
    assert state.offset_m(0.0, length_m) == 0.0
    assert abs(state.offset_m(time_s, length_m)) <= 1.5e-3


def test_questions_keep_the_shape_of_the_positions() -> None:
    position_m = np.zeros((3, 4))
    rng = generator(0)
    assert PartWarp(lateral_m=1e-3).draw(rng).offset_m(position_m)[0].shape == (3, 4)
    assert GapProfile(limit_m=1e-3).draw(rng).gap_m(position_m, 0.0, 3e-3).shape == (3, 4)
    assert TackWelds(height_m=(1e-3, 1e-3)).draw(rng).height_m(0.1).shape == ()


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (FixtureOffset, {"sigma_m": -1e-3}),
        (PartWarp, {"correlation_m": (0.2, 0.1)}),
        (GapProfile, {"mean_of_limit": 1.5}),
        (Misalignment, {"limit_m": float("nan")}),
        (ThicknessBatch, {"deviation": 1.0}),
        (TackWelds, {"pitch_m": (0.01, 0.02)}),
        (HeatDrift, {"lag_s": 0.0}),
    ],
)
def test_impossible_settings_are_refused_by_name(config: type, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        config(**arguments)
