"""A session reads, decides, sends only where it is armed, and remembers why it stopped."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader

from cellwright_runtime.camera.sources import CameraError
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotState, Status
from cellwright_runtime.envelope.faults import Fault
from cellwright_runtime.envelope.states import NotAllowedError, State
from tools.envelope.faults import CASES
from tools.envelope.workplace import SPEC, SPEED_M_S, Workplace


def broken(name: str, place: Workplace) -> None:
    next(each for each in CASES if each.name == name).break_it(place.faults)


def messages(path: Path, topic: str) -> list[dict]:
    with path.open("rb") as file:
        return [json.loads(each.data) for _, _, each in make_reader(file).iter_messages(topics=[topic])]


def about(path: Path) -> dict[str, str]:
    with path.open("rb") as file:
        return next(iter(make_reader(file).iter_metadata())).metadata


def test_a_dry_run_decides_and_sends_nothing() -> None:
    place = Workplace()
    place.session.connect()
    place.run(0.5)
    assert place.session.state is State.DISARMED
    assert place.session.decisions == pytest.approx(0.5 * SPEC.control_rate_hz, abs=1)
    assert place.sent == []


def test_nothing_moves_before_a_start() -> None:
    place = Workplace()
    place.session.connect()
    place.session.arm()
    place.run(0.3)
    assert place.session.state is State.ARMED
    assert np.ptp(np.array(place.sent), axis=0).max() < 1e-12


@pytest.mark.parametrize("mode", [Mode.TOOL_POSE, Mode.JOINT_POSITION])
def test_a_policy_is_asked_at_its_rate_and_moves_the_robot(mode: Mode) -> None:
    place = Workplace(mode)
    place.session.connect()
    place.session.arm()
    place.session.start()
    place.run(1.5)
    assert place.session.state is State.RUNNING
    assert place.session.decisions == pytest.approx(1.5 * SPEC.control_rate_hz, abs=1)
    assert np.ptp([place.driver.tool_of(each)[2] for each in place.sent[::20]]) > SPEED_M_S


def test_a_stop_ends_the_session_and_writes_the_last_seconds(tmp_path: Path) -> None:
    place = Workplace()
    place.session.logs, place.session.about = tmp_path / "logs", {"bundle": "peg-insertion"}
    place.session.connect()
    place.session.arm()
    place.session.start()
    place.run(0.8)
    broken("force", place)
    place.run(1.0)
    assert place.session.over
    assert place.session.state is State.STOPPED
    (path,) = place.session.written
    assert path.name == "stop-001-force-or-torque-above-its-limit-a-force.mcap"
    told = about(path)
    assert told["bundle"] == "peg-insertion"
    assert told["reason"] == "force or torque above its limit: a force of 60 N, 30 N are allowed"
    assert int(told["interventions force"]) > 0
    cycles, happenings = messages(path, "/cycle"), messages(path, "/happening")
    assert [each["state"] for each in happenings][-1] == "stopped"
    assert cycles[0]["state"] == "blending"
    assert cycles[-1]["setpoint"] is None
    assert {each["state"] for each in cycles} == {"blending", "running", "hold", "stopped"}
    assert cycles[-1]["wrench"][2] == 60.0
    assert len(messages(path, "/decision")) == place.session.decisions
    with pytest.raises(NotAllowedError, match="arm is not possible while stopped, stopped by: force"):
        place.session.arm()


def test_a_robot_that_reports_a_stop_is_not_armed() -> None:
    place = Workplace()
    place.session.connect()
    place.faults.state = lambda state: state.__class__(**{**vars(state), "status": Status.EMERGENCY_STOP})
    place.run(0.01)
    with pytest.raises(NotAllowedError, match="cannot arm: the controller reports emergency stop"):
        place.session.arm()


def test_work_that_is_done_ends_at_rest_without_a_stop() -> None:
    place = Workplace()
    place.session.connect()
    place.session.arm()
    place.session.start()
    place.run(0.8)
    place.session.task._verdict = "seated"  # type: ignore[attr-defined]
    place.run(1.0)
    assert place.session.over
    assert place.session.state is State.ARMED
    assert place.envelope.at_rest
    assert place.envelope.reason is None


def test_the_policys_authority_grows_from_zero() -> None:
    place = Workplace()
    place.session.connect()
    place.session.arm()
    place.session.start()
    asked = []
    while place.session.state is State.BLENDING:
        decided = place.session.decisions
        place.session.cycle()
        if place.session.decisions > decided:
            asked.append((place.envelope.blend, float(place.session.task.interface.last_action[2])))  # type: ignore[attr-defined]
    assert len(asked) >= 8
    for blend, action in asked:
        assert abs(action) == pytest.approx(blend, abs=0.02)
    assert abs(asked[0][1]) == 0.0
    assert abs(asked[-1][1]) > 0.8


def test_after_a_hold_the_reference_goes_on_from_where_the_robot_was_held() -> None:
    place = Workplace()
    place.session.connect()
    place.session.arm()
    place.session.start()
    place.run(1.0)
    assert place.session.state is State.RUNNING
    broken("camera unplugged", place)
    place.run(1.0)
    assert place.session.state is State.HOLD
    task = place.session.task
    task.interface.reference[:3] += 3e-3  # type: ignore[attr-defined]  # as a leash allows it
    place.faults.unplugged = False
    while place.session.state is State.HOLD:
        place.session.cycle()
    held = place.driver.tool_of(place.sent[-1])
    place.session.cycle()
    reference = task._fixture.outside(task.interface.reference)[:3]  # type: ignore[attr-defined]
    np.testing.assert_allclose(reference, held, atol=1e-6)


def test_a_robot_is_not_armed_while_no_observation_is_fine() -> None:
    place = Workplace()
    place.session.connect()
    place.run(0.5)
    broken("camera unplugged", place)
    place.run(0.5)
    with pytest.raises(NotAllowedError, match="cannot arm: a frame or a reading is too old"):
        place.session.arm()
    place.faults.unplugged = False
    place.run(0.5)
    place.session.arm()


def test_a_warm_envelope_is_as_it_was() -> None:
    sent = []
    for warm in (False, True):
        place = Workplace(Mode.JOINT_POSITION)
        place.session.connect()
        if warm:
            place.session.warm()
        place.session.arm()
        place.session.start()
        place.run(0.5)
        sent.append(np.array(place.sent))
    np.testing.assert_array_equal(*sent)


def test_a_camera_that_says_it_is_gone_is_told_in_its_own_words() -> None:
    place = Workplace()
    place.session.connect()
    place.session.arm()
    place.session.start()
    place.run(0.8)

    def gone() -> None:
        raise CameraError("device:0 gives no more frames")

    place.session.task._camera.newest = gone  # type: ignore[attr-defined]
    place.run(0.2)
    assert place.session.state is State.HOLD
    assert place.session.wrong.startswith(Fault.STALE.value.meaning)
    assert place.session.wrong.endswith("device:0 gives no more frames")


def test_whatever_ends_a_session_has_its_task_rest() -> None:
    """A task may command more than the robot, such as an arc."""
    place = Workplace()
    place.session.connect()
    place.session.arm()
    rested = []
    place.session.task.rest = lambda now_s: rested.append(place.session.state)  # type: ignore[method-assign]
    broken("controller silent", place)
    place.run(1.0)
    assert place.session.over
    assert rested[-1] is State.STOPPED


def test_a_silent_robot_is_not_armed() -> None:
    place = Workplace()
    place.session.connect()
    place.run(0.2)
    place.faults.silent = True
    with pytest.raises(NotAllowedError, match="cannot arm: the controller sends nothing new"):
        place.session.arm()
    place.faults.silent, place.faults.lost = False, True
    with pytest.raises(NotAllowedError, match=r"sends nothing new: the connection to the controller is gone"):
        place.session.arm()
    assert place.session.state is State.DISARMED
    place.faults.lost = False
    place.session.arm()


@pytest.mark.parametrize(("speed", "refused"), [(0.25, True), (0.01, True), (0.001, False)])
def test_a_robot_that_moves_is_not_armed(speed: float, refused: bool) -> None:
    place = Workplace()
    place.session.connect()
    begun_s = place.now_s

    def moved(state: RobotState) -> RobotState:
        away = np.array([speed * (place.now_s - begun_s - 0.1), 0.0, 0.0, 0.0, 0.0, 0.0])
        return replace(state, tool=state.tool + away)

    place.faults.state = moved
    place.run(0.2)
    if refused:
        with pytest.raises(
            NotAllowedError, match=rf"has to stand, and its tool moves at {1e3 * speed:.0f} mm/s"
        ):
            place.session.arm()
        assert place.session.state is State.DISARMED
    else:
        place.session.arm()


def test_a_robot_whose_joints_turn_is_not_armed() -> None:
    place = Workplace()
    place.session.connect()
    turned = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.1])
    place.faults.state = lambda state: replace(state, joints_rad=state.joints_rad + turned * place.now_s)
    place.run(0.2)
    with pytest.raises(NotAllowedError, match=r"and a joint at 0\.10 rad/s"):
        place.session.arm()


def test_setpoints_are_a_cycle_apart_where_a_driver_fails_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    place = Workplace()
    place.session.connect()
    place.session.arm()
    place.session.start()
    place.run(0.8)
    clock_s, sent_s = [100.0], []

    def sleep(wait_s: float) -> None:
        clock_s[0] += wait_s

    def gone() -> RobotState:
        sent_s.append(clock_s[0])
        raise DriverError("the connection is lost")

    monkeypatch.setattr("cellwright_runtime.operation.session.time.sleep", sleep)
    monkeypatch.setattr("cellwright_runtime.operation.session.time.monotonic", lambda: clock_s[0])
    place.session._read_s = clock_s[0]
    monkeypatch.setattr(place.driver, "read_state", gone)
    while not place.session.over:
        place.session.cycle()
    assert len(sent_s) > 2
    np.testing.assert_allclose(np.diff(sent_s), place.driver.cycle_s, atol=1e-9)


def test_the_log_is_written_before_a_driver_is_stopped_that_may_not_answer(tmp_path: Path) -> None:
    place = Workplace()
    place.session.logs = tmp_path
    place.session.connect()
    place.session.arm()
    written = []
    place.driver.stop = lambda: written.append(len(place.session.written))  # type: ignore[method-assign]
    broken("connection lost", place)
    place.run(1.0)
    assert place.session.over
    assert written == [1]


def test_a_cycle_without_a_connection_is_refused() -> None:
    place = Workplace()
    with pytest.raises(ValueError, match="call connect before"):
        place.session.cycle()
    place.session.connect()
    place.session.close()
