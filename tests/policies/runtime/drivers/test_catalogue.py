"""Drivers by name."""

from typing import get_args, get_type_hints

import pytest

from cellwright_envs.virtual.catalogue import KINDS
from cellwright_runtime.drivers.catalogue import DRIVERS, make_driver
from cellwright_runtime.drivers.driver import DriverError, Mode
from cellwright_train.bench.servo import MODES
from cellwright_train.commands.deploy import Deploy
from tools.closed_loop.clients import CLIENTS


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


def test_every_list_of_controllers_has_all_drivers() -> None:
    offered = get_args(get_args(get_type_hints(Deploy)["driver"])[0])
    assert offered == ("sim", *DRIVERS)
    assert list(KINDS) == list(DRIVERS) == list(MODES) == list(CLIENTS)
    for name, entry in DRIVERS.items():
        assert KINDS[name].speaks_first == entry.listens == CLIENTS[name].listens
        assert KINDS[name].cycle_s == make_driver(name, Mode.OBSERVE, host="127.0.0.1").cycle_s
        assert CLIENTS[name].controller == name
        assert make_driver(name, entry.deployed, host="127.0.0.1").mode is entry.deployed


def test_names_and_options_that_are_none_are_one_line() -> None:
    with pytest.raises(DriverError, match="unknown driver 'urr'; known: ur, kuka-rsi, abb-egm, fanuc-stream"):
        make_driver("urr", Mode.OBSERVE, host="127.0.0.1")
    with pytest.raises(DriverError, match=r"the driver ur: .*unexpected keyword argument 'speed'"):
        make_driver("ur", Mode.OBSERVE, host="127.0.0.1", speed=3)
