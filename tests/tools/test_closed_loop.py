"""Welds through each vendor's driver, coupler and seam sensor in lock-step: a few tenths of a second of arc.

Whole welds are those of `python -m tools.closed_loop`.
"""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from cellwright_envs.virtual.catalogue import KINDS
from cellwright_envs.virtual.cells import cell_of
from cellwright_envs.virtual.coupler import VirtualCoupler, map_of
from cellwright_envs.virtual.seam_head import VirtualSeamHead
from cellwright_envs.virtual.weld_station import PoolView, WeldStation
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.camera.sources import Frame
from tests.addresses import loopback
from tools.closed_loop import __main__ as command
from tools.closed_loop.clients import CLIENTS
from tools.closed_loop.deployed import _read, through_deploy
from tools.closed_loop.parts import Part
from tools.closed_loop.results import Agreement
from tools.closed_loop.served import ServedCell, ServedError, free_port
from tools.closed_loop.welds import PATIENCE_S, over_wire, through_simulation, through_wire
from tools.envelope.workplace import safety

SHIPPED = Bundle.load(zoo.path("weld-seam"))
BUNDLE = SHIPPED if SHIPPED.safety is not None else replace(SHIPPED, safety=safety(SHIPPED.spec))
WELD = Part(bundle=BUNDLE, seed=100_000, disturbances="none", longest_s=2.4)
IN_THREADS = ("kuka-rsi", "abb-egm", "fanuc-stream")
JOINTS_LONGEST_S = 3.2
"""A robot that is sent joints approaches more slowly."""


@dataclass(frozen=True)
class Reached:
    """Where a weld has come to."""

    told: dict[str, Any]
    wire_m: float
    lateral_m: float
    periods: int
    """Control periods with an arc."""

    @classmethod
    def of(cls, station: WeldStation, told: dict[str, Any]) -> "Reached":
        wire = station.env.wire
        return cls(told, wire.wire_m, wire.lateral_error_m, len(station.env._errors_m))


class InMemory:
    """A station's pool camera as a source of frames."""

    def __init__(self, pool: PoolView) -> None:
        self._pool = pool

    def read(self) -> Frame:
        newest = self._pool.newest()
        return Frame(image=newest.image[0], number=newest.number, time_s=newest.exposed_s)

    def close(self) -> None:
        """Nothing is held."""


@contextlib.contextmanager
def served(name: str, host: str, port: int) -> Iterator[tuple[WeldStation, dict[str, int]]]:
    """The weld's cell behind controller, coupler and seam sensor, in threads of this process."""
    client, kind = CLIENTS[name], KINDS[CLIENTS[name].controller]
    cell = cell_of(BUNDLE.spec.environment, product="train", disturbances="none", seed=WELD.seed)
    assert cell.weld is not None
    station = cell.weld
    options: dict[str, Any] = {"sensor_port": port} if client.listens else {}
    controller = kind.make(cell, variant=client.variant, address=host, lockstep=True, **options)
    controller.patience_s = PATIENCE_S
    common: dict[str, Any] = {"time_s": lambda: station.time_s, "address": host, "port": 0}
    devices = [
        VirtualCoupler(station, registers=map_of(station), **common),
        VirtualSeamHead(station, **common),
    ]
    for device in (*devices, controller):
        device.start()  # type: ignore[attr-defined]
    yield station, {device.name: device.port for device in devices}
    for device in (controller, *devices):
        device.close()  # type: ignore[attr-defined]
        assert device.failure is None  # type: ignore[attr-defined]


def welded(name: str, *, longest_s: float = WELD.longest_s) -> Reached:
    host, port = loopback(), free_port()
    with served(name, host, port) as (station, ports):
        meters = len(station.read().signals)
        assert station.pool is not None
        told = over_wire(
            replace(WELD, longest_s=longest_s),
            name,
            station.seam_of,
            host=host,
            port=port,
            ports=ports,
            meters=meters,
            pool=InMemory(station.pool),
        )
        return Reached.of(station, told)


@pytest.fixture(scope="module")
def simulated() -> Reached:
    """The same without a wire."""
    kept = []

    def keeps(station: WeldStation) -> None:
        kept.append(Reached.of(station, {}))

    told = through_simulation(WELD, at_the_end=keeps)
    return replace(kept[0], told=told)


@pytest.mark.parametrize("name", IN_THREADS)
def test_an_arc_strikes_where_it_does_without_a_wire(name: str, simulated: Reached) -> None:
    joints = CLIENTS[name].joints
    longest_s = JOINTS_LONGEST_S if joints else WELD.longest_s
    reached = welded(name, longest_s=longest_s)
    assert reached.told["state"] == "running", reached.told
    assert reached.told["holds"] == []
    assert set(reached.told["interventions"]) <= {"motion"}  # where the torch slows down for its seam
    assert min(reached.periods, simulated.periods) > 4
    if joints:
        assert abs(reached.lateral_m) < 0.3e-3
        return
    assert reached.told["decisions"] == pytest.approx(simulated.told["decisions"], abs=1)
    assert reached.periods == pytest.approx(simulated.periods, abs=1)
    assert reached.wire_m == pytest.approx(simulated.wire_m, abs=0.3e-3)
    assert reached.lateral_m == pytest.approx(simulated.lateral_m, abs=0.1e-3)


def test_one_seed_gives_one_weld() -> None:
    first, again = (welded("abb-egm") for _ in range(2))
    assert first.told["setpoints"] == again.told["setpoints"]
    assert (first.wire_m, first.lateral_m, first.periods) == (again.wire_m, again.lateral_m, again.periods)


