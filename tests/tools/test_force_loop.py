"""The loop model of its own: margins that are known in closed form, and contacts on both sides of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_runtime.interface.force_loop import damping_for
from tools.force_loop.__main__ import law_of
from tools.force_loop.model import CYCLE_S, Body, Lag, Law, contact, gain_margin, settles, times

STIFF = Body(mass=1e-6, arm=1e9, fingers=1e4, arm_damping=0.0, finger_damping=0.0)
"""One spring of 1e4 N/m on a servo that holds."""
TASKS = (PegInsertion, ConnectorInsertion, NutFastening, GearMesh)


@pytest.mark.parametrize("delay_s", [0.01, 0.05])
def test_a_damper_behind_a_delay_is_stable_up_to_half_pi_of_damping_over_delay(delay_s: float) -> None:
    law = Law(mass=1e-6, damping=1000.0, stiffness=0.0)
    lag = Lag(delay=delay_s - 0.5 * CYCLE_S, servo=1e-7, sensor=1e-7)
    limit_n_m = 0.5 * np.pi * law.damping / delay_s
    assert gain_margin(law, lag, STIFF) == pytest.approx(limit_n_m / 1e4, rel=2e-3)


def test_without_delay_a_damper_has_no_limit() -> None:
    law = Law(mass=1e-6, damping=1000.0, stiffness=0.0)
    lag = Lag(delay=-0.5 * CYCLE_S, servo=1e-9, sensor=1e-9)
    assert gain_margin(law, lag, STIFF) > 1e3


def test_damping_over_lag_is_sufficient_for_whatever_the_lag_consists_of() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        damping, delay, servo, sensor = rng.uniform([30.0, 2e-3, 2e-3, 1e-3], [5000.0, 30e-3, 40e-3, 10e-3])
        law = Law(mass=rng.uniform(1.0, 50.0), damping=damping, stiffness=rng.uniform(0.0, 5000.0))
        lag = Lag(delay=delay, servo=servo, sensor=sensor)
        bound = replace(STIFF, fingers=damping / lag.total)
        assert 0.99 <= gain_margin(law, lag, bound) < 6.0


@pytest.mark.parametrize("lag_s", [0.010, 0.034, 0.045])
@pytest.mark.parametrize("stiffness", [1e4, 3e4])
def test_contacts_settle_below_the_margin_and_swing_beyond_it(lag_s: float, stiffness: float) -> None:
    law, lag, body = law_of(ComplianceConfig()), Lag.of(lag_s), Body.of(stiffness)
    margin = gain_margin(law, lag, body)
    for factor, rests in ((0.7 * margin, True), (1.4 * margin, False)):
        force_n = contact(times(law, factor), lag, body, speed_m_s=0.01, seconds=6.0, held=True)
        assert settles(force_n) is rests, factor


@pytest.mark.parametrize("task", TASKS)
def test_exported_gains_have_their_margin_for_every_lag_stiffness_and_mass(task: Any) -> None:
    law = law_of(task.default_config.compliance)
    for stiffness in (2e3, 5e3, 1e4, 2e4, 3e4):
        for mass in (5.0, 10.0, 15.0):
            body = Body.of(stiffness, mass=mass, arm_ratio=0.1)
            lags = [Lag.of(lag_s) for lag_s in (0.010, 0.015, 0.020, 0.027, 0.034, 0.045)]
            lags += [Lag.late(lag_s) for lag_s in (0.015, 0.020, 0.034, 0.045)]
            for lag in lags:
                assert lag.total == pytest.approx(round(lag.total, 3), abs=1e-9)
                assert gain_margin(law, lag, body) > 1.4, (stiffness, mass, lag)


@pytest.mark.parametrize("lag_s", [0.084, 0.18])
def test_a_slow_driver_has_the_same_margin_with_a_damping_of_its_own(lag_s: float) -> None:
    damping = damping_for(lag_s, 6e3)
    law = Law(mass=0.01 * damping, damping=damping, stiffness=1500.0)
    assert gain_margin(law, Lag.late(lag_s), Body.of(6e3)) > 1.4
    assert gain_margin(law_of(ComplianceConfig()), Lag.late(lag_s), Body.of(3e4)) < 1.0


def test_gains_for_an_arm_without_lag_hold_against_soft_contacts_only() -> None:
    """A model that somebody else made found 4e3 to 5e3 N/m over 10 to 30 ms of lag."""
    ideal = Law(mass=1.5, damping=95.0, stiffness=1500.0)
    for lag_s in (0.020, 0.034, 0.045):
        assert gain_margin(ideal, Lag.of(lag_s), replace(STIFF, fingers=4e3)) > 1.0
        assert gain_margin(ideal, Lag.of(lag_s), replace(STIFF, fingers=1e4)) < 1.0
