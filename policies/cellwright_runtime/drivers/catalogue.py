"""The drivers of robot controllers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from cellwright_runtime.drivers.abb_egm import AbbEgmDriver
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotDriver
from cellwright_runtime.drivers.fanuc_stream import FanucStreamDriver
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver
from cellwright_runtime.drivers.ur import UrDriver


class Entry(NamedTuple):
    """One driver."""

    make: Callable[..., RobotDriver]
    deployed: Mode
    """What a session on a robot sends through it."""
    listens: bool = False
    """Whether the robot speaks first: the driver listens at an address of this computer."""


DRIVERS = {
    "ur": Entry(UrDriver, Mode.JOINT_POSITION),
    "kuka-rsi": Entry(KukaRsiDriver, Mode.TOOL_CORRECTION, listens=True),
    "abb-egm": Entry(AbbEgmDriver, Mode.TOOL_POSE, listens=True),
    "fanuc-stream": Entry(FanucStreamDriver, Mode.JOINT_POSITION),
}


def entry(name: str) -> Entry:
    """The entry of the driver `name`; raises DriverError, one line, where there is none."""
    if name not in DRIVERS:
        raise DriverError(f"unknown driver {name!r}; known: {', '.join(DRIVERS)}")
    return DRIVERS[name]


def make_driver(name: str, mode: Mode, *, host: str, **options: Any) -> RobotDriver:
    """The driver `name`; `host` is the robot's address, or the one to listen at where the robot speaks first.

    Raises DriverError, one line, for a name, a mode or an option that it does not have.
    """
    found = entry(name)
    address = {"listen": host} if found.listens else {"host": host}
    try:
        return found.make(mode=mode, **address, **options)
    except TypeError as error:
        raise DriverError(f"the driver {name}: {error}") from None
