"""From a bundle alone to a part that is seated, through the product's own command."""

import itertools
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle, write_bundle
from cellwright_runtime.bundle.safety import SAFETY, Safety
from cellwright_runtime.envelope.reading import read_log
from cellwright_runtime.envelope.states import NotAllowedError, State
from cellwright_runtime.operation.insertion_task import InsertionTask
from cellwright_train.cli import main
from cellwright_train.commands.deploy import WATCHED_S, Deploy
from tools.envelope.workplace import Workplace, safety


def written(directory: Path, envelope: Safety | None, name: str = "peg-insertion") -> str:
    bundle = Bundle.load(zoo.path(name))
    files = {name: data for name, data in bundle.files.items() if name != SAFETY}
    if envelope is not None:
        files[SAFETY] = envelope.to_bytes()
    write_bundle(directory, bundle.spec, files)
    return str(directory)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> str:
    made = safety(Bundle.load(zoo.path("peg-insertion")).spec)
    return written(tmp_path_factory.mktemp("bundles") / "peg", made)


def lines(told: str) -> int:
    """Lines of a complaint; a fresh installation also says that it compiles."""
    return sum(bool(line) and "compiling" not in line for line in told.splitlines())


def failing_at(
    call: int, function: Callable[..., Any], kind: type[Exception] = ValueError
) -> Callable[..., Any]:
    """`function`, which raises from its call number `call` on."""
    calls = itertools.count()

    def failing(*arguments: Any, **options: Any) -> Any:
        if next(calls) >= call:
            raise kind("a gap in the programme")
        return function(*arguments, **options)

    return failing


def changed(bundle: str, directory: Path, part: str, **values: object) -> str:
    """The same bundle with other values in one part of its envelope."""
    content = json.loads((Path(bundle) / SAFETY).read_text())
    content[part] |= values
    return written(directory, Safety.from_bytes(json.dumps(content).encode()))


def test_a_dry_run_sends_nothing(bundle: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["deploy", bundle, "--seconds", "1"]) == 0
    told = capsys.readouterr().out
    assert "decisions, interventions: none" in told
    assert told.endswith("dry run: nothing was sent; --arm moves the robot\n")
    assert "ARMED" not in told


