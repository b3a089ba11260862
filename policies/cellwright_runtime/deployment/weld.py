"""A weld in a real cell: the task, the seam sensor and the power source that a cell's file gives."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.taught_path import SeamFrames
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.camera.sources import open_source
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.cell.pool_pictures import PoolPictures
from cellwright_runtime.drivers.driver import Mode, RobotDriver
from cellwright_runtime.drivers.modbus_power_source import CouplerMap, ModbusPowerSource
from cellwright_runtime.drivers.polled_power_source import PolledPowerSource
from cellwright_runtime.drivers.power_source import FULL_V, PowerSource, Scale, Wiring
from cellwright_runtime.interface.path_correction import Programme, TaughtSeam
from cellwright_runtime.interface.torch_path import torch_rotations
from cellwright_runtime.operation.seam_sensor import WiredSeamSensor
from cellwright_runtime.operation.weld_task import WeldTask

Array = NDArray[np.float64]
Clock = Callable[[], float]

JOINTS_APPROACH_M_S = 0.012
"""Joints that stop make the tool faster for a moment. A torch that approaches at 20 mm/s, corrected at
10 mm/s in two directions, is as fast as it may be: sent as joints, it stuttered."""
_UNITS = {"wire_feed": "m/s", "voltage": "V"}


def weld_in(
    file: CellFile,
    bundle: Bundle,
    driver: RobotDriver,
    *,
    clock: Clock,
    waits_s: float | None,
    opened: ExitStack,
) -> WeldTask:
    """The task in this cell with this driver; what it opens is closed with `opened`.

    `waits_s` is how long sensor and source may be waited for in a cycle; None for a robot in real time,
    whose cycle does not wait. Raises `FileError` where the file lacks a table, DriverError where the sensor
    cannot be reached.
    """
    seam_of(file)  # what is wrong with it is said before anything is reached
    sensor = _sensor(file, clock, waits_s)
    sensor.connect()
    opened.callback(sensor.close)
    power = _power(file, clock, waits_s, opened)
    return WeldTask(
        bundle.spec.layout,
        seam_of(file),
        sensor,
        power,
        cycle_s=driver.cycle_s,
        approach_m_s=approach_of(driver),
        pool=pool_of(file, bundle, None if waits_s is None else clock, opened),
    )


def approach_of(driver: RobotDriver) -> float | None:
    """The speed over the lead-in for a driver; None for that of the policy's manifest."""
    return JOINTS_APPROACH_M_S if driver.mode is Mode.JOINT_POSITION else None


def seam_of(file: CellFile) -> Callable[[SeamSensorGeometry], TaughtSeam]:
    """What makes the taught seam of `[seam]`; raises `FileError` where it describes none."""
    seam = file.cell.seam
    if seam is None:
        raise file.refusal((), "needs the table [seam]: what is welded, and how")
    points = np.array(seam.points_m)
    normals = np.array(seam.normals)
    if len(normals) == 1:
        normals = np.repeat(normals, len(points), axis=0)
    try:
        frames = SeamFrames.taught(seam.joint, points, normals, seam.upright)
    except ValueError as error:
        raise file.refusal(("seam",), str(error)) from None
    programme = Programme(
        joint=seam.joint,
        thickness_m=seam.thickness_m,
        wire_feed_m_s=seam.wire_feed_m_s,
        voltage_v=seam.voltage_v,
        travel_speed_m_s=seam.travel_speed_m_s,
        contact_tip_distance_m=seam.contact_tip_distance_m,
        gap_m=seam.gap_m,
        work_angle_rad=seam.work_angle_rad,
        push_angle_rad=seam.push_angle_rad,
    )
    torch = torch_rotations(
        frames.rotations_w, work_angle_rad=seam.work_angle_rad, push_angle_rad=seam.push_angle_rad
    )
    return lambda geometry: TaughtSeam(programme, frames, torch, geometry)


def wiring_of(file: CellFile) -> tuple[Wiring, CouplerMap]:
    """What the coupler's outputs mean, and where its signals are; raises `FileError` where one is missing."""
    cell, source = file.cell, file.cell.power_source
    if source is None:
        raise file.refusal((), "needs the table [power_source]: the coupler of the welding power source")
    scales, registers = {}, {}
    for name, unit in _UNITS.items():
        index = next((at for at, each in enumerate(cell.analogue_output) if each.name == name), None)
        if index is None:
            raise file.refusal((), f"needs an [[analogue_output]] named {name!r}")
        output = cell.analogue_output[index]
        place = ("analogue_output", index)
        if output.unit != unit:
            raise file.refusal((*place, "unit"), f"must be {unit!r}, got {output.unit!r}")
        slope = (output.high - output.low) / (output.volts[1] - output.volts[0])
        at_0_v = output.low - output.volts[0] * slope
        try:
            scales[name] = Scale(unit=unit, at_0_v=at_0_v, at_10_v=at_0_v + FULL_V * slope)
        except ValueError as error:
            raise file.refusal(place, str(error)) from None
        registers[name] = output.channel
    for key, name in (
        ("digital_output", "arc_on"),
        ("digital_input", "arc_established"),
        ("digital_input", "ready"),
    ):
        signals = getattr(cell, key)
        index = next((at for at, each in enumerate(signals) if each.name == name), None)
        if index is None:
            raise file.refusal((), f"needs a [[{key}]] named {name!r}")
        if signals[index].inverted:
            raise file.refusal((key, index, "inverted"), "is not possible behind a coupler; turn it there")
        registers[name] = signals[index].channel
    try:
        found = CouplerMap(
            **registers,
            full_count=source.full_count,
            meters=source.meters,
            meter_count=source.meter_count,
        )
    except ValueError as error:
        raise file.refusal(("power_source",), str(error)) from None
    return Wiring(wire_feed=scales["wire_feed"], voltage=scales["voltage"]), found


def _sensor(file: CellFile, clock: Clock, waits_s: float | None) -> WiredSeamSensor:
    sensor = file.cell.seam_sensor
    if sensor is None:
        raise file.refusal((), "needs the table [seam_sensor]: the head in front of the torch")
    deadline = {} if waits_s is None else {"deadline_s": waits_s}
    return WiredSeamSensor(sensor.host, sensor.port, clock=clock, **deadline)


def pool_of(file: CellFile, bundle: Bundle, clock: Clock | None, opened: ExitStack) -> PoolPictures | None:
    """The pool camera of a policy that was trained with one, closed with `opened`.

    `clock` is that of `PoolPictures`. Raises `FileError` where the file has none, `CameraError` where it is
    not there.
    """
    layout, camera = bundle.spec.layout, file.cell.pool_camera
    if not layout.controller.has("pool_across"):
        return None
    if camera is None:
        raise file.refusal((), "needs the table [pool_camera]: this policy sees the weld pool")
    pictures = PoolPictures(
        open_source(camera.source), size_px=layout.image_size_px, exposure_s=camera.exposure_s, clock=clock
    )
    opened.callback(pictures.close)
    return pictures


def _power(file: CellFile, clock: Clock, waits_s: float | None, opened: ExitStack) -> PowerSource:
    wiring, registers = wiring_of(file)
    source = file.cell.power_source
    assert source is not None  # `wiring_of` has refused that
    answer = {} if waits_s is None else {"answer_s": waits_s}
    power = ModbusPowerSource(
        source.host, wiring, port=source.port, unit=source.unit, registers=registers, clock=clock, **answer
    )
    opened.callback(power.close)
    if waits_s is not None:
        return power
    polled = PolledPowerSource(power, clock=clock)
    opened.callback(polled.close)
    return polled
