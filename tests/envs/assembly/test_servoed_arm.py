"""The robot below the force loop, in the cell: it settles, gives way, bends, and is what was drawn."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from cellwright_assets.assembly_cell import CONTROL_PERIOD_S
from cellwright_envs.assembly.arm_dynamics import (
    COARSE_PERIOD_S,
    CYCLE_S,
    FINE_PERIOD_S,
    ServoConditions,
    ServoedArmConfig,
    end_stiffness,
    total_lag_s,
    total_stiffness_n_m,
)
from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W, AssemblyCell, Conditions, pose_matrix
from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_envs.assembly.connector_insertion import ConnectorInsertion
from cellwright_envs.assembly.disturbances import NAMED
from cellwright_envs.assembly.disturbances.mechanics import AS_SET_GRIP
from cellwright_envs.assembly.disturbances.servo import ArmMass, CellStiffness, SensorLag, ServoLag
from cellwright_envs.assembly.gear_mesh import GearMesh
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_envs.assembly.servoed_arm import _DEVIATION, _FELT, _REFERENCE, ServoedArm
from cellwright_runtime.interface.compliant_reference import InsertionInterface
from cellwright_runtime.interface.force_loop import ForceLoop, SlowDriverError
from tools.force_loop.__main__ import approach, law_of
from tools.force_loop.in_cell import press, robot
from tools.force_loop.model import Body, Lag, contact, gain_margin

GAINS = ComplianceConfig()
TASKS: tuple[Any, ...] = (PegInsertion, ConnectorInsertion, NutFastening, GearMesh)
LAGS_S = (0.010, 0.034, 0.045)
CYCLES_S = (0.002, 0.004, 0.008, 0.012)
"""Of the controllers of UR, ABB and KUKA, FANUC, KUKA."""


def louder(compliance: ComplianceConfig, factor: float) -> ComplianceConfig:
    """Gains whose loop has `factor` times the gain."""
    return replace(
        compliance,
        stiffness_n_m=compliance.stiffness_n_m / factor,
        damping_n_s_m=compliance.damping_n_s_m / factor,
        virtual_mass_kg=compliance.virtual_mass_kg / factor,
        leash_m=compliance.leash_m * factor,
    )


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize("lag_s", LAGS_S)
def test_exported_gains_settle_with_their_margin_and_not_far_beyond_it(lag_s: float, fine: bool) -> None:
    lag, body = Lag.of(lag_s), Body.of(3e4)
    cell = replace(GAINS, arm=robot(lag, body))
    for factor in (1.0, 1.4):
        assert press(louder(cell, factor), speed_m_s=0.009, fine=fine, held=True).settles, factor
    beyond = 1.5 * gain_margin(law_of(GAINS), lag, body)
    assert not press(louder(cell, beyond), speed_m_s=0.009, fine=fine, held=True).settles


@pytest.mark.parametrize("stiffness", [5e3, 1e4, 3e4])
@pytest.mark.parametrize("lag_s", LAGS_S)
def test_first_contacts_are_those_of_the_model(stiffness: float, lag_s: float) -> None:
    lag, body = Lag.of(lag_s), Body.of(stiffness)
    model_n = contact(law_of(GAINS), lag, body, speed_m_s=0.009).max()
    cell_n = press(replace(GAINS, arm=robot(lag, body)), speed_m_s=0.009).peak_n
    assert cell_n == pytest.approx(model_n, rel=0.06)


def test_a_used_leash_does_not_feed_a_swing() -> None:
    cell = replace(GAINS, arm=robot(Lag.of(0.045), Body.of(1e4)))
    assert np.ptp(press(cell, speed_m_s=0.0095, seconds=5.0).felt_n[-30:]) < 0.5


def test_a_lead_beyond_the_leash_is_led_back_by_half() -> None:
    env = PegInsertion()
    interface = InsertionInterface(env.layout)
    env.close()
    tool = np.zeros(6)
    interface.begin(tool, np.zeros(6), reference=np.array([0.0, 0.0, -9e-3, 0.0, 0.0, 0.0]))
    interface.observe(tool, np.zeros(6), np.zeros((2, 64, 64), np.uint8), force_limit_n=200.0)
    assert interface.move(tool, np.zeros(6))[2] == pytest.approx(-7e-3)


def test_gains_for_an_arm_without_lag_swing_on_this_robot() -> None:
    """A mass of 1.5 kg, critically damped on 1500 N/m."""
    arm = robot(Lag.of(0.034), Body.of(1e4))
    ideal = replace(GAINS, virtual_mass_kg=1.5, damping_n_s_m=95.0, filter_s=0.02, arm=arm)
    assert not press(ideal, speed_m_s=0.009, held=True).settles


@pytest.mark.parametrize("task", TASKS)
def test_every_part_bears_a_first_contact_at_its_approach_speed(task: Any) -> None:
    compliance = replace(task.default_config.compliance, arm=robot(Lag.of(0.045), Body.of(3e4)))
    for limit_n in sorted({part.force_limit_n for part in task.catalogue.parts}):
        speed_m_s = approach(compliance, limit_n)
        assert press(compliance, speed_m_s=speed_m_s).peak_n < limit_n
        # The speed is not a formality: at six times of it the part breaks.
        assert press(compliance, speed_m_s=6.0 * speed_m_s).peak_n > limit_n


@pytest.mark.parametrize("speed_m_s", [0.004, 0.009])
def test_a_part_is_pushed_by_the_stiffness_times_the_lead_once_it_rests(speed_m_s: float) -> None:
    pressed = press(GAINS, speed_m_s=speed_m_s, seconds=8.0)
    lead_m = GAINS.leash_m + speed_m_s * CONTROL_PERIOD_S
    assert pressed.felt_n[-1] == pytest.approx(GAINS.stiffness_n_m * lead_m + GAINS.dead_band_n, rel=0.1)
    assert pressed.force_n[-1] == pytest.approx(pressed.felt_n[-1], rel=0.02)


def test_every_controllers_cycle_fits_into_steps_and_periods() -> None:
    for cycle_s in CYCLES_S:
        for longer_s, shorter_s in ((CONTROL_PERIOD_S, cycle_s), (cycle_s, FINE_PERIOD_S)):
            assert longer_s / shorter_s == pytest.approx(round(longer_s / shorter_s), abs=1e-9)
    assert COARSE_PERIOD_S == 2 * FINE_PERIOD_S == 2 * CYCLE_S


@pytest.mark.parametrize("period_s", CYCLES_S)
@pytest.mark.parametrize("name", ["round-8-0.1-chamfer", "round-8-0.5"])
def test_an_arm_behind_a_driver_runs_at_every_controllers_cycle(name: str, period_s: float) -> None:
    part = PegInsertion.catalogue.resolve(name)[0]
    conditions = Conditions(
        clearance_m=part.clearance_m,
        chamfer_m=0.0,
        friction=part.friction,
        grip=AS_SET_GRIP,
        grasp=(0.0, 0.0, 0.0),
        stiffness_scale=1.0,
        dead_band_n=1.0,
    )
    start = np.array([*NOMINAL_FIXTURE_W, 0.0, 0.0, 0.0])
    fixture_w = pose_matrix(start)
    start[2] += 0.01
    cell = AssemblyCell(period_s, GAINS)
    goal = cell.begin(part, conditions, start, fixture_w).tool.copy()
    for _ in range(round(0.12 / period_s)):
        goal[0] += 0.01 * period_s
        reading = cell.move(goal, fixture_w)
    # Late by the reference filter and by the servo, 20 and 34 ms, whatever the cycle.
    assert goal[0] - reading.tool[0] == pytest.approx(0.01 * 0.054, rel=0.12)
    cell.close()


def test_lag_and_stiffness_of_the_set_up_are_those_of_a_ur10e() -> None:
    config = ServoedArmConfig()
    assert config.command_delay_s + config.servo_s == pytest.approx(0.034)
    assert total_lag_s(config) == pytest.approx(0.045)
    assert 5e3 < total_stiffness_n_m(config) < 3e4
    stiffer = ServoConditions(arm_stiffness=2.0, finger_stiffness=2.0, fixture_stiffness=2.0)
    assert total_stiffness_n_m(config, stiffer) == pytest.approx(2.0 * total_stiffness_n_m(config))
    assert total_lag_s(config, ServoConditions(servo_lag=0.5, sensor_lag=0.5)) == pytest.approx(0.026)


def free_arm(**conditions: float) -> ServoedArm:
    arm = ServoedArm(ServoedArmConfig(), FINE_PERIOD_S)
    gains = GAINS.gains(stiffness_scale=1.0, dead_band_n=GAINS.dead_band_n)
    arm.begin(np.zeros(6), gains, ServoConditions(**conditions))
    return arm


STILL = (0.0, 0.0, 0.0)
UPRIGHT = (0.0, 0.0, 0.0, 1.0)


def test_a_robot_program_sends_what_the_cell_sends_bit_by_bit() -> None:
    cell = PegInsertion()
    loop, arm = ForceLoop(cell.layout.controller, lag_s=0.045), free_arm()
    loop.begin(np.zeros(6))
    rng, at = np.random.default_rng(0), np.zeros(3)
    for _ in range(300):
        at += rng.normal(0.0, 2e-5, 3)
        target = rng.normal(0.0, 1e-3, 6)
        arm.push(tuple(at.tolist()), UPRIGHT, STILL, STILL, target)
        sent = arm._state[_REFERENCE] + arm._state[_DEVIATION]
        np.testing.assert_array_equal(loop.step(arm._state[_FELT], target), sent)
    assert np.abs(arm._state[_DEVIATION]).max() > 1e-4
    cell.close()


def test_a_held_part_feels_the_arms_push_late_by_what_is_set_up() -> None:
    arm = free_arm()
    target = np.array([0.0, 0.0, -1e-3, 0.0, 0.0, 0.0])
    pushes = np.array([arm.push(STILL, UPRIGHT, STILL, STILL, target)[0][2] for _ in range(200)])
    assert not pushes[:3].any()  # transport: two cycles, and one until the arm has moved
    late = free_arm(servo_lag=2.0)
    later = np.array([late.push(STILL, UPRIGHT, STILL, STILL, target)[0][2] for _ in range(200)])
    assert pushes[3] < 0.0
    # Half the speed of a first-order servo, as long as it has not arrived.
    assert later[6] / pushes[6] == pytest.approx(0.52, abs=0.03)


def test_the_sensor_is_late_by_its_delay_and_its_low_pass() -> None:
    arm, felt = free_arm(), []
    for _ in range(40):
        arm.push((0.0, 0.0, 1e-4), UPRIGHT, STILL, STILL, np.zeros(6))
        felt.append(arm._state[_FELT, 2])
    force_n = 1e-4 * end_stiffness(ServoedArmConfig(), ServoConditions())
    assert felt[0] == 0.0
    # One cycle of delay, then the share of a first-order filter of 8 ms in cycles of 2 ms.
    assert felt[1] == pytest.approx(force_n * 0.2, rel=1e-6)
    assert felt[2] / force_n == pytest.approx(1.0 - 0.8**2, rel=0.02)


def test_a_heavier_arm_swings_slower() -> None:
    def period(mass: float) -> float:
        arm, at = free_arm(arm_mass=mass), []
        arm._state[5, 0] = 1e-4
        for _ in range(400):
            arm.push((arm._state[5, 0], 0.0, 0.0), UPRIGHT, STILL, STILL, np.zeros(6))
            at.append(arm._state[5, 0])
        return float(np.diff(np.flatnonzero(np.diff(np.sign(at)))).mean())

    assert period(1.5) / period(0.5) == pytest.approx(np.sqrt(3.0), rel=0.1)


def test_the_robot_reports_its_own_pose_and_not_what_arm_and_fingers_give_way() -> None:
    env = PegInsertion(product="round-8-0.5", disturbances="none")
    env.reset(seed=3, options=None)
    aside = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
    down = np.array([0.0, 0.0, -1.0, 0.0, 0.0, 0.0], dtype=np.float32)
    for action in [aside] * 14 + [down] * 90:
        env.step(action)
    tool, tip_w = env._state.tool, env.part_w[:3, 3]
    force_n = env._state.wrench_t[2] - env._tare[2]
    given_m = force_n / total_stiffness_n_m(ServoedArmConfig())
    assert force_n > 6.0
    assert tip_w[2] - tool[2] == pytest.approx(given_m, rel=0.1)
    # The camera on the hand is carried by the arm: it is between the two.
    assert env.tool_w[2, 3] - tool[2] == pytest.approx(
        force_n / ServoedArmConfig().arm_stiffness_n_m, rel=0.1
    )
    env.close()


@pytest.mark.parametrize("task", TASKS)
def test_one_seed_is_one_rollout_and_the_layout_is_a_bundles(task: Any) -> None:
    seen = []
    env = task(disturbances="train")
    down = np.zeros(env.action_space.shape, dtype=np.float32)
    down[2] = -0.8
    for _ in range(2):
        env.reset(seed=5)
        seen.append(np.concatenate([[*env.step(down)[0]["wrench"]] for _ in range(60)]))
    np.testing.assert_array_equal(*seen)
    assert np.abs(seen[0]).max() > 3.0
    InsertionInterface(env.layout, lag_s=0.045)
    with pytest.raises(SlowDriverError):
        InsertionInterface(env.layout, lag_s=0.084)
    env.close()


def test_a_fragile_part_is_approached_more_slowly_whatever_the_policy_wants() -> None:
    speeds = []
    for product in ("round-4-0.3-chamfer", "round-8-0.5"):
        env = PegInsertion(product=product, disturbances="none")
        env.reset(seed=1)
        before = env.interface.reference.copy()
        env.step(np.array([1.0, -1.0, -1.0, 0.0, 0.0, 0.0], dtype=np.float32))
        moved_m = float(np.linalg.norm((env.interface.reference - before)[:3]))
        speeds.append(moved_m / CONTROL_PERIOD_S)
        assert speeds[-1] == pytest.approx(approach(GAINS, env.product.force_limit_n), rel=1e-6)
        env.close()
    assert speeds[0] < 0.6 * speeds[1]


SERVO = ("servo_lag", "sensor_lag", "cell_stiffness", "arm_mass")
SURE: dict[str, Any] = {
    "servo_lag": ServoLag(factor=(0.4, 0.4)),
    "sensor_lag": SensorLag(factor=(0.3, 0.3)),
    "cell_stiffness": CellStiffness(arm=(0.5, 0.5), fingers=(2.0, 2.0), fixture=(0.2, 0.2)),
    "arm_mass": ArmMass(factor=(0.5, 0.5)),
}


def felt(**disturbances: Any) -> np.ndarray:
    env = PegInsertion(product="round-8-0.5")
    env.reset(seed=3, options={"disturbances": replace(NAMED["none"], **disturbances)})
    down = np.array([0.3, 0.0, -0.8, 0.0, 0.0, 0.1], dtype=np.float32)
    seen = np.array([np.concatenate([*(env.step(down)[0][k] for k in ("wrench",))]) for _ in range(50)])
    env.close()
    return seen


@pytest.mark.parametrize("name", SERVO)
def test_every_field_of_the_robots_disturbances_changes_what_is_felt(name: str) -> None:
    as_set = felt()
    sure = SURE[name]
    for each in fields(sure):
        one = replace(type(sure)(), **{each.name: getattr(sure, each.name)})
        changed = felt(**{name: one})
        assert np.abs(changed - as_set).max() > 0.05, each.name


@pytest.mark.parametrize(
    ("name", "value"),
    [("servo_s", 0.0), ("command_delay_s", -1e-3), ("command_delay_s", 3e-3), ("sensor_period_s", 0.0)],
)
def test_a_robot_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        ServoedArmConfig(**{name: value})


def test_a_physics_step_that_the_cycle_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="whole multiple of the force loop's"):
        ServoedArm(ServoedArmConfig(), 1.0 / 240.0)
