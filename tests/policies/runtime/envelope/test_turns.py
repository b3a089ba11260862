"""How far a tool may turn from where the robot was armed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from cellwright_assets.arithmetic import product
from cellwright_runtime.envelope.faults import Fault, Stage
from cellwright_runtime.envelope.limits import FREE_TURN_RAD
from cellwright_runtime.envelope.poses import MOST_TURN_RAD
from cellwright_runtime.envelope.states import State
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector
from tests.policies.runtime.envelope.robots import HOME, HOME_RAD, LIMITS, Rig, make_space, tool_at


def about_its_axis(turn_rad: float) -> np.ndarray:
    """The tool where it was armed, with the last joint turned by so much."""
    return tool_at(HOME_RAD + np.array([0.0, 0.0, 0.0, 0.0, 0.0, turn_rad]))


def stages(kind: str, turn_rad: float, *, allowed_rad: float) -> set[Stage]:
    """What cut a target on the way to a turn."""
    tool = LIMITS.tool
    limits = replace(
        LIMITS,
        tool=replace(
            tool, low=(*tool.low[:3], *(-allowed_rad,) * 3), high=(*tool.high[:3], *(allowed_rad,) * 3)
        ),
        joints=replace(LIMITS.joints, low=(-7.0,) * 6, high=(7.0,) * 6),
    )
    space = make_space(kind, limits)
    space.begin(HOME.tolist(), HOME_RAD.tolist())
    cut: set[Stage] = set()
    for step in np.linspace(0.0, turn_rad, 3000):
        cut |= space.shape(about_its_axis(float(step)).tolist())[1]
    return cut


def test_a_turn_is_that_of_the_last_joint() -> None:
    first, last = (np.array(rotation_rows(*about_its_axis(at)[3:])) for at in (0.0, 0.5))
    rows: Any = product(last, first.T).tolist()
    assert np.linalg.norm(rotation_vector(rows)) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["pose", "joints"])
def test_the_tool_may_go_all_the_way_round_where_no_turn_is_declared(kind: str) -> None:
    assert stages(kind, 5.5, allowed_rad=FREE_TURN_RAD) <= {Stage.SLEW}
    assert Stage.WORKSPACE in stages(kind, 5.5, allowed_rad=MOST_TURN_RAD)


@pytest.mark.parametrize("kind", ["pose", "joints"])
def test_a_declared_turn_holds(kind: str) -> None:
    assert Stage.WORKSPACE in stages(kind, 0.5, allowed_rad=0.3)
    assert Stage.WORKSPACE not in stages(kind, 0.25, allowed_rad=0.3)


PERIOD_S = 0.004
FREE = replace(
    LIMITS,
    fraction=1.0,
    tool=replace(
        LIMITS.tool,
        low=(*LIMITS.tool.low[:3], *(-FREE_TURN_RAD,) * 3),
        high=(*LIMITS.tool.high[:3], *(FREE_TURN_RAD,) * 3),
    ),
)


def away_rad(rig: Rig, target: np.ndarray) -> float:
    """From the last setpoint to a target."""
    return float(
        (Rotation.from_rotvec(rig.sent[-1][3:]) * Rotation.from_rotvec(target[3:]).inv()).magnitude()
    )


def assert_turns_within_limits(rig: Rig) -> None:
    """Angular velocities of what was sent, and their differences, as somebody else's code has them."""
    sent = Rotation.from_rotvec(np.array(rig.sent)[:, 3:])
    values, axes = (sent[1:] * sent[:-1].inv()).as_rotvec() / PERIOD_S, rig.limits.tool
    for most in (axes.velocity, axes.acceleration, axes.jerk):
        assert (np.abs(values) <= np.array(most[3:]) * (1.0 + 1e-5)).all()
        values = np.diff(values, axis=0) / PERIOD_S


def test_a_pose_goes_round_as_often_as_it_is_sent_round() -> None:
    """About an axis that is none of the base's, and from where the arm is not quite where its path begins."""
    rig, axis = Rig("pose", FREE, PERIOD_S), np.array([2.0, -1.0, 2.0]) / 3.0
    askew = Rotation.from_rotvec([2e-3, -1e-3, 3e-3]) * Rotation.from_rotvec(HOME[3:])

    def sent_round(turned_rad: float) -> np.ndarray:
        return np.array([*HOME[:3], *(Rotation.from_rotvec(turned_rad * axis) * askew).as_rotvec()])

    rig.go(sent_round(0.0))
    turns_rad = np.arange(PERIOD_S, 1.6 * 2.0 * np.pi / 0.7, PERIOD_S) * 0.7
    targets = [sent_round(turned_rad) for turned_rad in turns_rad]
    for target in targets:
        rig.cycle(target)
    assert rig.envelope.state is State.RUNNING
    sent = Rotation.from_rotvec(np.array(rig.sent)[:, 3:])
    found_rad = (sent[-len(targets) :] * Rotation.from_rotvec(np.array(targets)[:, 3:]).inv()).magnitude()
    assert found_rad.max() < 0.1
    assert found_rad[500:].max() < 1e-4  # a turn that goes on is followed without a lag
    assert not rig.envelope.tally.total[Stage.WORKSPACE]
    assert not rig.envelope.tally.total[Stage.SLEW]
    assert_turns_within_limits(rig)
    gone_rad = (sent[1:] * sent[:-1].inv()).as_rotvec().sum(axis=0)
    np.testing.assert_allclose(gone_rad, turns_rad[-1] * axis, atol=0.02)


def test_free_turns_come_to_where_they_are_sent_by_any_way() -> None:
    rig, random = Rig("pose", FREE, PERIOD_S), np.random.default_rng(4)
    rig.go()
    for _ in range(12):
        wanted = np.array([*HOME[:3], *Rotation.random(random_state=random).as_rotvec()])
        for _ in range(int(random.integers(50, 500))):
            rig.cycle(wanted)
    for _ in range(1500):
        rig.cycle(wanted)
    assert away_rad(rig, wanted) < 1e-6
    assert_turns_within_limits(rig)


def test_a_hold_in_the_middle_of_a_ring_goes_on_from_there() -> None:
    rig = Rig("pose", FREE, PERIOD_S)
    rig.go()
    turned_rad = 0.0
    while turned_rad < 4.0:
        turned_rad += 0.5 * PERIOD_S
        rig.cycle(about_its_axis(turned_rad))
    rig.envelope.fault(rig.now_s, Fault.STALE, "a frame is old")
    for _ in range(100):
        rig.cycle(about_its_axis(turned_rad))
    assert rig.envelope.state is State.HOLD
    assert away_rad(rig, about_its_axis(4.0)) < 0.05
    for _ in range(800):
        rig.cycle(about_its_axis(turned_rad))
    assert rig.envelope.state is State.RUNNING
    assert away_rad(rig, about_its_axis(turned_rad)) < 1e-6
    assert_turns_within_limits(rig)
