"""Every fault, injected into a session at full speed, ends at zero speed in its documented state."""

from dataclasses import replace

import numpy as np
import pytest

from cellwright_runtime.drivers.driver import Mode
from cellwright_runtime.envelope.states import State
from tools.envelope.faults import CASES, Case, inject
from tools.envelope.workplace import SPEED_M_S, Faults, Workplace

REACTION_S = 0.1
"""Zero speed is commanded within this time after a fault is noticed: issue and docs/envelope.md."""


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_ends_at_zero_speed_within_the_stated_time_and_limits(case: Case) -> None:
    outcome = inject(case)
    assert outcome.last == case.ends.value
    assert outcome.speed_m_s > 0.9 * 0.9 * SPEED_M_S or case.repair_s is not None
    assert outcome.reaction_s <= REACTION_S
    assert outcome.worst <= 1.0 + 1e-4
    assert outcome.first in ("hold", "estop", "stopped")


@pytest.mark.parametrize("name", ["camera frozen", "force", "inference never", "controller silent"])
def test_a_robot_that_takes_joints_ends_the_same_way(name: str) -> None:
    case = next(each for each in CASES if each.name == name)
    outcome = inject(case, Mode.JOINT_POSITION)
    assert outcome.last == case.ends.value
    assert outcome.reaction_s <= REACTION_S
    assert outcome.worst <= 1.0 + 1e-4


def test_detection_follows_from_the_limits_that_were_declared() -> None:
    silent = next(each for each in CASES if each.name == "controller silent")
    usual = Workplace().limits
    slow = inject(silent, limits=replace(usual, silence_s=0.2))
    assert slow.detection_s == pytest.approx(0.2, abs=0.005)
    assert inject(silent).detection_s == pytest.approx(usual.silence_s, abs=0.005)


def test_without_a_fault_nothing_is_found() -> None:
    place = Workplace()
    place.session.connect()
    place.session.arm()
    place.session.start()
    place.run(2.0)
    assert place.envelope.state is State.RUNNING
    assert [each.fault for each in place.envelope.happenings] == [None] * 3
    assert place.faults == Faults()
    assert np.ptp([each[2] for each in place.sent]) > SPEED_M_S
