"""Drivers by name."""

import pytest

from cellwright_runtime.drivers.catalogue import DRIVERS, make_driver
from cellwright_runtime.drivers.driver import DriverError, Mode


@pytest.mark.parametrize("name", DRIVERS)
def test_every_driver_has_the_protocol_and_can_observe(name: str) -> None:
    driver = make_driver(name, Mode.OBSERVE, host="127.0.0.1")
    assert driver.mode is Mode.OBSERVE
    assert 0.001 <= driver.cycle_s <= 0.012
    assert 0.0 < driver.coasting_s <= 1.0
    for call in (driver.read_state, lambda: driver.send_setpoint(None)):  # type: ignore[arg-type]
        with pytest.raises(DriverError, match=f"the driver {name} is not connected; call connect first"):
            call()
    driver.stop()
    driver.close()
    driver.close()


def test_names_and_options_that_are_none_are_one_line() -> None:
    with pytest.raises(DriverError, match="unknown driver 'urr'; known: ur, kuka-rsi, abb-egm, fanuc-stream"):
        make_driver("urr", Mode.OBSERVE, host="127.0.0.1")
    with pytest.raises(DriverError, match=r"the driver ur: .*unexpected keyword argument 'speed'"):
        make_driver("ur", Mode.OBSERVE, host="127.0.0.1", speed=3)
