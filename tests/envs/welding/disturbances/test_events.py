import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.welding.disturbances.events import FixtureBump, GapStep, ProcedureChange

SEEDS = st.integers(0, 2**32 - 1)
FRACTIONS = np.linspace(0.0, 1.0, 1001)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(SEEDS)
def test_nothing_happens_at_probability_zero(seed: int) -> None:
    bump = FixtureBump().draw(generator(seed))
    change = ProcedureChange().draw(generator(seed))
    np.testing.assert_array_equal(GapStep().draw(generator(seed)).extra_gap_m(FRACTIONS, 3e-3), 0.0)
    for fraction in (0.0, 0.5, 1.0):
        assert bump.offset_m(fraction) == (0.0, 0.0)
        assert change.procedure(fraction) == (1.0, 0.0, 1.0)


@given(SEEDS)
def test_fixture_jumps_once_and_stays(seed: int) -> None:
    state = FixtureBump(probability=1.0).draw(generator(seed))
    offsets_m = np.array([state.offset_m(fraction) for fraction in FRACTIONS.tolist()])
    assert np.count_nonzero(np.diff(offsets_m[:, 0])) == 1
    assert 0.2 <= state.at_fraction <= 0.7
    assert 0.5e-3 <= abs(offsets_m[-1, 0]) <= 1.5e-3
    assert 0.0 <= offsets_m[-1, 1] <= 0.4 * 1.5e-3


def test_fixture_jumps_to_both_sides() -> None:
    sides = {np.sign(FixtureBump(probability=1.0).draw(generator(seed)).lateral_m) for seed in range(50)}
    assert sides == {-1.0, 1.0}


@pytest.mark.parametrize("probability", [0.3, 1.0])
def test_events_happen_as_often_as_configured(probability: float) -> None:
    happened = [
        FixtureBump(probability=probability).draw(generator(seed)).at_fraction <= 1.0 for seed in range(2000)
    ]
    assert np.mean(happened) == pytest.approx(probability, abs=0.04)


@given(SEEDS, st.floats(1e-3, 12e-3))
def test_gap_opens_over_one_stretch_and_no_further_than_allowed(seed: int, thickness_m: float) -> None:
    extra_m = GapStep(probability=1.0).draw(generator(seed)).extra_gap_m(FRACTIONS, thickness_m)
    assert extra_m.min() == 0.0
    assert 0.1 * min(thickness_m, 6e-3) - 1e-12 <= extra_m.max() <= min(0.2 * thickness_m, 0.6e-3) + 1e-12
    assert np.count_nonzero(np.diff(extra_m)) == 2


@given(SEEDS)
def test_procedure_changes_within_its_limits(seed: int) -> None:
    state = ProcedureChange(probability=1.0, wire_feed=0.1, voltage_v=1.0, travel_speed=0.2).draw(
        generator(seed)
    )
    wire_feed_factor, voltage_offset_v, travel_speed_factor = state.procedure(1.0)
    assert 0.9 <= wire_feed_factor <= 1.1
    assert -1.0 <= voltage_offset_v <= 1.0
    assert 0.8 <= travel_speed_factor <= 1.2
    assert state.procedure(0.0) == (1.0, 0.0, 1.0)


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (FixtureBump, {"probability": -0.1}),
        (GapStep, {"at_fraction": (0.5, 1.5)}),
        (ProcedureChange, {"travel_speed": 1.0}),
    ],
)
def test_impossible_settings_are_refused_by_name(config: type, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        config(**arguments)
