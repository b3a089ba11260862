"""From a target to a setpoint: what is cut, what stops, what is counted."""

from dataclasses import replace

import numpy as np
import pytest

from cellwright_runtime.envelope.faults import Fault, Stage
from cellwright_runtime.envelope.limits import Axes, Plane
from cellwright_runtime.envelope.states import NotAllowedError, State
from tests.policies.runtime.envelope.robots import HOME, HOME_RAD, LIMITS, PLANT_TRACKING, Rig, tool_at

KINDS = ["pose", "joints"]


def shifted(*by_m: float) -> np.ndarray:
    return HOME + np.array([*by_m, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("policy", ["random", "bang", "waves", "one bad target"])
def test_no_policy_leaves_the_limits(kind: str, policy: str) -> None:
    rig, rng = Rig(kind, PLANT_TRACKING), np.random.default_rng(5)
    rig.arm()
    rig.envelope.start(rig.now_s)
    target = HOME
    for number in range(1200):
        if policy == "random":
            target = HOME + rng.normal(0.0, 0.1, 6)
        elif policy == "bang" and number % 170 == 0:
            target = HOME + rng.choice([-0.2, 0.2], 6)
        elif policy == "waves":
            target = HOME + 0.1 * np.sin(0.005 * number + np.arange(6))
        elif policy == "one bad target":
            target = HOME + (5.0 if number == 700 else 0.0)
        rig.cycle(target)
    assert rig.envelope.state is State.RUNNING
    rig.assert_within_limits()
    assert rig.envelope.tally.total[Stage.WORKSPACE] > 0
    travelled = np.abs(np.array(rig.sent) - rig.sent[0]).max()
    assert travelled < 1e-3 if policy == "one bad target" else travelled > 4e-3


@pytest.mark.parametrize("kind", KINDS)
def test_a_smooth_motion_passes_unchanged(kind: str) -> None:
    rig = Rig(kind)
    rig.go()
    away_m = []
    for number in range(1500):
        target = HOME + 0.01 * np.sin(0.004 * number) * np.array([1.0, -1.0, 1.0, 2.0, 2.0, 2.0])
        rig.cycle(target)
        away_m.append(np.abs(rig.tool[:3] - target[:3]).max())
    assert max(away_m[50:]) < 2e-5
    assert not any(rig.envelope.tally.total.values())


@pytest.mark.parametrize("kind", KINDS)
def test_a_fence_is_reached_and_not_passed(kind: str) -> None:
    rig = Rig(kind, PLANT_TRACKING)
    rig.go()
    for _ in range(1500):
        rig.cycle(shifted(0.2, 0.0, 0.0))
    fence_m = LIMITS.tool.high[0] - LIMITS.workspace_margin_m
    assert fence_m - 2e-3 < rig.tool[0] <= fence_m
    rig.assert_within_limits()


def test_a_plane_is_reached_and_not_passed() -> None:
    rig = Rig("pose", PLANT_TRACKING)
    rig.go()
    for _ in range(1500):
        rig.cycle(shifted(-0.05, 0.0, -0.07))
    plane = LIMITS.planes[0]
    above_m = float(np.dot(plane.normal, rig.tool[:3])) - plane.offset_m
    assert LIMITS.workspace_margin_m - 1e-9 <= above_m < 3e-3


def test_a_joint_fence_holds_a_tool_that_the_workspace_allows() -> None:
    around = (1.0, 1.0, 1.0, 1.0, 1.0, 0.05)
    low, high = tuple((HOME_RAD - around).tolist()), tuple((HOME_RAD + around).tolist())
    joints = replace(LIMITS.joints, low=low, high=high)
    rig = Rig("joints", replace(PLANT_TRACKING, joints=joints))
    rig.go()
    for _ in range(800):
        rig.cycle(HOME + np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.25]))
        assert abs(rig.joints_rad[5] - HOME_RAD[5]) <= 0.05 - LIMITS.joint_margin_rad + 1e-12
    assert abs(rig.joints_rad[5] - HOME_RAD[5]) > 0.025
    assert rig.envelope.tally.total[Stage.JOINT_FENCE] > 0


