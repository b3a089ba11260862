"""A bundle on a vendor's controller: `cellwright deploy` on one side, the virtual controller on the other.

The client in between is the compiled ur_rtde, which nobody here wrote.
"""

import functools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cellwright_envs.virtual.abb_egm import VirtualAbbEgm
from cellwright_envs.virtual.catalogue import KINDS
from cellwright_envs.virtual.cell_tables import InsertionTables, RobotTable
from cellwright_envs.virtual.cells import bare_arm, cell_of
from cellwright_envs.virtual.coupler import VirtualCoupler, map_of
from cellwright_envs.virtual.seam_head import VirtualSeamHead
from cellwright_envs.virtual.shared_cameras import SharedCameras
from cellwright_envs.virtual.wrench_sensor import VirtualWrenchSensor
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.bundle.safety import SAFETY, Safety
from cellwright_runtime.drivers import rsi_telegrams
from cellwright_runtime.drivers.catalogue import DRIVERS
from cellwright_runtime.drivers.ur import UrDriver
from cellwright_runtime.envelope.reading import read_log
from cellwright_runtime.operation.insertion_task import InsertionTask
from cellwright_train.cli import main
from tests import rsi_configuration
from tests.addresses import loopback
from tests.processes import Process, until
from tests.train.commands.test_deploy import failing_at, lines

HOST, SENSOR_HOST = loopback(), loopback()
BUNDLE = "zoo:peg-insertion"
ENVIRONMENT = Bundle.load(zoo.path("peg-insertion")).spec.environment
SEED = "2"


class Shop:
    """A virtual controller with its cell, as the command serves it."""

    def __init__(self, directory: Path, controller: str = "ur", *more: str) -> None:
        self.cell, self._log = directory / "cell.toml", directory / "controller.log"
        arguments = ["--env", ENVIRONMENT, "--listen", HOST, "--seed", SEED, "--disturbances", "none", *more]
        arguments += ["--frames", str(directory / "frames"), "--write-cell", str(self.cell), "--lockstep"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cellwright_train.cli", "virtual-controller", controller, *arguments],
                stdout=log,
                stderr=log,
            )
        try:
            until(lambda: "Ctrl-C ends it" in self.told() or self._process.poll() is not None, 600.0)
            assert self._process.poll() is None, self.told()
        except BaseException:
            self.end()
            raise

    def told(self) -> str:
        return self._log.read_text()

    def end(self) -> str:
        self._process.terminate()
        self._process.wait()
        return self.told()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    made = Shop(tmp_path)
    yield made
    made.end()


