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
from cellwright_envs.virtual.weld_station import WeldStation
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from tools.closed_loop import __main__ as command
from tools.closed_loop.clients import CLIENTS
from tools.closed_loop.served import ServedCell, ServedError, free_port
from tools.closed_loop.welds import PATIENCE_S, Weld, over_wire, through_simulation, through_wire
from tools.envelope.workplace import safety

SHIPPED = Bundle.load(zoo.path("weld-seam"))
BUNDLE = SHIPPED if SHIPPED.safety is not None else replace(SHIPPED, safety=safety(SHIPPED.spec))
WELD = Weld(bundle=BUNDLE, seed=100_000, disturbances="none", longest_s=1.8)
IN_THREADS = ("kuka-rsi", "abb-egm", "fanuc-stream")


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


def welded(name: str, host: str) -> Reached:
    port = free_port()
    with served(name, host, port) as (station, ports):
        meters = len(station.read().signals)
        told = over_wire(WELD, name, station.seam_of, host=host, port=port, ports=ports, meters=meters)
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
    reached = welded(name, f"127.0.92.{1 + IN_THREADS.index(name)}")
    assert reached.told["state"] == "running", reached.told["reason"]
    assert reached.told["interventions"] == {}
    assert reached.told["decisions"] == pytest.approx(simulated.told["decisions"], abs=1)
    assert simulated.periods > 4
    assert reached.periods == pytest.approx(simulated.periods, abs=1)
    assert reached.wire_m == pytest.approx(simulated.wire_m, abs=0.3e-3)
    assert reached.lateral_m == pytest.approx(simulated.lateral_m, abs=0.1e-3)


def test_one_seed_gives_one_weld() -> None:
    first, again = (welded("abb-egm", f"127.0.92.{number}") for number in (11, 12))
    assert first.told["setpoints"] == again.told["setpoints"]
    assert (first.wire_m, first.lateral_m, first.periods) == (again.wire_m, again.lateral_m, again.periods)


def test_ur_welds_against_the_command_in_a_process_of_its_own(simulated: Reached) -> None:
    """ur-rtde in the process of its controller would wait for itself."""
    told = through_wire(WELD, "ur", host="127.0.92.21")
    assert told["state"] == "running", told["reason"]
    assert told["decisions"] == pytest.approx(simulated.told["decisions"], abs=1)
    assert told["passed"] == []  # most of the seam is not welded
    assert "rtde: packages of inputs" in told["counted"]
    assert "coupler: requests" in told["counted"]


def test_results_are_kept_after_each_seed_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done: list[tuple[str, int]] = []

    def welded(weld: Weld, name: str, host: str) -> dict[str, Any]:
        if len(done) == 5:
            raise KeyboardInterrupt
        done.append((name, weld.seed))
        return {"passed": ["D"] if name == "ur" and weld.seed == 8 else ["C", "D"], "seconds": 1.0}

    monkeypatch.setattr(command, "_welded", welded)
    asked = ["closed_loop", "ur", "zoo:weld-seam", "--seeds", "7..8", "--json", str(tmp_path / "found.json")]
    monkeypatch.setattr(sys, "argv", asked)
    with pytest.raises(KeyboardInterrupt):
        command.main()
    assert len(done) == 5
    done[:] = done[-1:]
    assert command.main() == 1
    assert done == [("simulation", 8), ("ur", 8)]
    assert "ur: 1 of 2 verdicts are those of the environment" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", [*asked, "--disturbances", "none"])
    with pytest.raises(SystemExit, match=r"has results of .*; take another file"):
        command.main()


def test_a_command_that_does_not_start_says_why() -> None:
    with pytest.raises(ServedError, match="did not start: cellwright: unknown controller 'fanuc'"):
        ServedCell("fanuc", {}).__enter__()
