"""What each reward term of a weld pays, worked out here from its page's words and numbers."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from cellwright_envs.welding.weld_seam import WeldSeam

TERMS = ("grade", "margin", "placement", "stand_off", "pace", "smoothness", "crash")


@pytest.fixture(scope="module")
def env() -> Iterator[WeldSeam]:
    env = WeldSeam(product="lap-straight-2.3", disturbances="none", privileged=True)
    yield env
    env.close()


def expected(env: WeldSeam, moved: np.ndarray, before_m: float) -> dict[str, float]:
    """Seven terms of the last step, whose action `moved` by so much and before which the wire was there."""
    m = env.measurement
    welded_mm = 1e3 * (m.path_position_m - before_m) if m.arc_on else 0.0
    level_b, level_c, level_d = (bool(mask) for mask in m.violations)
    score = -4.0 if level_d else -3.0 if level_c else 0.7 if level_b else 1.0
    nominal_m_s = 0.55 / 60.0  # the programme of the plate: 55 cm/min
    faster = m.speed_m_s / nominal_m_s - 1.0 if m.arc_on else 0.0
    return {
        "grade": 1.0 * welded_mm * score,
        "margin": 0.5 * welded_mm * math.exp(-m.risk),
        "placement": 0.3 * welded_mm * 0.1 ** ((m.lateral_error_m / 1.0e-3) ** 2),
        "stand_off": 0.1 * welded_mm * 0.1 ** ((m.height_error_m / 4.0e-3) ** 2),
        "pace": 0.05 * max(-0.3, min(0.3, faster)),
        "smoothness": -0.02 * (abs(float(moved[0])) + abs(float(moved[1]))) / 2.0,
        "crash": -50.0 if m.touching or (m.arc_on and abs(m.lateral_error_m) > 5e-3) else 0.0,
    }


@pytest.mark.parametrize(
    "action",
    [(0.4, 0.2, 1.0, 0.0, 0.0), (-0.6, -0.3, -1.0, 0.5, -1.0), (0.0, 0.0, 0.0, -1.0, 1.0)],
    ids=["fast", "slow", "cold"],
)
def test_every_step_of_a_weld_is_paid_as_its_page_says(env: WeldSeam, action: tuple[float, ...]) -> None:
    env.reset(seed=2)
    command, last = np.array(action, np.float32), np.zeros(5, np.float32)
    total, welded, terminated = 0.0, 0, False
    while not terminated:
        before_m = env.measurement.path_position_m
        _, reward, terminated, _, info = env.step(command)
        wanted, last = expected(env, command - last, before_m), command
        assert tuple(info["reward_terms"]) == TERMS
        assert info["reward_terms"] == pytest.approx(wanted, rel=1e-6, abs=1e-12)
        assert reward == pytest.approx(sum(wanted.values()), rel=1e-6, abs=1e-9)
        welded += env.measurement.arc_on
        total += reward
    assert welded > 20
    assert np.isfinite(total)


def test_a_whole_good_weld_is_paid_by_the_millimetre(env: WeldSeam) -> None:
    """160 mm on the seam at the right height: every millimetre its whole placement and stand-off."""
    env.reset(seed=2)
    sums, terminated = dict.fromkeys(TERMS, 0.0), False
    while not terminated:
        _, _, terminated, _, info = env.step(np.zeros(5, np.float32))
        for name, term in info["reward_terms"].items():
            sums[name] += term
    assert sums["placement"] == pytest.approx(0.3 * 160.0, rel=0.02)
    assert sums["stand_off"] == pytest.approx(0.1 * 160.0, rel=0.02)
    assert 0.7 * 160.0 - 1.0 <= sums["grade"] <= 1.01 * 160.0
    assert 0.1 * 160.0 < sums["margin"] <= 0.5 * 160.0
    assert sums["smoothness"] == sums["crash"] == 0.0
    assert sums["pace"] == pytest.approx(0.0, abs=0.1)


def test_a_faster_weld_is_paid_for_its_pace_and_a_slower_one_pays(env: WeldSeam) -> None:
    paid = {}
    for trim in (-1.0, 0.5):
        env.reset(seed=2)
        for _ in range(150):
            info = env.step(np.array([0.0, 0.0, trim, 0.0, 0.0], np.float32))[4]
        paid[trim] = info["reward_terms"]["pace"]
    # A trim of 1 is 30 % of speed.
    assert paid[-1.0] == pytest.approx(0.05 * -0.3, rel=0.05)
    assert paid[0.5] == pytest.approx(0.05 * 0.15, rel=0.1)


def test_before_the_arc_burns_only_motion_costs(env: WeldSeam) -> None:
    env.reset(seed=2)
    _, reward, _, _, info = env.step(np.array([1.0, -0.5, 1.0, 0.0, 0.0], np.float32))
    assert info["reward_terms"]["smoothness"] == reward == pytest.approx(-0.02 * 0.75)