@pytest.mark.parametrize("kind", KINDS)
def test_the_policys_authority_grows_from_zero(kind: str) -> None:
    rig = Rig(kind)
    rig.arm()
    for _ in range(50):
        rig.cycle(shifted(0.02, 0.0, 0.0))
    np.testing.assert_allclose(rig.tool[:3], HOME[:3], atol=1e-9)  # armed is not started
    rig.envelope.start(rig.now_s)
    blends, ways_m = [], []
    for _ in range(round(LIMITS.blend_s / rig.period_s) + 100):
        rig.cycle(shifted(0.02, 0.0, 0.0))
        blends.append(rig.envelope.blend)
        ways_m.append(rig.tool[0] - HOME[0])
    assert blends[0] < 0.01
    assert np.diff(blends).min() >= 0.0
    half = len(blends) // 2
    assert ways_m[half] == pytest.approx(0.02 * blends[half], abs=1.5e-3)
    assert ways_m[-1] == pytest.approx(0.02, abs=1e-5)
    assert rig.envelope.state is State.RUNNING


def test_a_stage_that_intervenes_in_most_cycles_is_a_hold() -> None:
    rig = Rig("pose", LIMITS)
    rig.go()
    for _ in range(600):
        rig.cycle(shifted(0.2, 0.0, 0.0))
        if rig.envelope.state is State.HOLD:
            break
    assert rig.envelope.state is State.HOLD
    assert [each.fault for each in rig.envelope.happenings if each.fault] == [Fault.INTERVENTIONS]


def test_a_hold_goes_on_by_itself_from_where_it_stands() -> None:
    rig = Rig()
    rig.go()
    for _ in range(100):
        rig.cycle(shifted(0.01, 0.0, 0.0))
    rig.envelope.fault(rig.now_s, Fault.STALE, "a camera is late")
    for _ in range(200):
        rig.cycle(shifted(0.01, 0.0, 0.0))
    assert rig.envelope.state is State.HOLD
    held = rig.tool
    for _ in range(20):
        rig.cycle(shifted(0.01, 0.0, 0.0))
    np.testing.assert_array_equal(rig.tool, held)
    for _ in range(round((LIMITS.dwell_s + LIMITS.blend_s) / rig.period_s) + 10):
        rig.cycle(shifted(0.01, 0.0, 0.0))
    assert rig.envelope.state is State.RUNNING
    rig.assert_within_limits()


def test_a_fault_that_stays_makes_a_hold_a_stop() -> None:
    rig = Rig(limits=replace(LIMITS, hold_s=0.6))
    rig.go()
    for _ in range(400):
        rig.envelope.fault(rig.now_s, Fault.LATE, "no decision")
        rig.cycle(HOME)
    assert rig.envelope.state is State.STOPPED
    assert rig.envelope.reason == "a hold lasted too long: longer than 0.6 s"


def test_holds_that_come_again_and_again_are_a_stop() -> None:
    rig = Rig(limits=replace(LIMITS, most_holds=2, dwell_s=0.02, blend_s=0.02))
    rig.go()
    for _ in range(3):
        rig.envelope.fault(rig.now_s, Fault.LATE, "no decision")
        for _ in range(60):
            rig.cycle(HOME)
    assert rig.envelope.state is State.STOPPED
    assert rig.envelope.reason == "a hold lasted too long: more often than 2 times"


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrench_above_the_limit_stops(kind: str) -> None:
    rig = Rig(kind)
    rig.wrench = np.array([0.0, 0.0, -20.0, 0.0, 0.0, 0.0])  # the weight of the gripper
    rig.go()
    rig.wrench = np.array([0.0, 0.0, 9.0, 0.0, 0.0, 0.0])
    rig.cycle(HOME)
    assert rig.envelope.reason is None  # 29 N of 30
    rig.wrench = np.array([8.0, 0.0, 9.0, 0.0, 0.0, 0.0])
    for _ in range(100):
        rig.cycle(HOME)
    assert rig.envelope.state is State.STOPPED
    assert (rig.envelope.reason or "").startswith("force or torque above its limit: a force of 30.1 N")


