"""The law of the force loop, its gains, and who is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellwright_runtime.interface.force_loop import (
    OVERSHOOT,
    ForceLoop,
    SlowDriverError,
    approach_speed,
    approach_speed_m_s,
    damping_for,
    give_way,
    require_fast_enough,
)
from cellwright_runtime.vocabulary import ControllerSetup, number

GAINS = (1500.0, 1500.0, 15.0, 1.0)
SETTINGS = ControllerSetup(
    settings=(
        number("stiffness", "N/m", 1500.0, ""),
        number("turning_stiffness", "N.m/rad", 12.0, ""),
        number("damping", "N.s/m", 1500.0, ""),
        number("turning_damping", "N.m.s/rad", 5.0, ""),
        number("virtual_mass", "kg", 15.0, ""),
        number("virtual_inertia", "kg.m^2", 0.05, ""),
        number("dead_band", "N", 1.0, ""),
        number("turning_dead_band", "N.m", 0.02, ""),
        number("reference_filter", "s", 0.01, ""),
        number("force_loop_period", "s", 2e-3, ""),
        number("largest_lag", "s", 0.045, ""),
        number("leash", "m", 5e-3, ""),
    )
)
AT = np.array([0.6, 0.0, 0.15, 0.0, 0.0, 0.0])


def given_way(force_n: float, seconds: float, period_s: float = 2e-3) -> tuple[float, float]:
    deviation = speed = 0.0
    for _ in range(round(seconds / period_s)):
        deviation, speed = give_way(force_n, deviation, speed, GAINS, period_s)
    return deviation, speed


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_it_gives_way_by_what_exceeds_the_dead_band_over_the_stiffness(sign: float) -> None:
    deviation, speed = given_way(sign * 7.0, seconds=10.0)
    assert deviation == pytest.approx(sign * 6.0 / 1500.0, rel=1e-3)
    assert abs(speed) < 1e-6
    assert given_way(sign * 1.0, seconds=1.0) == (0.0, 0.0)


def test_it_gives_way_no_faster_than_the_damper_lets_it() -> None:
    _, speed = given_way(7.0, seconds=0.05)
    assert speed == pytest.approx(6.0 / 1500.0, rel=0.06)


def test_the_period_of_the_loop_does_not_decide_how_far_it_gives_way() -> None:
    fast, slow = given_way(7.0, seconds=0.4, period_s=2e-3), given_way(7.0, seconds=0.4, period_s=8e-3)
    assert slow[0] == pytest.approx(fast[0], rel=0.02)


def test_a_late_or_stiff_contact_takes_a_damping_in_proportion() -> None:
    assert damping_for(0.045, 3e4) == pytest.approx(1485.0)
    assert damping_for(0.09, 3e4) == pytest.approx(2.0 * damping_for(0.045, 3e4))
    for lag_s, stiffness in ((0.0, 3e4), (0.045, -1.0), (float("nan"), 3e4)):
        with pytest.raises(ValueError, match="positive lag_s and contact_stiffness"):
            damping_for(lag_s, stiffness)


def test_a_part_is_approached_as_fast_as_its_limit_leaves_force_for() -> None:
    speed_m_s = approach_speed_m_s(30.0, damping_n_s_m=1485.0, pushed_n=8.5)
    assert 8.5 + OVERSHOOT * 1485.0 * speed_m_s == pytest.approx(24.0)
    with pytest.raises(ValueError, match=r"bears 10 N cannot be approached.*pushes 8\.5 N"):
        approach_speed_m_s(10.0, damping_n_s_m=1485.0, pushed_n=8.5)


def test_the_approach_of_a_bundle_follows_from_its_settings() -> None:
    found = approach_speed(SETTINGS)
    assert found(30.0) == approach_speed_m_s(30.0, damping_n_s_m=1500.0, pushed_n=8.5)


def test_a_driver_that_is_too_slow_is_refused_with_both_lags() -> None:
    require_fast_enough(SETTINGS, 0.045)
    with pytest.raises(
        SlowDriverError, match="after 84 ms; the policy's gains are stable up to 45 ms"
    ) as info:
        ForceLoop(SETTINGS, lag_s=0.084)
    assert (info.value.lag_s, info.value.largest_lag_s) == (0.084, 0.045)
    with pytest.raises(SlowDriverError):
        ForceLoop(SETTINGS, lag_s=float("nan"))


def test_a_loop_that_feels_nothing_sends_the_reference_late_by_its_filter() -> None:
    loop = ForceLoop(SETTINGS, lag_s=0.034)
    loop.begin(AT)
    target, sent = AT.copy(), []
    for _ in range(200):
        target[2] -= 1e-3 * 0.02
        sent.append(loop.step(np.zeros(6), target))
    np.testing.assert_array_equal(sent[-1][[0, 1, 3, 4, 5]], AT[[0, 1, 3, 4, 5]])
    # A second-order filter is late by two time constants; it has the target a cycle early. At 10 mm/s:
    assert sent[-1][2] - target[2] == pytest.approx(10e-3 * (2.0 * 0.01 - loop.period_s), rel=1e-3)


def test_a_push_on_one_axis_moves_that_axis_only() -> None:
    loop = ForceLoop(SETTINGS, lag_s=0.034)
    for axis, wrench in ((1, 5.0), (4, 0.5)):
        loop.begin(AT)
        push = np.zeros(6)
        push[axis] = wrench
        moved = np.array([loop.step(push, AT) for _ in range(50)])[-1] - AT
        assert moved[axis] > 1e-5
        assert not np.delete(moved, axis).any()


def test_what_makes_no_sense_is_refused_and_changes_nothing() -> None:
    loop = ForceLoop(SETTINGS, lag_s=0.034)
    with pytest.raises(ValueError, match="call begin before step"):
        loop.step(np.zeros(6), AT)
    loop.begin(AT)
    with pytest.raises(ValueError, match="wrench"):
        loop.step(np.full(6, np.nan), AT)
    with pytest.raises(ValueError, match="reference"):
        loop.step(np.zeros(6), AT[:3])
    np.testing.assert_array_equal(loop.step(np.zeros(6), AT), AT)


@pytest.mark.parametrize("name", ["stiffness", "turning_damping", "virtual_mass"])
def test_gains_that_make_no_sense_are_refused(name: str) -> None:
    settings = tuple(
        replace(each, value=(-1.0,)) if each.name == name else each for each in SETTINGS.settings
    )
    with pytest.raises(ValueError, match=f"need positive .*{name}"):
        ForceLoop(ControllerSetup(settings=settings), lag_s=0.034)
