"""`python -m tools.mutants.warm`: imports the libraries once, and forks a process for each run of tests.

Importing them takes most of the time of a short run. An order is a line of JSON on standard input. The answer
is pytest's exit code, or `null` where the run took longer than its limit.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

LIBRARIES = ("numba", "scipy.stats", "torch", "gymnasium", "stable_baselines3", "pytest")
"""Libraries that start no thread when imported: a forked process has only the thread that forked it."""
_POLL_S = 0.02


def main() -> None:
    """Serve until standard input ends."""
    for name in LIBRARIES:
        importlib.import_module(name)
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _run(order)
        print(json.dumps(_ended(child, order["limit_s"])), flush=True)


def _run(order: dict[str, Any]) -> None:
    """Run the tests in this forked process and end it; never returns.

    The tests find the environment and directory of the order, as in a process that was started with them.
    """
    import pytest

    os.setsid()
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.update(order["environment"])
    os.chdir(order["directory"])
    sys.path[:] = [*order["environment"]["PYTHONPATH"].split(os.pathsep), *sys.path]
    # `tools` was imported from the repository; the tests have to import that of the copy.
    for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
        del sys.modules[name]
    code = int(pytest.main(order["arguments"]))
    sys.stdout.flush()
    os._exit(code)


def _ended(child: int, limit_s: float) -> int | None:
    """Exit code of the child, None where it took longer than `limit_s`. Ends all that it started."""
    end_s = time.monotonic() + limit_s
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() > end_s:
            _end(child)
            os.waitpid(child, 0)
            return None
        time.sleep(_POLL_S)
    _end(child)
    return os.waitstatus_to_exitcode(status)


def _end(child: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


if __name__ == "__main__":
    main()