@pytest.mark.parametrize("kind", KINDS)
def test_a_robot_that_does_not_follow_is_stopped(kind: str) -> None:
    rig = Rig(kind)
    rig.go()
    stuck = rig.seen()
    for number in range(200):
        rig.cycle(shifted(0.0002 * number, 0.0, 0.0), seen=replace(stuck, time_s=rig.robot_s))
    assert rig.envelope.state is State.STOPPED
    assert (rig.envelope.reason or "").startswith("the robot does not follow its setpoints")


def test_a_clock_that_is_not_a_number_stops() -> None:
    rig = Rig()
    rig.go()
    rig.cycle(HOME, seen=rig.seen(time_s=float("nan")))
    assert (rig.envelope.reason or "").startswith("the controller's time jumps or stands still")


def test_arming_refuses_what_cannot_be_moved_safely() -> None:
    rig = Rig()
    outside = HOME_RAD + np.array([1.2, 0.0, 0.0, 0.0, 0.0, 0.0])
    for wrong, told in (
        ({"joints_rad": outside}, r"cannot arm: joint 1 is at 1.540 rad, outside of -0.660 to 1.340"),
        ({"tool": HOME * np.nan}, "cannot arm: the controller reports joints"),
        ({"tool": shifted(0.07, 0.0, 0.0)}, "cannot arm: the robot stands at .* outside of its fences"),
    ):
        with pytest.raises(NotAllowedError, match=told):
            rig.envelope.arm(rig.now_s, rig.seen(**wrong))
        assert rig.envelope.state is State.DISARMED
    rig.cycle(HOME, stopped="protective stop")
    with pytest.raises(NotAllowedError, match="cannot arm: the controller reports protective stop"):
        rig.envelope.arm(rig.now_s, rig.seen())


def test_a_disarmed_envelope_sends_nothing_whatever_the_policy_wants() -> None:
    rig = Rig()
    for _ in range(50):
        assert rig.cycle(shifted(0.05, 0.0, 0.0)) is None
    with pytest.raises(NotAllowedError, match="start is not possible while disarmed"):
        rig.envelope.start(rig.now_s)


def test_limits_are_tightened_and_never_loosened() -> None:
    tighter = LIMITS.tightened(tool_speed_m_s=0.1, force_n=20.0, workspace_margin_m=0.002)
    assert (tighter.tool_speed_m_s, tighter.force_n, tighter.workspace_margin_m) == (0.1, 20.0, 0.002)
    for name, value in (("tool_speed_m_s", 0.3), ("force_n", 31.0), ("workspace_margin_m", 0.0005)):
        with pytest.raises(ValueError, match=f"{name} of {value:g} would loosen the declared"):
            LIMITS.tightened(**{name: value})
    with pytest.raises(ValueError, match="colour is no limit that a cell can tighten"):
        LIMITS.tightened(colour=1.0)


def test_limits_that_no_robot_can_keep_are_refused() -> None:
    with pytest.raises(ValueError, match="low must be below high"):
        replace(LIMITS.tool, low=LIMITS.tool.high)
    with pytest.raises(ValueError, match="jerk must be positive"):
        replace(LIMITS.tool, jerk=(0.0,) * 6)
    with pytest.raises(ValueError, match="six finite numbers"):
        Axes(**{**vars(LIMITS.tool), "high": (float("nan"),) * 6})
    with pytest.raises(ValueError, match="force_n must be positive and finite"):
        replace(LIMITS, force_n=float("inf"))
    with pytest.raises(ValueError, match="unit normal"):
        Plane(normal=(1.0, 1.0, 0.0), offset_m=0.0)


def test_the_robot_of_these_tests_is_where_its_joints_say() -> None:
    rig = Rig("joints")
    rig.go(cycles=300)
    for number in range(300):
        rig.cycle(shifted(0.0, 0.00005 * number, 0.0))
    np.testing.assert_allclose(tool_at(rig.joints_rad), rig.tool)
    assert rig.tool[1] - HOME[1] == pytest.approx(0.01495, abs=1e-4)
