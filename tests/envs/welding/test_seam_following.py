"""The controller follows the measured seam, the policy says how far beside it; and what else it is shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.disturbances.actuation import ActuatorLatency
from cellwright_envs.welding.disturbances import NAMED, WeldDisturbances
from cellwright_envs.welding.disturbances.fixture import FixtureOffset
from cellwright_envs.welding.disturbances.optics import Reflectance
from cellwright_envs.welding.disturbances.tool import ToolCentrePointError
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.process.bead import PENETRATION_FACTOR
from cellwright_envs.welding.process.columns import Constant, Signal
from cellwright_envs.welding.weld_seam import WeldSeam
from cellwright_policies.experts import make_expert
from cellwright_runtime.interface.path_correction import COMMANDS, WeldInterface

STRAIGHT = PRODUCTS["lap-straight-2.3"]
BESIDE = FixtureOffset(mean_m=(0.0, 1.2e-3, 0.8e-3))
ENV_ID = "cellwright/WeldSeam-v1"


@pytest.fixture(scope="module")
def env() -> Iterator[WeldSeam]:
    env = WeldSeam(product=STRAIGHT, disturbances="none", privileged=True)
    yield env
    env.close()


def follow(
    env: WeldSeam, action: tuple[float, ...], disturbances: WeldDisturbances, steps: int = 260
) -> NDArray[np.float64]:
    """Where the seam lies from the wire (steps, 2) [m], to the left and above, under one constant action."""
    env.reset(seed=5, options={"disturbances": disturbances})
    errors = []
    for _ in range(steps):
        env.step(np.array(action, dtype=np.float32))
        errors.append((env.wire.lateral_error_m, env.wire.height_error_m))
    return np.array(errors)


def test_its_actions_are_offsets_from_the_measured_seam(env: WeldSeam) -> None:
    assert tuple(each.name for each in env.action_components) == COMMANDS
    assert [each.high for each in env.action_components[:2]] == [1.5e-3, 1.5e-3]
    assert [each.unit for each in env.action_components[:2]] == ["m", "m"]


def test_without_a_policy_it_follows_the_seam(env: WeldSeam) -> None:
    errors = follow(env, (0, 0, 0, 0, 0), replace(NAMED["none"], fixture_offset=BESIDE))
    assert np.abs(errors[0]).max() > 0.7e-3
    assert np.abs(errors[-100:]).max() < 0.1e-3


@pytest.mark.parametrize(("lateral", "height"), [(0.5, 0.0), (-1.0, 0.0), (0.0, 0.4), (1.0, -0.6)])
def test_an_action_leads_it_so_far_beside(env: WeldSeam, lateral: float, height: float) -> None:
    errors = follow(env, (lateral, height, 0, 0, 0), replace(NAMED["none"], fixture_offset=BESIDE))
    np.testing.assert_allclose(errors[-60:].mean(axis=0), [-lateral * 1.5e-3, -height * 1.5e-3], atol=0.12e-3)


def test_it_is_no_faster_than_its_controller(env: WeldSeam) -> None:
    far = replace(NAMED["none"], fixture_offset=FixtureOffset(mean_m=(0.0, 2.5e-3, 0.0)))
    env.reset(seed=5, options={"disturbances": far})
    moved = []
    for _ in range(200):
        before = list(env.interface._correction_m)
        env.step(np.ones(5, dtype=np.float32))
        moved.append(np.abs(np.subtract(env.interface._correction_m, before)))
    assert np.max(moved) == pytest.approx(env.config.tracking.rate_m_s * env.config.control_period_s)


def test_before_the_seam_is_seen_the_torch_stays(env: WeldSeam) -> None:
    """Whatever the policy asks for: an offset from nowhere would be a drift."""
    dark = replace(NAMED["none"], fixture_offset=BESIDE, reflectance=Reflectance(mean_albedo=0.01))
    pushed = follow(env, (1.0, -1.0, 0, 0, 0), dark, 60)
    assert env.interface.tracker.profile(*env.wire.torch)[-1] < 0.35
    assert np.ptp(pushed, axis=0).max() < 0.05e-3


def test_where_the_sensor_loses_the_seam_the_offset_stays_an_offset(
    env: WeldSeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seam is taken to be where it was last; the torch goes no farther than it was told."""
    env.reset(seed=5, options={"disturbances": replace(NAMED["none"], fixture_offset=BESIDE)})
    errors, known = [], []
    for step in range(260):
        if step == 120:
            monkeypatch.setattr(env.interface.tracker, "update", lambda *_: None)
            env.interface.tracker.map.reset()
        observation, *_ = env.step(np.array([0.4, 0, 0, 0, 0], dtype=np.float32))
        errors.append(env.wire.lateral_error_m)
        known.append(observation["tracking"][2])
    assert errors[-1] == pytest.approx(-0.6e-3, abs=0.15e-3)
    assert known[0] == 0.0
    assert known[-1] == 1.0


