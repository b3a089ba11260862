"""Whatever is asked for, a motion keeps its limits and can stop inside of them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright_runtime.envelope.limits import Axes
from cellwright_runtime.envelope.motion import Motion, Sweep

AXES = Axes(
    low=(-0.05,) * 6, high=(0.05,) * 6, velocity=(0.2,) * 6, acceleration=(2.5,) * 6, jerk=(150.0,) * 6
)
PERIOD_S = 0.002


def motion(accept: object = None) -> Motion:
    made = Motion(AXES, PERIOD_S, accept or (lambda sweep: True))  # type: ignore[arg-type]
    made.begin([0.0] * 6)
    return made


def differences(points: list[list[float]]) -> list[np.ndarray]:
    found = [np.array([points[0]] * 3 + points)]
    for _ in range(3):
        found.append(np.diff(found[-1], axis=0) / PERIOD_S)
    return found


numbers = st.lists(st.floats(-0.2, 0.2), min_size=6, max_size=6)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(numbers, numbers, st.integers(1, 40)), min_size=1, max_size=8))
def test_any_targets_keep_every_limit_and_end_in_a_stop(asked: list) -> None:
    moved = motion()
    points = [moved.position]
    for position, velocity, cycles in asked:
        for _ in range(cycles):
            moved.towards(position, [5.0 * each for each in velocity])
            points.append(moved.position)
    for _ in range(400):
        moved.brake()
        points.append(moved.position)
    assert moved.at_rest
    places, velocity, acceleration, jerk = differences(points)
    assert np.abs(places).max() <= 0.05
    assert np.abs(velocity).max() <= 0.2 * (1 + 1e-6)
    assert np.abs(acceleration).max() <= 2.5 * (1 + 1e-6)
    assert np.abs(jerk).max() <= 150.0 * (1 + 1e-5)


def test_a_smooth_target_is_followed_without_lag() -> None:
    moved = motion()
    away = []
    for number in range(2000):
        angle = 4.0 * number * PERIOD_S
        target = [0.02 * (1.0 - math.cos(angle))] * 6
        moved.towards(target, [0.08 * math.sin(angle)] * 6)
        away.append(abs(moved.position[0] - target[0]))
    assert max(away[50:]) < 1e-6 + 0.5 * 0.32 * PERIOD_S**2 * 4


def test_a_still_target_at_the_fence_is_reached_without_passing_it() -> None:
    moved = motion()
    places = []
    for _ in range(600):
        moved.towards([0.05] * 6, [0.0] * 6)
        places.append(moved.position[0])
    assert places[-1] == pytest.approx(0.05, abs=1e-9)
    assert max(places) <= 0.05


def test_what_is_not_accepted_slows_down_and_does_not_repeat_the_last_velocity() -> None:
    allowed = [True]
    moved = motion(lambda sweep: allowed[0])
    for number in range(50):
        moved.towards([0.002 * number * PERIOD_S * 50] * 6, [0.1] * 6)
    assert moved.velocity[0] > 0.02
    allowed[0] = False
    speeds = []
    for _ in range(200):
        assert not moved.towards([0.05] * 6, [0.2] * 6) or moved.at_rest
        speeds.append(abs(moved.velocity[0]))
    assert speeds[-1] == 0.0
    slowing = speeds[speeds.index(max(speeds)) :]
    assert all(later <= sooner for sooner, later in itertools.pairwise(slowing))


@settings(deadline=None, max_examples=200)
@given(st.floats(-0.2, 0.2), st.floats(-2.5, 2.5))
def test_a_sweep_covers_the_whole_stop(velocity: float, acceleration: float) -> None:
    """Ruckig's extrema are trusted for this: here they are compared with the trajectory itself."""
    seen: list[Sweep] = []
    moved = motion(lambda sweep: bool(seen.append(sweep)) or True)
    moved._low, moved._high = [-9.0] * 6, [9.0] * 6
    stop = moved._stop_from([0.01] * 6, [velocity] * 6, [acceleration] * 6)
    moments = [stop.at_time(stop.duration * part / 100) for part in range(101)]
    places = [0.01 + place[0] for place, _, _ in moments]
    assert seen[0].low[0] - 1e-12 <= min(places)
    assert max(places) <= seen[0].high[0] + 1e-12
    assert max(abs(rate[0]) for _, rate, _ in moments) <= seen[0].speed[0] + 1e-12
    assert seen[0].velocity_at(0.0)[0] == pytest.approx(velocity)


def test_a_sweep_has_the_mean_velocity_of_the_cycle_that_led_to_its_state() -> None:
    seen: list[Sweep] = []
    moved = motion(lambda sweep: bool(seen.append(sweep)) or True)
    before = moved.position
    for _ in range(30):
        assert moved.towards([0.05, 0.04, 0.03, 0.02, 0.01, -0.05], [0.0] * 6)
        went = (np.array(moved.position) - before) / PERIOD_S
        np.testing.assert_allclose(seen[-1].came, went, atol=1e-9)
        before = moved.position
    assert abs(seen[-1].came[0]) > 0.05


def test_a_target_that_is_not_finite_stops_the_motion() -> None:
    moved = motion()
    for _ in range(20):
        moved.towards([0.05] * 6, [0.1] * 6)
    for _ in range(300):
        assert not moved.towards([math.nan] * 6, [0.0] * 6)
    assert moved.at_rest
    assert np.isfinite(moved.position).all()
