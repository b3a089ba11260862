"""A driver above another one."""

from typing import Any

import numpy as np

from cellwright_runtime.deployment.above import DriverAbove
from cellwright_runtime.drivers.driver import RobotDriver

ANSWERS = {"mode", "cycle_s", "coasting_s", "lag_s", "connect", "read_state"}
CALLS = {"connect", "read_state", "prepare", "send_setpoint", "stop", "close"}


class Below:
    """Answers with the name of what was asked for, and keeps what was called."""

    def __init__(self) -> None:
        self.called: list[tuple[Any, ...]] = []

    def __getattr__(self, name: str) -> Any:
        if name not in CALLS:
            return name

        def call(*given: Any) -> str:
            self.called.append((name, *given))
            return name

        return call


def test_everything_of_the_protocol_reaches_the_driver_below() -> None:
    assert {name for name in dir(RobotDriver) if not name.startswith("_")} == ANSWERS | CALLS
    below, setpoint = Below(), np.ones(6)
    above: Any = DriverAbove(below)  # type: ignore[arg-type]
    for name in sorted(ANSWERS | CALLS):
        given = (setpoint,) if name == "send_setpoint" else ()
        found = getattr(above, name)(*given) if name in CALLS else getattr(above, name)
        if name in ANSWERS:
            assert found == name
        if name in CALLS:
            assert below.called.pop() == (name, *given)
    assert below.called == []
