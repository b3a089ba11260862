"""The drivers of robot controllers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cellwright_runtime.drivers.abb_egm import AbbEgmDriver
from cellwright_runtime.drivers.driver import DriverError, Mode, RobotDriver
from cellwright_runtime.drivers.fanuc_stream import FanucStreamDriver
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver
from cellwright_runtime.drivers.ur import UrDriver

DRIVERS: dict[str, Callable[..., RobotDriver]] = {
    "ur": UrDriver,
    "kuka-rsi": KukaRsiDriver,
    "abb-egm": AbbEgmDriver,
    "fanuc-stream": FanucStreamDriver,
}
LISTENING = ("kuka-rsi", "abb-egm")
"""Drivers to which the robot speaks first: they listen at an address of this computer."""


def make_driver(name: str, mode: Mode, *, host: str, **options: Any) -> RobotDriver:
    """The driver `name`; `host` is the robot's address, or for `LISTENING` the one to listen at.

    Raises DriverError, one line, for a name, a mode or an option that it does not have.
    """
    if name not in DRIVERS:
        raise DriverError(f"unknown driver {name!r}; known: {', '.join(DRIVERS)}")
    address = {"listen": host} if name in LISTENING else {"host": host}
    try:
        return DRIVERS[name](mode=mode, **address, **options)
    except TypeError as error:
        raise DriverError(f"the driver {name}: {error}") from None
