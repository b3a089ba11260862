"""`cellwright virtual-controller`: what it says, and what it refuses in one line."""

import socket
from pathlib import Path

import pytest

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_train.cli import main
from tests.addresses import loopback

HOST = loopback()


def test_it_serves_a_cell_with_its_cameras_and_counts_what_came(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["virtual-controller", "ur", "--env", "cellwright/PegInsertion-v1", "--listen", HOST]
    assert main([*arguments, "--video-port", "0", "--seconds", "0.2"]) == 0
    served, video, counted, truth = capsys.readouterr().out.splitlines()
    assert served == f"ur at {HOST}, RTDE 30004, script 30003, dashboard 29999; Ctrl-C ends it"
    assert video.startswith(f"video: http://{HOST}:")
    assert video.endswith("/fixed")
    assert counted
    assert truth == "the simulated part: not seated"


def test_a_weld_has_a_coupler_and_a_seam_sensor_and_says_what_its_part_passes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    weld = Bundle.load(zoo.path("weld-seam")).spec.environment
    arguments = ["kuka-rsi", "--variant", "standing", "--env", weld, "--listen", HOST]
    ports = ["--coupler-port", "0", "--seam-sensor-port", "0"]
    assert main(["virtual-controller", *arguments, *ports, "--seconds", "0.2"]) == 0
    coupler, sensor, served, counted, truth = capsys.readouterr().out.splitlines()
    assert coupler.startswith(f"coupler at {HOST} port ")
    assert sensor.startswith(f"seam sensor at {HOST} port ")
    assert served.startswith(f"kuka-rsi at {HOST}, RSI to 127.0.0.1 port 49152")
    assert counted
    assert truth == "the simulated part: passes no level"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["urr"], "unknown controller 'urr'; did you mean 'ur'? known: ur, kuka-rsi, abb-egm, fanuc-stream"),
        (["ur", "--listen", "10.0.0.1"], "10.0.0.1 can be reached from outside of this computer"),
        (["ur", "--listen", "::1"], "'::1' is no IPv4 address"),
        (["ur", "--variant", "polyscope-6"], "unknown version 'polyscope-6'; known: polyscope-5"),
        (["abb-egm", "--variant", "axis"], "unknown guidance 'axis'; known: joint, pose, path"),
        (["kuka-rsi", "--variant", "x"], "unknown kind of correction 'x'; known: absolute, relative"),
        (["fanuc-stream", "--variant", "5"], "unknown version of Stream Motion '5'; known: 3, 4"),
        (["ur", "--sensor-port", "99"], "--sensor-port is for kuka-rsi and abb-egm; ur listens itself"),
        (["abb-egm", "--sensor-port", "70000"], "--sensor-port must be from 0 to 65535, got 70000"),
        (["abb-egm", "--sensor-port", "0"], "--sensor-port must be from 1 to 65535, got 0"),
        (["kuka-rsi", "--sensor", ".."], "--sensor must be a name or an address, such as 192.168.0.10"),
        (["kuka-rsi", "--sensor", ""], "--sensor must be a name or an address, such as 192.168.0.10, got ''"),
        (
            ["abb-egm", "--sensor", "nohost.invalid"],
            "--sensor nohost.invalid cannot be reached from 127.0.0.1:",
        ),
        (["abb-egm", "--sensor", "192.0.2.1"], "--sensor 192.0.2.1 cannot be reached from 127.0.0.1: "),
        (["ur", "--video-port", "0"], "--video-port needs a cell with cameras"),
        (["ur", "--coupler-port", "0"], "--coupler-port needs a cell that welds"),
        (["ur", "--seam-sensor-port", "0"], "--seam-sensor-port needs a cell that welds"),
        (["abb-egm", "--wrench-sensor-port", "0"], "--wrench-sensor-port needs a cell that feels forces"),
        (["ur", "--wrench-sensor-port", "65536"], "--wrench-sensor-port must be from 0 to 65535, got 65536"),
        (["ur", "--coupler-port", "-1"], "--coupler-port must be from 0 to 65535, got -1"),
        (["ur", "--patience", "0"], "--patience must be above 0 and at most 3600, got 0"),
        (["ur", "--seconds", "nan"], "--seconds must be more than 0, got nan"),
        (["ur", "--env", "cellwright/Nothing-v0"], "unknown environment 'cellwright/Nothing-v0'"),
        (["ur", "--env", "cellwright/PegInsertion-v1", "--products", "nothing"], "nothing"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["virtual-controller", *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert told in said.err
    assert said.err.count("\n") == 1


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server((HOST, 30004)):
        assert main(["virtual-controller", "ur", "--listen", HOST]) == 2
    assert capsys.readouterr().err == f"cellwright: cannot serve {HOST} port 30004: Address already in use\n"


def test_what_a_user_has_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames, cell = tmp_path / "frames", tmp_path / "cell.toml"
    frames.mkdir()
    (frames / "hand").write_text("mine")
    arguments = ["virtual-controller", "ur", "--env", "cellwright/PegInsertion-v1", "--listen", HOST]
    arguments += ["--seconds", "0.1", "--write-cell", str(cell), "--frames", str(frames)]
    assert main(arguments) == 2
    told = f"cellwright: {frames}/hand exists and would be lost; choose another directory or take it away\n"
    assert capsys.readouterr() == ("", told)
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]
    assert (frames / "hand").read_text() == "mine"

    (frames / "hand").unlink()
    assert main(arguments) == 0
    assert not list(frames.iterdir())
    assert f"\ncell: {cell}\n" in "\n" + capsys.readouterr().out
    written = cell.read_text()
    assert CellFile.read(cell).cell.robot.driver == "ur"
    assert main(arguments) == 2
    told = f"cellwright: {cell} exists and would be lost; choose another file or take it away\n"
    assert capsys.readouterr() == ("", told)
    assert cell.read_text() == written
