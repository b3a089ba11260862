"""Motion in plain arithmetic: its stops are the fastest there are, and no target leads it out of limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellwright_runtime.envelope.follower import (
    Follower,
    Stop,
    along,
    fastest_between,
    moved,
    stop_of,
    stopping,
    swept,
)
from cellwright_runtime.envelope.motion import Sweep
from tests.policies.runtime.envelope.test_motion import AXES, PERIOD_S, differences, motion, numbers

MOST, JERK = AXES.acceleration[0], AXES.jerk[0]
states = st.tuples(st.just(0.0), st.floats(-0.2, 0.2), st.floats(-MOST, MOST))


def follower(accept: object = None, speed_m_s: float | None = None) -> Follower:
    made = Follower(AXES, PERIOD_S, accept or (lambda sweep: True), speed_m_s=speed_m_s)  # type: ignore[arg-type]
    made.begin([0.0] * 6)
    return made


def samples(stop: Stop, state: tuple[float, float, float]) -> np.ndarray:
    return np.array([along(stop, state, JERK, stop.duration_s * part / 200) for part in range(201)])


@settings(deadline=None, max_examples=200)
@given(states)
def test_a_stop_ends_at_rest_and_is_as_fast_as_that_of_ruckig(state: tuple[float, float, float]) -> None:
    stop = stop_of(state[1], state[2], MOST, JERK)
    end = along(stop, state, JERK, stop.duration_s)
    assert end[1:] == pytest.approx((0.0, 0.0), abs=1e-12)
    assert stopping(state[1], state[2], MOST, JERK) == pytest.approx(end[0], abs=1e-15)
    assert np.abs(samples(stop, state)[:, 2]).max() <= MOST * (1 + 1e-12)
    theirs = motion()
    theirs._low, theirs._high = [-9.0] * 6, [9.0] * 6
    found = theirs._stop_from([0.0] * 6, [state[1]] * 6, [state[2]] * 6)
    if found is not None:  # ruckig refuses what leaves the velocity for a moment
        assert stop.duration_s == pytest.approx(found.duration, abs=1e-9)
        low, high = swept(stop, state, JERK)
        assert low == pytest.approx(min(0.0, found.position_extrema[0].min), abs=1e-12)
        assert high == pytest.approx(max(0.0, found.position_extrema[0].max), abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(states)
def test_a_sweep_covers_the_whole_stop(state: tuple[float, float, float]) -> None:
    stop = stop_of(state[1], state[2], MOST, JERK)
    low, high = swept(stop, state, JERK)
    places = samples(stop, state)[:, 0]
    assert low - 1e-15 <= places.min()
    assert places.max() <= high + 1e-15
    assert low == pytest.approx(places.min(), abs=1e-6)
    assert high == pytest.approx(places.max(), abs=1e-6)


@settings(deadline=None, max_examples=200)
@given(states, st.floats(-JERK, JERK))
def test_the_speed_of_a_cycle_counts_what_happens_inside_of_it(
    state: tuple[float, float, float], jerk: float
) -> None:
    ends = moved(state, jerk, PERIOD_S)
    inside = max(abs(moved(state, jerk, PERIOD_S * part / 100)[1]) for part in range(101))
    assert inside <= fastest_between(state, ends, PERIOD_S) + 1e-15


@settings(deadline=None, max_examples=25)
@given(st.lists(st.tuples(numbers, numbers, st.integers(1, 40)), min_size=1, max_size=6))
def test_any_targets_keep_every_limit_and_end_in_a_stop(asked: list) -> None:
    seen: list[Sweep] = []
    followed = follower(lambda sweep: bool(seen.append(sweep)) or True)
    points = [followed.position]
    for position, velocity, cycles in asked:
        for _ in range(cycles):
            followed.towards(position, [5.0 * each for each in velocity])
            points.append(followed.position)
    for _ in range(400):
        followed.brake()
        points.append(followed.position)
    assert followed.at_rest
    places, velocity, acceleration, jerk = differences(points)
    assert np.abs(places).max() <= 0.05
    assert np.abs(velocity).max() <= 0.2 * (1 + 1e-6)
    assert np.abs(acceleration).max() <= MOST * (1 + 1e-6)
    assert np.abs(jerk).max() <= JERK * (1 + 1e-5)
    for sweep in seen:
        assert sweep.velocity_at(sweep.duration_s) == pytest.approx([0.0] * 6, abs=1e-12)


def test_a_still_target_is_reached_as_fast_as_ruckig_does() -> None:
    for target in (0.03, 0.004, -0.05):
        arrived = []
        for moving in (motion(), follower()):
            cycles = 0
            while abs(moving.position[0] - target) > 1e-5:
                moving.towards([target] * 6, [0.0] * 6)
                cycles += 1
                assert abs(moving.position[0]) <= 0.05
            arrived.append(cycles)
        assert arrived[1] <= arrived[0] + 2, target


def test_a_smooth_target_is_followed_closely() -> None:
    followed, away = follower(), []
    for number in range(1, 1000):
        angle = 8.0 * number * PERIOD_S
        target = 0.01 * (1.0 - math.cos(angle))
        followed.towards([target] * 6, [0.08 * math.sin(angle)] * 6)
        away.append(abs(followed.position[0] - target))
    assert max(away[50:]) < 2e-5  # a quarter of the acceleration


def test_coordinates_share_the_speed_of_the_tool() -> None:
    """Each alone may do 0.2 m/s; together the first three may do no more."""
    followed = follower(lambda sweep: math.hypot(*sweep.speed[:3]) <= 0.2, speed_m_s=0.2)
    target = [0.045, -0.03, 0.02, 0.04, 0.0, 0.0]
    points, refused = [followed.position], 0
    for _ in range(600):
        refused += not followed.towards(target, [0.0] * 6)
        points.append(followed.position)
    assert followed.position == pytest.approx(target, abs=1e-6)
    moving = np.array(points)
    speeds = np.linalg.norm(np.diff(moving[:, :3], axis=0), axis=1) / PERIOD_S
    assert 0.19 < speeds.max() <= 0.2 * (1 + 1e-9)
    assert refused < 60
    # It goes almost straight, since speed is shared by the way to go.
    along_it = np.array(target[:3]) / np.linalg.norm(target[:3])
    beside = moving[:, :3] - np.outer(moving[:, :3] @ along_it, along_it)
    assert np.linalg.norm(beside, axis=1).max() < 4e-3


def test_a_sweep_has_the_mean_velocity_of_the_cycle_that_led_to_its_state() -> None:
    seen: list[Sweep] = []
    moved = follower(lambda sweep: bool(seen.append(sweep)) or True)
    before = moved.position
    for _ in range(30):
        assert moved.towards([0.05, 0.04, 0.03, 0.02, 0.01, -0.05], [0.0] * 6)
        went = (np.array(moved.position) - before) / PERIOD_S
        np.testing.assert_allclose(seen[-1].came, went, atol=1e-9)
        before = moved.position
    assert abs(seen[-1].came[0]) > 0.05


def test_what_is_not_accepted_slows_down_and_does_not_repeat_the_last_velocity() -> None:
    allowed = [True]
    followed = follower(lambda sweep: allowed[0])
    for number in range(60):
        followed.towards([0.0002 * number] * 6, [0.1] * 6)
    assert followed.velocity[0] > 0.05
    allowed[0] = False
    speeds = []
    for _ in range(100):
        assert not followed.towards([0.05] * 6, [0.2] * 6)
        speeds.append(followed.velocity[0])
    assert speeds[-1] == 0.0
    falling = speeds[int(np.argmax(speeds)) :]
    assert (np.diff(falling) <= 0.0).all()


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_a_target_that_is_not_finite_stops_the_motion(wrong: float) -> None:
    followed = follower()
    for _ in range(20):
        followed.towards([0.05] * 6, [0.1] * 6)
    for _ in range(300):
        assert not followed.towards([wrong] * 6, [0.0] * 6)
    assert followed.at_rest
    assert np.isfinite(followed.position).all()