def test_a_dry_run_has_its_log_and_takes_that_of_no_other(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (1, 3):
        (tmp_path / f"stop-{number:03d}-dry-run.mcap").write_text("mine")
    assert main(["deploy", bundle, "--seconds", "0.3", "--logs", str(tmp_path)]) == 0
    assert f"log: {tmp_path}/stop-004-dry-run.mcap\n" in capsys.readouterr().out
    log = read_log(tmp_path / "stop-004-dry-run.mcap")
    assert log.about["reason"] == "dry run"
    assert len(log.decisions) > 1
    assert (tmp_path / "stop-003-dry-run.mcap").read_text() == "mine"


def test_a_part_is_seated_and_the_log_shows_it(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", bundle, "--arm", "--seed", "1", "--logs", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "seated; the simulated part: seated" in told
    (log,) = tmp_path.iterdir()
    page = tmp_path / "page.html"
    assert main(["replay", str(log), "--report", str(page)]) == 0
    assert "blended in" in capsys.readouterr().out
    shown = page.read_text()
    assert "<svg" in shown
    assert "finished" in shown
    assert "http://" not in shown.replace("http://www.w3.org", "").replace("http://purl.org", "").replace(
        "http://creativecommons.org", ""
    )


def test_an_error_after_motion_is_a_stop_with_its_log(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(InsertionTask, "act", failing_at(8, InsertionTask.act))
    assert main(["deploy", bundle, "--arm", "--seed", "1", "--logs", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "BLENDING" in out
    assert "the robot was stopped by an error: a gap in the programme" in err
    assert lines(err) == 1
    (log,) = tmp_path.iterdir()
    assert f"log: {log}" in out
    kept = read_log(log)
    assert kept.about["reason"] == "a gap in the programme"
    assert kept.cycles[-1]["state"] == "blending"


def test_a_defect_after_motion_keeps_its_traceback_and_the_log(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InsertionTask, "act", failing_at(2, InsertionTask.act, TypeError))
    with pytest.raises(TypeError, match="a gap in the programme"):
        main(["deploy", bundle, "--arm", "--seed", "1", "--logs", str(tmp_path)])
    (log,) = tmp_path.iterdir()
    assert read_log(log).about["reason"] == "a gap in the programme"


def test_an_error_before_the_first_setpoint_says_that_nothing_moved(
    bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(InsertionTask, "begin", failing_at(0, InsertionTask.begin))
    assert main(["deploy", bundle, "--arm", "--seed", "1", "--logs", str(tmp_path)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "a gap in the programme" in err
    assert lines(err) == 1
    assert not list(tmp_path.iterdir())


def watched(place: Workplace) -> Callable[[], bool]:
    """One cycle of the command at a time, with a robot that is watched before it is armed."""
    place.session.connect()
    return Deploy(bundle="zoo:peg-insertion", arm=True)._stepping(
        place.session, lambda: False, watched_s=WATCHED_S
    )


def test_a_robot_is_watched_held_and_then_moved() -> None:
    place = Workplace()
    step, begun_s, seen = watched(place), place.now_s, dict[State, float]()
    while State.BLENDING not in seen:
        assert step()
        seen.setdefault(place.session.state, place.now_s - begun_s)
    assert seen[State.ARMED] == pytest.approx(1.0, abs=0.01)
    assert seen[State.BLENDING] == pytest.approx(1.2, abs=0.01)


def test_observations_that_are_wrong_at_first_are_waited_for() -> None:
    place = Workplace()
    place.faults.unplugged = True
    step, begun_s = watched(place), place.now_s
    while place.now_s - begun_s < 3.0:
        assert step()
    assert place.session.state is State.DISARMED
    place.faults.unplugged = False
    while place.session.state is not State.BLENDING:
        assert step()


def test_observations_that_stay_wrong_are_said_before_anything_moves() -> None:
    place = Workplace()
    place.faults.unplugged = True
    step, begun_s = watched(place), place.now_s
    while place.now_s - begun_s < 4.99:
        assert step()
    with pytest.raises(NotAllowedError, match="cannot arm: a frame or a reading is too old"):
        all(step() for _ in range(20))
    assert not place.session.sent


def test_a_bundle_that_another_key_signed_is_refused(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    signed = tmp_path / "signed"
    shutil.copytree(bundle, signed)
    for name in ("ours", "theirs"):
        assert main(["keygen", str(tmp_path / name)]) == 0
    assert main(["sign", str(signed), "--key", str(tmp_path / "theirs.key")]) == 0
    capsys.readouterr()
    deploy = ["deploy", str(signed), "--seconds", "0.1", "--key"]
    assert main([*deploy, str(tmp_path / "ours.pub")]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "was not made with the key" in err
    assert lines(err) == 1
    assert main([*deploy, str(tmp_path / "theirs.pub")]) == 0
    assert main([*deploy, str(tmp_path / "theirs.key")]) == 2
    assert "is no public key in PEM" in capsys.readouterr().err


def test_a_weld_travels_with_its_arc_and_leaves_no_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = written(tmp_path / "weld", safety(Bundle.load(zoo.path("weld-seam")).spec), "weld-seam")
    options = ["--arm", "--seconds", "9", "--disturbances", "train", "--logs", str(tmp_path / "logs")]
    assert main(["deploy", made, *options]) == 1
    told = capsys.readouterr().out
    assert "blended in" in told
    assert "not done after 9 s" in told
    log = read_log(next((tmp_path / "logs").iterdir()))
    tools = np.array([each["tool"][:3] for each in log.cycles])
    assert np.linalg.norm(tools[-1] - tools[0]) > 0.03
    assert {each["state"] for each in log.cycles} == {"armed", "blending", "running"}


def test_a_nut_is_refused_since_no_spindle_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = written(tmp_path / "nut", safety(Bundle.load(zoo.path("nut-fastening")).spec), "nut-fastening")
    assert main(["deploy", made]) == 2
    assert "turns a spindle, which the driver sim does not have" in capsys.readouterr().err


def test_a_policy_beyond_its_trained_range_is_stopped_with_a_log(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = json.loads((Path(bundle) / SAFETY).read_text())
    pose = next(each for each in content["observed"] if each["group"] == "pose")
    pose["low"]["value"][2] = 0.005  # of a policy that never saw the part below 5 mm over the mouth
    made = written(tmp_path / "narrow", Safety.from_bytes(json.dumps(content).encode()))
    assert main(["deploy", made, "--arm", "--seed", "1", "--logs", str(tmp_path / "logs")]) == 1
    told = capsys.readouterr().out
    assert "a value beyond the trained range and margin: pose" in told
    assert "STOPPED" in told
    assert [each.name for each in (tmp_path / "logs").iterdir()] == [
        "stop-001-a-hold-lasted-too-long-longer-than-5-s.mcap"
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--limit", "force_n=90"], "force_n of 90 would loosen the declared"),
        (["--limit", "force_n=90", "--limit", "blend_s=2"], "force_n of 90 would loosen the declared"),
        (["--limit", "blend_s=2", "--limit", "blend_s=3"], "--limit gives blend_s twice; give it one value"),
        (["--limit", "speed"], "--limit takes NAME=VALUE with a value above 0, got 'speed'"),
        (["--limit", "colour=1"], "colour is no limit that a cell can tighten"),
        (["--seconds", "0"], "--seconds must be above 0"),
        (["--disturbances", "storm"], "storm"),
        (["--product", "brick"], "brick"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_before_anything_moves(
    bundle: str, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", bundle, "--arm", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert lines(err) == 1


def test_a_bundle_of_another_robot_or_without_an_envelope_is_refused(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = changed(bundle, tmp_path / "other", "joints", robot="IRB 1200")
    names = [f"joint_{number}" for number in range(6)]
    order = changed(bundle, tmp_path / "order", "joints", names=names)
    none = written(tmp_path / "none", None)
    for made, told in (
        (other, "the policy was trained with a IRB 1200, this robot is a UR10e"),
        (order, "the policy's joints are joint_0, joint_1"),
        (none, "has no safety.json, without which no limit is known"),
        ("zoo:weld-seams", "did you mean 'zoo:weld-seam'"),
        (str(tmp_path / "nothing"), "nothing"),
    ):
        assert main(["deploy", made, "--arm"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert told in err
        assert lines(err) == 1


def test_a_log_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from mcap.writer import Writer

    (tmp_path / "text.mcap").write_bytes(b"no log at all")
    (tmp_path / "empty.mcap").write_bytes(b"")
    with (tmp_path / "other.mcap").open("wb") as file:
        writer = Writer(file)
        writer.start(profile="ros2", library="somebody")
        writer.finish()
    for name, told in (
        ("text.mcap", "is damaged or no MCAP file"),
        ("empty.mcap", "is damaged or no MCAP file"),
        ("other.mcap", "is no log of an envelope: its profile is 'ros2'"),
        ("missing.mcap", "is no file"),
    ):
        assert main(["replay", str(tmp_path / name)]) == 2
        err = capsys.readouterr().err
        assert told in err
        assert lines(err) == 1


def test_a_log_that_was_cut_off_is_refused(
    bundle: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = tmp_path / "logs"
    assert main(["deploy", bundle, "--arm", "--seed", "1", "--seconds", "1", "--logs", str(logs)]) == 1
    (log,) = logs.iterdir()
    data = np.frombuffer(log.read_bytes(), np.uint8)
    log.write_bytes(data[: len(data) // 2].tobytes())
    capsys.readouterr()
    assert main(["replay", str(log)]) == 2
    assert "is damaged or no MCAP file" in capsys.readouterr().err
