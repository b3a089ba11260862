"""One weld: through a wire, through `SimDriver`, and in the environment itself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_envs.virtual.weld_station import WIRING, WeldStation
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.deployment.sessions import guarded_session
from cellwright_runtime.drivers.driver import RobotDriver, RobotState
from cellwright_runtime.drivers.modbus_power_source import CouplerMap, ModbusPowerSource
from cellwright_runtime.drivers.power_source import PowerSource
from cellwright_runtime.drivers.sim import SimDriver
from cellwright_runtime.envelope.declared import Box, limits_of
from cellwright_runtime.envelope.fences import PoseSpace, Space
from cellwright_runtime.envelope.inference import InstantInference
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.interface.path_correction import TaughtSeam
from cellwright_runtime.operation.match import require_match
from cellwright_runtime.operation.seam_sensor import WiredSeamSensor
from cellwright_runtime.operation.session import Session
from cellwright_runtime.operation.weld_task import SeamCamera, WeldTask
from cellwright_runtime.runtime import Runtime
from tools.closed_loop.clients import CLIENTS, options_of, within_tables
from tools.closed_loop.served import ServedCell, free_port

Array = NDArray[np.float64]
Taught = Callable[[SeamSensorGeometry], TaughtSeam]

AROUND_M = 0.03
"""The workspace: the taught path and this much around it, as `cellwright deploy` has it."""
LONGEST_S = 180.0
PATIENCE_S = 600.0
ANSWER_S = 50.0
BUSY_S = 30.0
"""Silence that is allowed: before its first setpoint a controller is in real time, and this computer busy."""
_HOLDS_S = 0.5
"""On the wall clock: by then a controller in lock-step has come to where it waits for the next setpoint."""
_BEFORE_S = -1e-3


@dataclass(frozen=True, kw_only=True)
class Weld:
    """What is to be welded."""

    bundle: Bundle
    seed: int
    disturbances: str = "train"
    products: str = "train"
    longest_s: float = LONGEST_S


class Ticks:
    """A session's clock, which counts cycles."""

    def __init__(self, cycle_s: float) -> None:
        self._cycle_s, self._count = cycle_s, 0
        self.begun = True

    def __call__(self) -> float:
        return self._count * self._cycle_s if self.begun else _BEFORE_S

    def tick(self) -> None:
        self._count += 1


class _Recording:
    """A driver that keeps a sum over all that went through it."""

    def __init__(self, driver: RobotDriver) -> None:
        self._driver, self.sum = driver, hashlib.sha256()
        self.mode, self.cycle_s, self.coasting_s = driver.mode, driver.cycle_s, driver.coasting_s
        self.lag_s = driver.lag_s

    def connect(self) -> RobotState:
        state = self._driver.connect()
        self.cycle_s = self._driver.cycle_s
        return state

    def read_state(self) -> RobotState:
        return self._driver.read_state()

    def prepare(self) -> None:
        self._driver.prepare()

    def send_setpoint(self, setpoint: Array) -> None:
        self.sum.update(setpoint.tobytes())
        self._driver.send_setpoint(setpoint)

    def stop(self) -> None:
        self._driver.stop()

    def close(self) -> None:
        self._driver.close()


def station_of(weld: Weld) -> WeldStation:
    """The cell of one seed, its part drawn."""
    station = WeldStation(
        weld.bundle.spec.environment,
        seed=weld.seed,
        products=weld.products,
        disturbances=weld.disturbances,
    )
    station.begin()
    return station


def through_wire(weld: Weld, name: str, *, host: str) -> dict[str, Any]:
    """Weld through the driver `name`, coupler and seam sensor, against the cell in a process of its own."""
    client, port = CLIENTS[name], free_port()
    station = station_of(weld)  # to learn the taught seam; nothing of it moves
    meters, taught = len(station.read().signals), station.seam_of
    try:
        served = ServedCell(
            client.controller,
            {
                "env": weld.bundle.spec.environment,
                "seed": weld.seed,
                "products": weld.products,
                "disturbances": weld.disturbances,
                "coupler-port": 0,
                "seam-sensor-port": 0,
                "lockstep": True,
                "patience": PATIENCE_S,
                **options_of(client, host=host, port=port),
            },
        )
        with served:
            told = over_wire(weld, name, taught, host=host, port=port, ports=served.ports, meters=meters)
    finally:
        station.close()
    return {"passed": served.passed(), **told, "counted": _counted(served.told)}