def test_a_part_is_seated_through_the_wire(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy = ["deploy", BUNDLE, "--cell", str(shop.cell), "--lockstep"]
    assert main([*deploy, "--seconds", "1"]) == 0
    told = capsys.readouterr().out
    assert "dry run: nothing was sent" in told
    assert "wrench at the end: " in told
    assert "ARMED" not in told
    logs = tmp_path / "logs"
    assert main([*deploy, "--arm", "--seconds", "30", "--logs", str(logs)]) == 0
    told = capsys.readouterr().out
    assert "blended in" in told
    assert "\nseated\n" in told
    assert [path.name for path in logs.iterdir()] == ["stop-001-seated.mcap"]
    told = shop.end()
    assert "script: programs: 1" in told  # the dry run uploaded none
    assert "the simulated part: seated" in told


def test_a_part_is_seated_through_rsi_with_a_sensor_at_the_wrist(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--variant", "standing", "--sensor", SENSOR_HOST, "--wrench-sensor-port", "0"]
    shop = Shop(tmp_path, "kuka-rsi", *options, "--patience", "60")
    try:
        assert f"wrench sensor at {HOST} port " in shop.told()
        assert (
            main(["deploy", BUNDLE, "--cell", str(shop.cell), "--lockstep", "--arm", "--seconds", "30"]) == 0
        )
        told = capsys.readouterr().out
        assert "\nseated\n" in told
        assert "HOLD" not in told
    finally:
        told = shop.end()
    assert "the simulated part: seated" in told
    assert "wrench sensor: requests: 2" in told  # the stream was begun and ended


def test_an_error_in_the_servo_thread_is_a_stop_with_its_log(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(InsertionTask, "act", failing_at(8, InsertionTask.act))
    logs = tmp_path / "logs"
    deploy = ["deploy", BUNDLE, "--cell", str(shop.cell), "--lockstep", "--arm", "--logs", str(logs)]
    assert main(deploy) == 1
    out, err = capsys.readouterr()
    assert "BLENDING" in out
    assert "the robot was stopped by an error: a gap in the programme" in err
    assert lines(err) == 1
    (log,) = logs.iterdir()
    assert read_log(log).about["reason"] == "a gap in the programme"


INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its jobs in the background ignore it
from cellwright_train.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_slows_down_within_the_declared_acceleration(shop: Shop, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    arguments = ["deploy", BUNDLE, "--cell", str(shop.cell), "--lockstep", "--arm", "--logs", str(logs)]
    deploy = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert deploy.stdout is not None
        assert any("blended in" in line for line in deploy.stdout)
        deploy.send_signal(signal.SIGINT)
        _, err = deploy.communicate(timeout=300.0)
    finally:
        deploy.kill()
        deploy.communicate()
    assert (deploy.returncode, err) == (130, "cellwright: interrupted\n")
    (log,) = logs.iterdir()
    assert log.name == "stop-001-interrupted.mcap"
    cycles = [each for each in read_log(log).cycles if each["setpoint"] is not None]
    speeds = np.diff([each["setpoint"] for each in cycles], axis=0) / UrDriver.cycle_s
    accelerations = np.abs(np.diff(speeds, axis=0)) / UrDriver.cycle_s
    declared = Safety.from_bytes(Bundle.load(zoo.path("peg-insertion")).files[SAFETY]).joints
    assert (accelerations.max(axis=0) <= 1.001 * np.array(declared.acceleration_rad_s2.value)).all()
    last = max(number for number, each in enumerate(cycles) if each["state"] in ("blending", "running"))
    assert np.abs(speeds[last - 50 : last]).max() > 1e-3
    assert cycles[-1]["state"] == "armed"
    assert np.abs(speeds[-1]).max() < 1e-3  # it comes to rest within this cycle


def test_a_tool_that_is_not_the_controllers_is_refused(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    text = shop.cell.read_text()
    moved = text.replace("[0.0, 0.0, 0.22955]", "[0.0, 0.0, 0.28955]").replace(", 0.14755", ", 0.20755")
    assert moved.count("0.20755") == 1  # the camera on the hand goes with it
    shop.cell.write_text(moved)
    assert main(["deploy", BUNDLE, "--cell", str(shop.cell), "--lockstep", "--arm"]) == 2
    out, err = capsys.readouterr()
    assert "ARMED" not in out
    assert "is not the tool of the controller, which is 60 mm and 0 degrees from it" in err
    assert lines(err) == 1


@pytest.mark.parametrize(
    ("change", "arguments", "told"),
    [
        (("", ""), ["--driver", "sim"], "takes no --cell"),
        (("", ""), ["--seed", "3"], "--seed is of the simulated cell"),
        (("", ""), ["--product", "round-8-0.5"], "--product is of the simulated cell"),
        (('driver = "ur"', ""), [], "names no driver; give one with --driver"),
        (('host = "192.168.0.10"', ""), [], "names no host of the controller; give it with --host"),
        (('model = "UR10e"', 'model = "UR5e"'), [], "is UR5e, the policy needs UR10e"),
        (
            ('"shoulder_pan_joint", "shoulder_lift', '"shoulder_lift_joint", "shoulder_pan'),
            [],
            "in this order",
        ),
        (("force_limit_n = 20.0\n", ""), [], "force_limit_n"),
        (("[part]\nforce_limit_n = 20.0\ndepth_m = 0.02\n", ""), [], "needs the table [part]"),
        (("depth_m = 0.02", "depth_m = 20.0"), [], "depth_m"),
        (("limit_n = 20.0", "limit_n = 10.0"), [], "trained with parts that bear 20 to 30 N"),
        (("", ""), ["--limit", "force_n=90"], "force_n of 90 would loosen the declared"),
        (("", ""), ["--host", "127.0.71.9"], "no UR controller answers at 127.0.71.9 port 30004"),
        (("", ""), ["--key", "missing.pem"], "missing.pem"),
    ],
)
def test_what_does_not_fit_is_one_line_before_anything_moves(
    tmp_path: Path,
    change: tuple[str, str],
    arguments: list[str],
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell = tmp_path / "cell.toml"
    cell.write_text(described(tmp_path).replace(*change) if change[0] else described(tmp_path))
    assert main(["deploy", BUNDLE, "--cell", str(cell), "--arm", *arguments]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert lines(err) == 1


@pytest.mark.parametrize(
    ("driver", "change", "told"),
    [
        (
            "kuka-rsi",
            None,
            "needs the table [wrench_sensor]: an insertion needs a wrench, the driver kuka-rsi",
        ),
        ("kuka-rsi", ("", ""), "the wrench sensor at 127.0.71.9 port 49161 cannot be reached"),
        ("abb-egm", ("", ""), "the wrench sensor at 127.0.71.9 port 49161 cannot be reached"),
        ("abb-egm", ('"ati-rdt"', '"ati"'), "wrench_sensor, kind: must be ati-rdt, got 'ati'"),
        ("abb-egm", ("counts_per_n = 1000000.0", "counts_per_n = 0.0"), "wrench_sensor, counts_per_n"),
        ("abb-egm", ("port = 49161", "port = 0"), "wrench_sensor, port"),
        ("abb-egm", ("[wrench_sensor]", "[wrench_sensor]\nstale_s = 20"), "wrench_sensor, stale_s"),
        (
            "fanuc-stream",
            ("", ""),
            "this driver answers a force after 191 ms; the policy's gains are stable up to",
        ),
    ],
)
def test_a_cell_that_does_not_feel_or_feels_too_late_is_one_line_before_anything_moves(
    tmp_path: Path,
    driver: str,
    change: tuple[str, str] | None,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cell = tmp_path / "cell.toml"
    text = described(tmp_path, {} if change is None else {"wrench sensor": "127.0.71.9:49161"})
    cell.write_text(text.replace(*change, 1) if change else text)
    robot = None
    if driver == "fanuc-stream":
        robot = KINDS[driver].make(bare_arm(0.008), variant="", address=HOST)
        robot.start()
    try:
        options = ["--driver", driver, "--host", HOST, "--arm"]
        assert main(["deploy", BUNDLE, "--cell", str(cell), *options]) == 2
    finally:
        if robot is not None:
            robot.close()
    out, err = capsys.readouterr()
    assert out == ""
    assert told in err
    assert lines(err) == 1


def described(directory: Path, sensors: dict[str, str] | None = None) -> str:
    """A cell whose pictures lie in a directory."""
    import cv2

    made = cell_of(ENVIRONMENT, product="train", disturbances="none", seed=1)
    made.plant.begin()
    assert made.described is not None
    pictures = {}
    for name, picture in made.cameras.items():
        (directory / name).mkdir(exist_ok=True)
        cv2.imwrite(str(directory / name / "1.png"), np.ascontiguousarray(picture()))
        pictures[name] = f"directory:{directory / name}"
    tables = made.described()
    assert isinstance(tables, InsertionTables)
    tables.part = {"force_limit_n": 20.0, "depth_m": 0.02}
    made.plant.close()
    return tables.text(RobotTable(driver="ur", host="192.168.0.10"), pictures | (sensors or {}))


def test_a_vendors_driver_needs_a_cell_and_an_unsigned_bundle_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["deploy", BUNDLE, "--driver", "ur", "--host", HOST]) == 2
    assert "--driver ur needs --cell FILE" in capsys.readouterr().err
    assert main(["deploy", BUNDLE, "--host", HOST]) == 2
    assert "--host goes with --cell FILE" in capsys.readouterr().err
    assert main(["deploy", BUNDLE, "--lockstep"]) == 2
    assert "--lockstep is for virtual controllers" in capsys.readouterr().err
    assert main(["keygen", str(tmp_path / "shop")]) == 0
    public = next(
        path for path in tmp_path.iterdir() if path.suffix in (".pub", ".pem") and "pub" in path.name
    )
    capsys.readouterr()
    assert main(["deploy", BUNDLE, "--key", str(public), "--seconds", "1"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "is not signed" in err or "no signature" in err
    assert lines(err) == 1


def test_a_robot_that_feels_nothing_inserts_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = tmp_path / "cell.toml"
    cell.write_text(described(tmp_path).replace('"192.168.0.10"', f'"{HOST}"\nport = 6599'))
    robot = VirtualAbbEgm(bare_arm(0.004).plant, sensor_address=HOST, sensor_port=6599)
    robot.start()
    try:
        assert main(["deploy", BUNDLE, "--cell", str(cell), "--driver", "abb-egm", "--arm"]) == 2
        assert (
            "measures no wrench, which an insertion needs; a sensor at the wrist" in capsys.readouterr().err
        )
    finally:
        robot.close()


RSI_PORT, RSI_CYCLE_S = 49162, 0.012
ECHO = """
from RSIPI.rsi_echo_server import EchoServer
server = EchoServer({config!r}, delay_ms=12, mode="absolute", timeout_packets=5000)
server.state["RIst"] = dict(zip("XYZABC", {tool!r}))
server.state["AIPos"] = dict(zip(("A1", "A2", "A3", "A4", "A5", "A6"), {axes!r}))
server.base_pose = {{name: dict(server.state[name]) for name in ("RIst", "AIPos")}}
server.start()
"""


def test_a_robot_is_answered_while_a_session_in_real_time_gets_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """RSIPI's emulated controller counts the telegrams that are not answered in time."""
    made = cell_of(ENVIRONMENT, product="train", disturbances="none", seed=1)
    begun = made.plant.begin()
    made.plant.close()
    sensor = VirtualWrenchSensor(np.eye(4), address=HOST, port=0)
    sensor.start()
    ended = threading.Event()

    def feel() -> None:
        while not ended.wait(0.004):
            sensor.feel(np.zeros(6))

    felt = threading.Thread(target=feel)
    felt.start()
    text = described(tmp_path, {"wrench sensor": f"{HOST}:{sensor.port}"})
    cell = tmp_path / "cell.toml"
    cell.write_text(text.replace('"192.168.0.10"', f'"127.0.0.1"\nport = {RSI_PORT}'))
    config = rsi_configuration.written(tmp_path, port=RSI_PORT)
    tool, axes = rsi_telegrams.cartesian(begun.tool).tolist(), np.degrees(begun.joints_rad).tolist()
    entry = DRIVERS["kuka-rsi"]
    at_ipo = entry._replace(make=functools.partial(entry.make, cycle_s=RSI_CYCLE_S))
    monkeypatch.setitem(DRIVERS, "kuka-rsi", at_ipo)
    observe, waited_s = InsertionTask.observe, []

    def slow_at_first(task: InsertionTask, *given: Any) -> Any:
        if not waited_s:
            waited_s.append(4.0)
            time.sleep(waited_s[0])
        return observe(task, *given)

    monkeypatch.setattr(InsertionTask, "observe", slow_at_first)
    echo = Process(directory=tmp_path)
    try:
        echo.do(ECHO.format(config=config, tool=tool, axes=axes))
        code = main(["deploy", BUNDLE, "--cell", str(cell), "--driver", "kuka-rsi", "--seconds", "5"])
        missed = echo.ask("server.faulty_packets")
    finally:
        echo.close()
        ended.set()
        felt.join()
        sensor.close()
    told = capsys.readouterr()
    assert code == 0, told.err
    assert "connected, tool at" in told.out
    assert "dry run: nothing was sent" in told.out
    # A cycle of it takes twice as long where nothing comes.
    assert missed < 0.25 * waited_s[0] / RSI_CYCLE_S


def test_a_weld_burns_through_a_driver_a_coupler_and_a_seam_sensor(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = Bundle.load(zoo.path("weld-seam"))
    bundle = "zoo:weld-seam"
    cell = cell_of(shipped.spec.environment, product="train", disturbances="none", seed=1)
    station = cell.weld
    assert station is not None
    made = replace(cell, plant=SharedCameras(cell.plant, cell.cameras, cell.exposures, tmp_path))
    served: dict[str, Any] = {"address": HOST, "port": 0, "anywhere": False}
    served["time_s"] = lambda: station.time_s
    devices = VirtualCoupler(station, registers=map_of(station), **served), VirtualSeamHead(station, **served)
    robot = KINDS["abb-egm"].make(
        made, variant="pose", address=HOST, sensor_address=HOST, sensor_port=6598, lockstep=True
    )
    robot.patience_s = 60.0
    for each in (*devices, robot):
        each.start()
    file = tmp_path / "cell.toml"
    assert made.described is not None
    addresses = {each.name: f"{HOST}:{each.port}" for each in devices} | {
        "pool": f"shared:{tmp_path / 'pool'}"
    }
    file.write_text(made.described().text(RobotTable(driver="abb-egm", host=HOST, port=6598), addresses))
    try:
        options = ["--cell", str(file), "--arm", "--lockstep", "--seconds", "4.6"]
        assert main(["deploy", bundle, *options]) == 1
        told = capsys.readouterr().out
        assert "blended in" in told
        assert "HOLD" not in told
        assert "not done after 4.6 s" in told
        assert station.env._arc_time_s > 0.5
        assert station.env.wire.wire_m > 0.004
        assert not station._power.arc_on  # it goes out with the end
    finally:
        for each in (robot, *devices):
            each.close()
    text = file.read_text().replace("[seam_sensor]", "[seam]", 1)
    file.write_text(text.replace("[seam]", "[seams]", 1))
    assert main(["deploy", bundle, "--cell", str(file)]) == 2
    assert "seams" in capsys.readouterr().err