def test_ur_welds_against_the_command_in_a_process_of_its_own(simulated: Reached) -> None:
    """ur-rtde in the process of its controller would wait for itself."""
    told = through_wire(WELD, "ur", host=loopback())
    assert told["state"] == "running", told["reason"]
    assert told["decisions"] == pytest.approx(simulated.told["decisions"], abs=1)
    assert told["verdict"] == "passes no level"  # most of the seam is not welded
    assert "rtde: packages of inputs" in told["counted"]
    assert "coupler: requests" in told["counted"]


def test_results_are_kept_after_each_part_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[tuple[str, int]] = []

    def worked(part: Part, name: str, host: str, *, real_time: bool) -> dict[str, Any]:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append((name, part.seed))
        verdict = "passes D" if name == "ur" and part.seed == 8 else "passes C, D"
        return {"verdict": verdict, "product": "some-seam", "reason": "seam done", "seconds": 1.0}

    monkeypatch.setattr(command, "_worked", worked)
    asked = ["closed_loop", "ur", "zoo:weld-seam", "--seeds", "7..8", "--json", str(tmp_path / "found.json")]
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(KeyboardInterrupt):
        command.main()
    assert len(done) == 3
    done[:] = done[-1:]
    assert command.main() == 1
    assert done == [("environment", 8), ("ur", 8)]
    told = capsys.readouterr().out
    assert "8 some-seam: environment passes C, D; ur passes D; seam done" in told
    assert "ur: 1 of 2 verdicts are those of the environment (0.013 to 0.987); good parts 1 and 2" in told
    monkeypatch.setattr(sys, "argv", [*asked, "--disturbances", "none"])
    with pytest.raises(SystemExit, match=r"has results of .*; take another file"):
        command.main()
    monkeypatch.setattr(sys, "argv", [*asked, "--real-time"])
    with pytest.raises(SystemExit, match=r"'time': 'lock-step'.*'time': 'real time'"):
        command.main()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["sim", "zoo:weld-seam", "--real-time"], "--real-time is for a controller"),
        (
            ["fanuc-stream", "zoo:peg-insertion"],
            "fanuc-stream answers a force too late for an insertion; those go through ur, kuka-rsi, abb-egm",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(
    asked: list[str], told: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["closed_loop", *asked])
    with pytest.raises(SystemExit) as ended:
        command.main()
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("reason", "verdict", "code"),
    [("seated", "seated", 0), ("seated", "broken", 1), ("time is over", "seated", 1)],
)
def test_a_session_that_takes_its_part_for_what_it_is_not_is_told(
    reason: str,
    verdict: str,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    told = {"verdict": verdict, "product": "some-peg", "reason": reason, "seconds": 1.0}
    monkeypatch.setattr(command, "_worked", lambda part, name, host, *, real_time: told)
    found = tmp_path / "found.json"
    asked = ["closed_loop", "kuka-rsi", "zoo:peg-insertion", "--seeds", "3..3", "--json", str(found)]
    monkeypatch.setattr(sys, "argv", asked)
    assert command.main() == code
    said = "sessions that took their part for what it is not: 3" in capsys.readouterr().out
    assert said == (code == 1)


def test_a_robot_without_a_wrench_inserts_with_a_sensor_at_its_wrist() -> None:
    """Both commands, as they are started for a part, for a moment of its insertion."""
    bundle = Bundle.load(zoo.path("peg-insertion"))
    part = Part(bundle=bundle, seed=300_000, disturbances="none", longest_s=0.1)
    told = through_deploy(part, "kuka-rsi", host="127.0.92.31", lockstep=True)
    assert told["verdict"] == "not seated"
    assert told["reason"] == "not done after 3.3 s"
    assert told["decisions"] > 10
    assert told["holds"] == []
    assert "wrench sensor: requests: 2" in told["counted"]  # the stream was begun and ended


def test_agreement_has_exact_bounds() -> None:
    all_same = Agreement([("seated", "seated")] * 200)
    low, high = all_same.interval(all_same.same)
    assert (low, high) == (pytest.approx(0.025 ** (1 / 200)), 1.0)  # by hand: all of n successes
    assert all_same.p_value == 1.0
    worse = Agreement([("seated", "seated")] * 95 + [("seated", "not seated")] * 5)
    assert (worse.same, worse.good) == (95, (100, 95))
    assert worse.p_value == pytest.approx(2 * 0.5**5)  # by hand: five signs of five
    assert Agreement([("passes no level", "passes B, C, D"), ("passes D", "passes C, D")]).good == (0, 2)
    assert Agreement([]).text("ur") == "ur: no part yet"


def test_what_deploy_said_is_read() -> None:
    told = """\
   1.000 s  ARMED     armed
   4.120 s  HOLD      a source is too old: seam sensor is 240 ms old, 200 are allowed
   5.004 s  BLENDING  goes on
17 of 5000 cycles more than 2 ms late, the worst by 6.1 ms
412 decisions, interventions: observation 3, motion 2
seam done
"""
    assert _read(told) == {
        "reason": "seam done",
        "holds": ["a source is too old: seam sensor is 240 ms old, 200 are allowed"],
        "decisions": 412,
        "interventions": "observation 3, motion 2",
        "late": 17,
        "cycles": 5000,
        "worst_ms": 6.1,
    }
    stopped = told.removesuffix("seam done\n").replace("BLENDING  goes on", "STOPPED   the arc went out")
    assert _read(stopped)["reason"] == "5.004 s  STOPPED   the arc went out"


def test_a_command_that_does_not_start_says_why() -> None:
    with pytest.raises(ServedError, match="did not start: cellwright: unknown controller 'fanuc'"):
        ServedCell("fanuc", {}).__enter__()
