"""Addresses and ports for the programs of a test, none of which another worker of the tests uses as well."""

import itertools
import os

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_RUN = os.getppid()  # all workers of a run have one parent, two runs at once have two
_hosts, _ports = itertools.count(1), itertools.count()
_PORTS = 80
"""Of each worker."""


def loopback() -> str:
    """An address of this machine that nobody was given before."""
    number = next(_hosts)
    assert number < 255, "a worker has 254 addresses: take one for a module, not for every test"
    return f"127.{1 + _WORKER}.{1 + _RUN % 254}.{number}"


def free_port() -> int:
    """A port that nobody was given before, for what others reach at an address of their own choice."""
    number = next(_ports)
    assert number < _PORTS, f"a worker has {_PORTS} ports: take one for a module, not for every test"
    # Below the range from which systems choose: no connection of somebody else begins there.
    return 20_000 + _PORTS * (16 * (_RUN % 8) + _WORKER % 16) + number
