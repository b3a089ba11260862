import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.disturbances.actuation import ActuatorLatency, Backlash
from cellwright_envs.welding.disturbances.tool import ToolCentrePointError

SEEDS = st.integers(0, 2**32 - 1)
COMMANDS_M = st.floats(-8e-3, 8e-3)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_everything_off_obeys_the_command() -> None:
    np.testing.assert_array_equal(ToolCentrePointError().draw(generator(0)).offset_t(2.0), np.zeros(3))
    assert ActuatorLatency().draw(generator(0)).steps == 0
    assert Backlash().draw(generator(0)).apply(1e-3, -1e-3) == 1e-3


@given(SEEDS)
def test_wire_tip_error_stays_in_its_limits(seed: int) -> None:
    config = ToolCentrePointError(lateral_m=0.7e-3, along_m=0.5e-3, cast_m=(0.1e-3, 0.3e-3))
    state = config.draw(generator(seed))
    offsets_t = np.array([state.offset_t(time_s) for time_s in np.linspace(0.0, 20.0, 200)])
    assert np.abs(offsets_t[:, 0]).max() <= 0.5e-3
    assert np.abs(offsets_t[:, 1]).max() <= 1.0e-3
    assert np.ptp(offsets_t[:, 1]) >= 0.2e-3 * 0.95
    np.testing.assert_array_equal(offsets_t[:, 2], 0.0)


def test_lasting_error_is_added() -> None:
    state = ToolCentrePointError(mean_m=(0.1e-3, 0.2e-3, 0.3e-3)).draw(generator(0))
    np.testing.assert_array_equal(state.offset_t(5.0), [0.1e-3, 0.2e-3, 0.3e-3])


def test_every_latency_in_the_range_occurs() -> None:
    steps = {ActuatorLatency(steps=(0, 3)).draw(generator(seed)).steps for seed in range(100)}
    assert steps == {0, 1, 2, 3}


@given(SEEDS, COMMANDS_M, COMMANDS_M)
def test_backlash_ends_within_half_the_play_of_the_command(
    seed: int, command: float, previous: float
) -> None:
    state = Backlash(play_m=(0.1e-3, 0.2e-3)).draw(generator(seed))
    reached = state.apply(command, previous)
    assert abs(reached - command) <= 0.5 * state.play_m + 1e-12
    assert min(command, previous) - 1e-12 <= reached <= max(command, previous) + 1e-12


def test_backlash_swallows_a_small_reversal() -> None:
    state = Backlash(play_m=(0.2e-3, 0.2e-3)).draw(generator(0))
    reached = state.apply(1.0e-3, 0.0)
    assert reached == pytest.approx(0.9e-3)
    assert state.apply(0.85e-3, reached) == reached


def test_backlash_on_arrays_is_backlash_on_each_axis() -> None:
    state = Backlash(play_m=(0.2e-3, 0.2e-3)).draw(generator(0))
    command, previous = np.array([1e-3, 0.0]), np.array([0.0, 0.05e-3])
    expected = [state.apply(c, p) for c, p in zip(command.tolist(), previous.tolist(), strict=True)]
    np.testing.assert_allclose(state.apply(command, previous), expected)


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (ToolCentrePointError, {"lateral_m": -1e-3}),
        (ToolCentrePointError, {"cast_period_s": (0.0, 1.0)}),
        (ActuatorLatency, {"steps": (-1, 2)}),
        (Backlash, {"play_m": (0.2e-3, 0.1e-3)}),
    ],
)
def test_impossible_settings_are_refused_by_name(config: type, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        config(**arguments)