def test_it_shows_where_its_controller_takes_the_seam_to_be(env: WeldSeam) -> None:
    env.reset(seed=5, options={"disturbances": replace(NAMED["none"], fixture_offset=BESIDE)})
    shown = [env.step(np.array([0.5, 0, 0, 0, 0], dtype=np.float32))[0]["tracking"] for _ in range(240)]
    assert shown[0].tolist() == [0.0, 0.0, 0.0]
    assert shown[-1][0] == pytest.approx(-0.75e-3, abs=0.1e-3)
    assert shown[-1][2] == 1.0


def test_what_is_asked_reaches_the_robot_as_late_as_before(env: WeldSeam) -> None:
    """The controller's own correction is late as well: it stands on the same robot."""
    first = []
    for steps in (0, 3):
        latency = ActuatorLatency(steps=(steps, steps))
        late = replace(NAMED["none"], fixture_offset=BESIDE, actuator_latency=latency)
        errors = follow(env, (0, 0, 0, 0, 0), late, 90)[:, 0]
        first.append(int(np.flatnonzero(np.abs(errors - errors[0]) > 0.1e-3)[0]))
    assert first[1] - first[0] == 3


def assert_at_the_programme(averages: NDArray[np.float32]) -> None:
    """Voltage and wire feed as on the drawing, nothing else yet."""
    for mean in averages.reshape(2, 10):
        assert mean[Signal.VOLTAGE_MEAN_V] == pytest.approx(STRAIGHT.procedure.voltage_v)
        assert mean[Signal.WIRE_FEED_M_S] == pytest.approx(STRAIGHT.procedure.wire_feed_m_s, rel=1e-5)
        assert np.count_nonzero(mean) == 2


def test_averages_follow_signals_and_trims_from_the_arc_on(env: WeldSeam) -> None:
    observation, _ = env.reset(seed=5, options={"disturbances": NAMED["none"]})
    assert_at_the_programme(observation["averages"])
    rows, period_s = [], env.config.control_period_s
    for step in range(150):
        action = np.array([0, 0, 0.6 * np.sin(step / 20), 0.5, -0.3], dtype=np.float32)
        observation, *_ = env.step(action)
        signals = env.process.signals[0]
        if signals[Signal.CURRENT_MEAN_A] > 0.0:
            rows.append([*signals, *env.interface._trims_now()])
    assert len(rows) > 60
    for period, lasts_s in enumerate((1.5, 6.0)):
        mean = np.zeros(10)
        for count, row in enumerate(rows, start=1):
            weight = max(1.0 / count, 1.0 - np.exp(-period_s / lasts_s))
            mean += weight * (np.array(row) - mean)
        np.testing.assert_allclose(observation["averages"][10 * period : 10 * period + 10], mean, rtol=1e-5)
    names = [each.name for each in env.observation_components["averages"]]
    assert names[0] == "current_mean_over_1.5_s"
    assert names[-1] == "voltage_trim_over_6_s"


def test_averages_of_one_weld_are_forgotten_in_the_next(env: WeldSeam) -> None:
    follow(env, (0, 0, 0.5, 0.5, 0.5), NAMED["none"], 120)
    observation, _ = env.reset(seed=5)
    assert_at_the_programme(observation["averages"])


