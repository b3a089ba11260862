"""One weld in lock-step: through a wire, and through `SimDriver`."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_envs.virtual.weld_station import WIRING, WeldStation
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_runtime.camera.sources import FrameSource, SharedFrames
from cellwright_runtime.cell.pool_pictures import PoolPictures
from cellwright_runtime.deployment.above import DriverAbove
from cellwright_runtime.deployment.sessions import guarded_session
from cellwright_runtime.deployment.weld import approach_of
from cellwright_runtime.drivers.driver import RobotDriver
from cellwright_runtime.drivers.modbus_power_source import CouplerMap, ModbusPowerSource
from cellwright_runtime.drivers.power_source import PowerSource
from cellwright_runtime.drivers.sim import SimDriver
from cellwright_runtime.envelope.declared import Box, limits_of
from cellwright_runtime.envelope.fences import PoseSpace, Space
from cellwright_runtime.envelope.inference import InstantInference
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.states import State
from cellwright_runtime.interface.path_correction import TaughtSeam
from cellwright_runtime.operation.match import require_match
from cellwright_runtime.operation.seam_sensor import WiredSeamSensor
from cellwright_runtime.operation.session import Session
from cellwright_runtime.operation.task import Camera
from cellwright_runtime.operation.weld_task import SeamCamera, WeldTask
from cellwright_runtime.runtime import Runtime
from tools.closed_loop.clients import CLIENTS, options_of, within_tables
from tools.closed_loop.parts import Part
from tools.closed_loop.served import ServedCell, frames_in_memory, free_port

Array = NDArray[np.float64]
Taught = Callable[[SeamSensorGeometry], TaughtSeam]

AROUND_M = 0.03
"""The workspace: the taught path and this much around it, as `cellwright deploy` has it."""
PATIENCE_S = 600.0
ANSWER_S = 50.0
BUSY_S = 30.0
"""Silence that is allowed: before its first setpoint a controller is in real time, and this computer busy."""
_HOLDS_S = 0.5
"""On the wall clock: by then a controller in lock-step has come to where it waits for the next setpoint."""
_BEFORE_S = -1e-3


class Ticks:
    """A session's clock, which counts cycles."""

    def __init__(self, cycle_s: float) -> None:
        self._cycle_s, self._count = cycle_s, 0
        self.begun = True

    def __call__(self) -> float:
        return self._count * self._cycle_s if self.begun else _BEFORE_S

    def tick(self) -> None:
        self._count += 1


class _Recording(DriverAbove):
    """A driver that keeps a sum over all that went through it."""

    def __init__(self, driver: RobotDriver) -> None:
        super().__init__(driver)
        self.sum = hashlib.sha256()

    def send_setpoint(self, setpoint: Array) -> None:
        self.sum.update(setpoint.tobytes())
        super().send_setpoint(setpoint)


def station_of(weld: Part) -> WeldStation:
    """The cell of one seed, its part drawn."""
    station = WeldStation(
        weld.bundle.spec.environment,
        seed=weld.seed,
        products=weld.products,
        disturbances=weld.disturbances,
    )
    station.begin()
    return station


def through_wire(weld: Part, name: str, *, host: str) -> dict[str, Any]:
    """Weld through the driver `name`, coupler and seam sensor, against the cell in a process of its own."""
    client, port = CLIENTS[name], free_port()
    station = station_of(weld)  # to learn the taught seam; nothing of it moves
    meters, taught, sees_pool = len(station.read().signals), station.seam_of, station.pool is not None
    try:
        with frames_in_memory() as frames:
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
                    **({"frames": frames} if sees_pool else {}),
                    **options_of(client, host=host, port=port),
                },
            )
            with served:
                told = over_wire(
                    weld,
                    name,
                    taught,
                    host=host,
                    port=port,
                    ports=served.ports,
                    meters=meters,
                    pool=SharedFrames(frames / "pool") if sees_pool else None,
                )
    finally:
        station.close()
    return {"verdict": served.truth(), **told, "counted": served.counted()}


def over_wire(
    weld: Part,
    name: str,
    taught: Taught,
    *,
    host: str,
    port: int,
    ports: Mapping[str, int],
    meters: int,
    pool: FrameSource | None,
) -> dict[str, Any]:
    """Weld through the driver `name` against a controller in lock-step that is served already.

    `port` is where a driver listens, `ports` are those of `coupler` and `seam sensor`, `meters` is how many
    the source has, and `pool` gives the pictures of its pool camera, where it has one.
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
    size_px = weld.bundle.spec.layout.image_size_px
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
            None if pool is None else PoolPictures(pool, size_px=size_px, clock=clock),
        )
    finally:
        camera.close()
        power.close()


def through_simulation(
    weld: Part, at_the_end: Callable[[WeldStation], object] = lambda station: None
) -> dict[str, Any]:
    """The same session without a wire; `at_the_end` may look at the cell."""
    station = station_of(weld)
    try:
        driver = _Recording(SimDriver(station))
        clock = Ticks(driver.cycle_s)
        told = _run(
            weld,
            station.seam_of,
            station,
            station,
            driver,
            clock,
            lambda limits: limits,
            PoseSpace,
            station.pool,
        )
        at_the_end(station)
        return {"verdict": station.truth(), **told}
    finally:
        station.close()


def _run(
    weld: Part,
    taught: Taught,
    camera: SeamCamera,
    power: PowerSource,
    driver: _Recording,
    clock: Ticks,
    narrowed: Callable[[Limits], Limits],
    space: Callable[[Limits, float], Space],
    pool: Camera | None,
) -> dict[str, Any]:
    """A session from connecting to its end."""
    begun_s = time.monotonic()
    session = session_of(weld, taught, camera, power, driver, clock, narrowed, space, pool)
    try:
        session.connect()
        clock.begun = False  # cycles without a decision: a controller that nobody moves yet is in real time
        session.cycle()
        session.arm()
        session.cycle()
        if not isinstance(driver.below, SimDriver):
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
        "holds": [each.detail for each in envelope.happenings if each.state is State.HOLD],
        "decisions": session.decisions,
        "interventions": {stage.value: count for stage, count in envelope.tally.total.items() if count},
        "setpoints": driver.sum.hexdigest()[:16],
        "welded_s": round(clock(), 3),
        "seconds": round(time.monotonic() - begun_s, 1),
    }


def session_of(
    weld: Part,
    taught: Taught,
    camera: SeamCamera,
    power: PowerSource,
    driver: RobotDriver,
    clock: Callable[[], float],
    narrowed: Callable[[Limits], Limits],
    space: Callable[[Limits, float], Space],
    pool: Camera | None,
) -> Session:
    """As `cellwright deploy` makes one, for any driver."""
    spec = weld.bundle.spec
    safety = require_match(
        weld.bundle, robot=ur10e.MODEL, joint_names=ur10e.JOINT_NAMES, cycle_s=driver.cycle_s
    )
    task = WeldTask(
        spec.layout,
        taught,
        camera,
        power,
        cycle_s=driver.cycle_s,
        pool=pool,
        approach_m_s=approach_of(driver),
    )
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
