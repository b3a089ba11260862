"""The cell of an insertion behind a controller: its episode begins with the robot's first motion."""

import numpy as np
import pytest

from cellwright_envs.assembly.cell import CellState
from cellwright_envs.virtual.insertion_station import InsertionStation
from cellwright_runtime.interface.force_loop import ForceLoop

PEG = "cellwright/PegInsertion-v1"
DOWN = np.array([0.0, 0.0, -1.0, 0.0, 0.0, 0.0])


def motion(station: InsertionStation, held_cycles: int) -> tuple[list[np.ndarray], list[np.ndarray], float]:
    """Tools, wrenches and the time of the last state of a motion after a wait."""
    start = station.begin().tool
    for _ in range(held_cycles):
        state = station.move_tool(start)
    np.testing.assert_array_equal(state.tool, start)
    tools, wrenches = [], []
    for cycle in range(40):
        state = station.move_tool(start + (cycle + 1) * 1e-4 * DOWN)
        tools.append(state.tool)
        wrenches.append(state.wrench)
    return tools, wrenches, state.time_s


def test_an_episode_does_not_depend_on_how_long_the_robot_stood() -> None:
    station = InsertionStation(PEG, seed=4, disturbances="train")
    short, long = motion(station, 3), motion(station, 400)
    np.testing.assert_array_equal(short[0], long[0])
    np.testing.assert_array_equal(short[1], long[1])
    assert np.ptp(np.array(short[0])[:, 2]) > 5e-4
    assert long[2] - short[2] == pytest.approx(397 * station.period_s)
    station.close()


def test_the_cameras_go_on_while_the_robot_stands() -> None:
    station = InsertionStation(PEG, seed=4, disturbances="train")
    start = station.begin().tool
    first = station.newest()
    for _ in range(60):
        state = station.move_tool(start)
    held = station.newest()
    assert held.number == first.number + 5  # one every 48 ms
    assert held.exposed_s == state.time_s
    np.testing.assert_array_equal(held.image, first.image)
    for _ in range(12):
        station.move_tool(start + 1e-3 * DOWN)
    assert (station.newest().image != held.image).any()
    station.close()


def test_a_first_target_elsewhere_is_a_motion() -> None:
    station = InsertionStation(PEG, seed=4, disturbances="none")
    start = station.begin().tool
    for _ in range(30):
        state = station.move_tool(start + 1e-3 * DOWN)
    assert start[2] - state.tool[2] > 5e-4
    station.close()


def test_a_peak_of_force_between_two_measurements_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    station = InsertionStation(PEG, seed=4, disturbances="none")
    start = station.begin().tool
    move, moved = station.env.cell.move, []

    def with_peak(*given: np.ndarray) -> CellState:
        moved.append(given)
        return move(*given)._replace(peak_force_n=77.0 if len(moved) == 3 else 0.0)

    monkeypatch.setattr(station.env.cell, "move", with_peak)
    periods = [[station.move_tool(start + 1e-3 * DOWN) for _ in range(12)] for _ in range(2)]
    assert len(moved) == sum(map(len, periods)) == 24
    assert station.env.measurement.peak_force_n == 77.0
    assert station.broken()
    assert station.env.reached.peak_force_n == 0.0  # that of its own period
    station.close()
    assert station.truth() == "broken"


def pressed(*, loop: bool, positions: bool) -> tuple[float, float]:
    """Force [N] of the fixture's rim on a part that is sent 1 mm into it, at the end, and the largest."""
    station = InsertionStation(PEG, seed=7, product="round-8-0.5", disturbances="none", positions=positions)
    start = station.begin()
    aside = start.tool + np.array([4e-3, 0.0, 0.0, 0.0, 0.0, 0.0])
    force_loop = ForceLoop(station.env.layout.controller, lag_s=0.045, period_s=station.period_s)
    force_loop.begin(start.tool)
    state, forces = start, []
    assert start.wrench is not None
    rim_m = station.env.cell.fixture_w[2, 3]
    for cycle in range(1500):
        along = min(1.0, cycle / 500)
        goal = start.tool + along * (aside - start.tool)
        if cycle > 500:
            goal[2] = max(rim_m - 1e-3, start.tool[2] - 3e-5 * (cycle - 500))
        assert state.wrench is not None
        wrench = state.wrench - start.wrench
        state = station.move_tool(force_loop.step(wrench, goal) if loop else goal)
        assert state.wrench is not None
        forces.append(float(state.wrench[2] - start.wrench[2]))
    station.close()
    return float(np.mean(forces[-100:])), max(forces)


def test_above_an_arm_that_takes_positions_the_force_loop_gives_way() -> None:
    own, own_peak = pressed(loop=False, positions=False)
    in_front, peak = pressed(loop=True, positions=True)
    without, _ = pressed(loop=False, positions=True)
    # A spring of 1500 N/m and a dead band of 1 N, 1 mm into the rim, give 2.5 N on a rigid part.
    assert own == pytest.approx(2.5, abs=0.5)
    assert in_front == pytest.approx(own, abs=0.01)
    assert peak == pytest.approx(own_peak, abs=0.3)
    assert without > 8.0