def over_wire(
    weld: Weld,
    name: str,
    taught: Taught,
    *,
    host: str,
    port: int,
    ports: Mapping[str, int],
    meters: int,
) -> dict[str, Any]:
    """Weld through the driver `name` against a controller in lock-step that is served already.

    `port` is where a driver listens, `ports` are those of `coupler` and `seam sensor`, `meters` is how many
    the source has.
    """
    client = CLIENTS[name]
    driver = _Recording(client.make(host, port))
    clock = Ticks(driver.cycle_s)
    power = ModbusPowerSource(
        host,
        WIRING,
        port=ports["coupler"],
        registers=CouplerMap(meter_count=meters),
        answer_s=ANSWER_S,
        clock=clock,
    )
    camera = WiredSeamSensor(host, ports["seam sensor"], deadline_s=ANSWER_S, clock=clock)
    camera.connect()
    try:
        return _run(
            weld,
            taught,
            camera,
            power,
            driver,
            clock,
            lambda limits: replace(within_tables(limits, name), silence_s=BUSY_S),
            client.space,
        )
    finally:
        camera.close()
        power.close()


def through_simulation(
    weld: Weld, at_the_end: Callable[[WeldStation], object] = lambda station: None
) -> dict[str, Any]:
    """The same session without a wire; `at_the_end` may look at the cell."""
    station = station_of(weld)
    try:
        driver = _Recording(SimDriver(station))
        clock = Ticks(driver.cycle_s)
        told = _run(weld, station.seam_of, station, station, driver, clock, lambda limits: limits, PoseSpace)
        at_the_end(station)
        return {"passed": list(station.passed()), **told}
    finally:
        station.close()


def in_environment(weld: Weld) -> dict[str, Any]:
    """The episode, with the same policy."""
    spec = weld.bundle.spec
    env: Any = gymnasium.make(
        spec.environment, product=weld.products, disturbances=weld.disturbances
    ).unwrapped
    runtime, begun_s = Runtime(weld.bundle), time.monotonic()
    observation, _ = env.reset(seed=weld.seed)
    steps, over = 0, False
    while not over and steps * spec.layout.control_period_s < weld.longest_s:
        action = runtime.decide(observation).action
        observation, _, terminated, truncated, _ = env.step(action)
        steps, over = steps + 1, terminated or truncated
    passed = [level for level, fine in env.scorecard().passed.items() if fine]
    told = {"passed": passed, "product": env.product.name, "decisions": steps}
    env.close()
    return told | {"seconds": round(time.monotonic() - begun_s, 1)}


def _run(
    weld: Weld,
    taught: Taught,
    camera: SeamCamera,
    power: PowerSource,
    driver: _Recording,
    clock: Ticks,
    narrowed: Callable[[Limits], Limits],
    space: Callable[[Limits, float], Space],
) -> dict[str, Any]:
    """A session from connecting to its end."""
    begun_s = time.monotonic()
    session = session_of(weld, taught, camera, power, driver, clock, narrowed, space)
    try:
        session.connect()
        clock.begun = False  # cycles without a decision: a controller that nobody moves yet is in real time
        session.cycle()
        session.arm()
        session.cycle()
        if not isinstance(driver._driver, SimDriver):
            time.sleep(_HOLDS_S)  # from its first setpoint on it waits for the next
        clock.begun = True
        session.start()
        session.cycle()
        while not session.over and clock() < weld.longest_s:
            clock.tick()
            session.cycle()
    finally:
        session.close()
    envelope = session.envelope
    return {
        "state": session.state.value,
        "reason": envelope.reason or session.done or "time is over",
        "holds": sum(each.state.value == "hold" for each in envelope.happenings),
        "decisions": session.decisions,
        "interventions": {stage.value: count for stage, count in envelope.tally.total.items() if count},
        "setpoints": driver.sum.hexdigest()[:16],
        "welded_s": round(clock(), 3),
        "seconds": round(time.monotonic() - begun_s, 1),
    }


def session_of(
    weld: Weld,
    taught: Taught,
    camera: SeamCamera,
    power: PowerSource,
    driver: RobotDriver,
    clock: Callable[[], float],
    narrowed: Callable[[Limits], Limits],
    space: Callable[[Limits, float], Space],
) -> Session:
    """As `cellwright deploy` makes one, for any driver."""
    spec = weld.bundle.spec
    safety = require_match(
        weld.bundle, robot=ur10e.MODEL, joint_names=ur10e.JOINT_NAMES, cycle_s=driver.cycle_s
    )
    task = WeldTask(spec.layout, taught, camera, power, cycle_s=driver.cycle_s)
    points = taught(task.interface.geometry).frames.points_w
    low, high = points.min(axis=0) - AROUND_M, points.max(axis=0) + AROUND_M
    limits = narrowed(limits_of(safety, boxes=[Box(low_m=low.tolist(), high_m=high.tolist())]))
    return guarded_session(
        weld.bundle,
        safety,
        task,
        driver,
        limits=limits,
        space=space(limits, driver.cycle_s),
        inference=InstantInference(Runtime(weld.bundle).decide),
        lag_s=0.1,
        name="closed loop",
        clock=clock,
    )


def _counted(told: str) -> str:
    lines = [line for line in told.splitlines() if ": " in line]
    return lines[0] if lines else ""