def test_the_torchs_angles_are_observed() -> None:
    procedure = replace(STRAIGHT.procedure, work_angle_rad=0.1, push_angle_rad=-0.2)
    env = WeldSeam(product=replace(STRAIGHT, name="turned", procedure=procedure), disturbances="none")
    observation, _ = env.reset(seed=1)
    names = [each.name for each in env.observation_components["programme"]]
    values = dict(zip(names, observation["programme"].tolist(), strict=True))
    env.close()
    assert values["work_angle"] == pytest.approx(0.1)
    assert values["push_angle"] == pytest.approx(-0.2)


def test_the_critic_is_given_the_welds_own_penetration(env: WeldSeam) -> None:
    observation, _ = env.reset(seed=8, options={"disturbances": NAMED["train"]})
    drawn = env.process.constants[0, Constant.PENETRATION_FACTOR] / PENETRATION_FACTOR
    assert abs(drawn - 1.0) > 1e-3
    assert env.privileged_names[-1] == "penetration_constant"
    assert observation["privileged"][-1] == pytest.approx(drawn, rel=1e-6)


@pytest.mark.parametrize("name", ["tracking_rate", "tracking_gain", "line_columns", "average_periods"])
def test_a_layout_without_its_settings_is_refused(env: WeldSeam, name: str) -> None:
    layout = env.layout
    settings = tuple(each for each in layout.controller.settings if each.name != name)
    with pytest.raises(ValueError, match=name):
        WeldInterface(replace(layout, controller=replace(layout.controller, settings=settings)))


def test_the_oracle_corrects_what_the_sensor_does_not_see() -> None:
    """A bent wire: the sensor has the seam right, and the wire stands beside it."""
    bent = replace(NAMED["none"], tool_centre_point=ToolCentrePointError(mean_m=(0.0, 0.8e-3, 0.0)))
    env = WeldSeam(product=STRAIGHT, disturbances=bent, privileged=True)
    errors = {}
    for name in ("seam-tracker", "oracle"):
        expert = make_expert(ENV_ID, name, env.privileged_names)
        observation, _ = env.reset(seed=3)
        beside = []
        for _ in range(260):
            action = expert.act_batch({key: value[None] for key, value in observation.items()})[0]
            observation, *_ = env.step(action)
            beside.append(env.wire.lateral_error_m)
        errors[name] = np.abs(beside[-120:]).mean()
    env.close()
    assert errors["seam-tracker"] > 0.7e-3
    assert errors["oracle"] < 0.1e-3


def test_a_knock_under_hard_is_one_that_a_controller_can_mend() -> None:
    assert NAMED["hard"].fixture_bump.jump_m == (0.8e-3, 1.5e-3)
    assert WeldSeam.disturbance_sets is NAMED


def test_instruments_are_off_by_what_was_drawn() -> None:
    env = WeldSeam(product=STRAIGHT, disturbances="meter_error")
    env.reset(seed=4)
    for _ in range(120):
        observation, *_ = env.step(np.zeros(5, dtype=np.float32))
    true, meter, shown = env.process.signals[0], env.disturbed.meter_error, observation["signals"][:7]
    env.close()
    expected = true.copy()
    for column, factor in (
        (Signal.CURRENT_MEAN_A, meter.current),
        (Signal.CURRENT_STD_A, meter.current),
        (Signal.WIRE_FEED_M_S, meter.wire_feed),
        (Signal.PYROMETER_K, meter.pyrometer),
    ):
        assert abs(factor - 1.0) > 1e-5
        expected[column] *= factor
    assert abs(meter.voltage_v) > 1e-3
    expected[Signal.VOLTAGE_MEAN_V] += meter.voltage_v
    np.testing.assert_allclose(shown, expected, rtol=1e-5)


def test_only_a_change_of_the_path_is_not_smooth(env: WeldSeam) -> None:
    env.reset(seed=5, options={"disturbances": NAMED["none"]})
    terms = [
        env.step(np.array([push, 0, 0, 0, 0], dtype=np.float32))[4]["reward_terms"]["smoothness"]
        for push in (0.4, 0.4, -0.4)
    ]
    np.testing.assert_allclose(terms, [-0.02 * 0.2, 0.0, -0.02 * 0.4], atol=1e-9)
