"""Drivers are timed against virtual controllers in processes of their own; what is missing says so."""

from functools import partial

import pytest

from cellwright_runtime.drivers.driver import DriverError, SetpointError
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver
from cellwright_train.bench import servo
from cellwright_train.bench.figures import Effort

SHORT = Effort(repeats=2, env_steps=1, frames=1, decisions=500, training_iterations=0)
"""One second."""


def test_a_driver_is_timed_and_stopped_at_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(servo, "MODES", {"kuka-rsi": servo.MODES["kuka-rsi"]})
    monkeypatch.setattr(servo, "timed", partial(servo.timed, lockstep=True))  # for a busy machine
    figures = servo.drivers_in_real_time(SHORT)
    assert {name: figure["aim"] for name, figure in figures.items()} == {
        "servo_kuka_rsi_p50_ms": "",
        "servo_kuka_rsi_p99_ms": "<= 0.2",
        "servo_kuka_rsi_more_than_2_ms_late": "<= 1",
        "servo_kuka_rsi_zero_speed_ms": "<= 100",
    }
    assert 0.0 < figures["servo_kuka_rsi_p50_ms"]["value"] <= figures["servo_kuka_rsi_p99_ms"]["value"]
    assert 0.0 <= figures["servo_kuka_rsi_more_than_2_ms_late"]["value"] <= 100.0
    assert figures["servo_kuka_rsi_zero_speed_ms"]["value"] > 0.0


def test_a_driver_that_cannot_be_timed_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise DriverError("the driver ur needs ur-rtde")

    monkeypatch.setattr(servo, "timed", refused)
    figures = servo.drivers_in_real_time(SHORT)
    assert [each["missing"] for each in figures.values()] == ["the driver ur needs ur-rtde"] * len(
        servo.MODES
    )


def test_a_robot_that_ends_early_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: KukaRsiDriver, setpoint: object) -> None:
        raise SetpointError("joint 2 would get 100 rad/s³ of jerk")

    monkeypatch.setattr(KukaRsiDriver, "send_setpoint", refuse)
    with pytest.raises(
        DriverError, match=r"the robot was stopped early: joint 2 would get 100 rad/s³ of jerk"
    ):
        servo.timed("kuka-rsi", 0.1, "127.0.43.9", lockstep=True)


def test_a_controller_that_does_not_begin_is_one_line() -> None:
    with pytest.raises(DriverError, match="the virtual controller ur did not begin"):
        servo.VirtualRobot("ur", "192.0.2.1")
