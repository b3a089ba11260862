"""The drivers of real controllers as a session takes them: what is sent, from where, and how late."""

from __future__ import annotations

import math
import socket
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverted, product
from cellwright_runtime.cell.cell_file import CellFile, transform
from cellwright_runtime.deployment.correcting import Corrected
from cellwright_runtime.drivers import fanuc_stream, kuka_rsi
from cellwright_runtime.drivers.catalogue import entry, make_driver
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotDriver, RobotState
from cellwright_runtime.drivers.fanuc_stream import FanucStreamDriver
from cellwright_runtime.drivers.kuka_rsi import CORRECTION_RAD
from cellwright_runtime.envelope.fences import JointSpace, PoseSpace, Space
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.interface.placing import pose_of, transform_of
from cellwright_runtime.kinematics import forward_kinematics

Array = NDArray[np.float64]

TABLE_MARGIN = 0.9
"""Of the controller's tables that the envelope plans with: setpoints are differences over whole cycles."""
_CYCLES_MS = {
    name: tuple(round(1e3 * each) for each in cycles_s)
    for name, cycles_s in (("kuka-rsi", kuka_rsi.CYCLES_S), ("fanuc-stream", fanuc_stream.CYCLES_S))
}
"""Of drivers whose controllers have more than one."""
_OWN = {
    "correction_m": ("kuka-rsi", "most_m"),
    "correction_rad": ("kuka-rsi", "most_rad"),
    "sensor": ("kuka-rsi", "sensor"),
    "missed_answers": ("kuka-rsi", "missed"),
    "comm_timeout_s": ("abb-egm", "comm_timeout_s"),
    "load": ("fanuc-stream", "load"),
}
"""Keys of `[robot]` for one driver alone: the driver, and its option."""
_TOOL_OFF_M, _TOOL_OFF_RAD = 5e-3, 0.05
"""How far the controller's tool may be from that of the nominal kinematics: real arms are off by a millimetre
or two."""


def driver_for(file: CellFile, name: str, host: str, *, arm: bool, **options: Any) -> RobotDriver:
    """The driver of a cell's robot; without `arm` it only observes, so that nothing can move.

    Raises DriverError, one line, for a name that it does not have and a host that cannot be found, and
    `FileError` for a port where it has no choice.
    """
    robot = file.cell.robot
    if not entry(name).listens:
        if robot.port:
            raise file.refusal(
                ("robot", "port"), f"must be left out: the ports of the driver {name} are fixed"
            )
        _require_found(name, host)
    given: dict[str, Any] = {"port": robot.port or None}
    if robot.cycle_ms is not None:
        if name not in _CYCLES_MS:
            raise file.refusal(
                ("robot", "cycle_ms"), f"is for {' and '.join(_CYCLES_MS)}; {name} has one cycle only"
            )
        if robot.cycle_ms not in _CYCLES_MS[name]:
            known = " or ".join(map(str, _CYCLES_MS[name]))
            raise file.refusal(("robot", "cycle_ms"), f"must be {known} for {name}, got {robot.cycle_ms}")
        given["cycle_s"] = robot.cycle_ms * 1e-3
    for key, (owner, option) in _OWN.items():
        if (value := getattr(robot, key)) is not None:
            if name != owner:
                raise file.refusal(("robot", key), f"is for {owner}; leave it out for {name}")
            given[option] = value
    if name == "fanuc-stream":
        given["tool_from_flange"] = tool_from_flange(file)
    options |= {key: value for key, value in given.items() if value is not None}
    driver = make_driver(name, entry(name).deployed if arm else Mode.OBSERVE, host=host, **options)
    return Corrected(driver) if driver.mode is Mode.TOOL_CORRECTION else driver


def _require_found(name: str, host: str) -> None:
    try:
        socket.getaddrinfo(host, None, socket.AF_INET)
    except OSError as error:
        raise DriverError(
            f"the driver {name} cannot find its controller {host!r}: {error.strerror}"
        ) from None


def controller_limits(file: CellFile, name: str, host: str, limits: Limits, *, cycle_s: float) -> Limits:
    """The limits that also keep those of the controller's own interface.

    FANUC's tells tables, which a driver that observes asks for. An RSI turns the tool no further from where
    its own program has it than its correction may; a correction of half a turn covers every orientation.
    Raises DriverError where the controller is not there, or has another cycle than `cycle_s`.
    """
    if name == "kuka-rsi":
        most_rad = file.cell.robot.correction_rad or CORRECTION_RAD
        return limits if most_rad >= math.pi else limits.within_turn(most_rad)
    if name != "fanuc-stream":
        return limits
    load = file.cell.robot.load
    driver = FanucStreamDriver(host, Mode.OBSERVE, load=1.0 if load is None else load, cycle_s=cycle_s)
    driver.connect()
    tables = driver.tables
    driver.close()
    if tables is None:
        return limits
    speed, acceleration, jerk = (TABLE_MARGIN * tables.values.min(axis=2)).tolist()
    joints = limits.joints
    return replace(
        limits,
        joints=replace(
            joints,
            velocity=tuple(map(min, joints.velocity, speed)),
            acceleration=tuple(map(min, joints.acceleration, acceleration)),
            jerk=tuple(map(min, joints.jerk, jerk)),
        ),
    )


def space_for(driver: RobotDriver, file: CellFile, limits: Limits) -> Space:
    """The coordinates in which the envelope guards what this driver sends."""
    if driver.mode is Mode.JOINT_POSITION:
        return JointSpace(limits, driver.cycle_s, tool_from_flange(file))
    return PoseSpace(limits, driver.cycle_s)


def motion_lag_s(driver: RobotDriver, file: CellFile) -> float:
    """From a setpoint to the motion that follows it: as measured in this cell, else as the driver says."""
    measured = file.cell.robot.motion_lag_s
    return driver.lag_s if measured is None else measured


def tool_from_flange(file: CellFile) -> Array:
    """(4, 4) of `[tool]`; raises `FileError` where the file has none."""
    if file.cell.tool is None:
        raise file.refusal((), "needs the table [tool]: the policy's tool frame in the flange's")
    return transform(file.cell.tool)


def require_tool(file: CellFile, state: RobotState, name: str) -> None:
    """Raise `FileError` unless the tool of the controller behind the driver `name` is that of the file.

    The tool that it reports is held against `[tool]` on the nominal kinematics of its joints. FANUC's stream
    tells the flange, so this holds the frames that are active there.
    """
    wanted = product(forward_kinematics(state.joints_rad), tool_from_flange(file))
    off = product(inverted(wanted), transform_of(state.tool))
    away_m = math.hypot(*off[:3, 3].tolist())
    turned_rad = math.hypot(*pose_of(off)[3:].tolist())
    if away_m > _TOOL_OFF_M or turned_rad > _TOOL_OFF_RAD:
        off_by = f"{1e3 * away_m:.0f} mm and {math.degrees(turned_rad):.0f} degrees"
        if name == "fanuc-stream":
            raise DriverError(
                f"the pose that Stream Motion tells is {off_by} from the flange of the joints that it tells; "
                "set the active UFRAME and UTOOL of the controller to 0"
            )
        raise file.refusal(
            ("tool",), f"is not the tool of the controller, which is {off_by} from it; set the same one there"
        )
