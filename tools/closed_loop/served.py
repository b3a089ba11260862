"""A cell behind a virtual controller, in a process of its own: the command that an integrator starts."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

_READY = "Ctrl-C ends it"
_END_S = 60.0


class ServedError(RuntimeError):
    """The command did not start, or did not end as it should."""


class ServedCell:
    """`cellwright virtual-controller` from entering to leaving; then `told` is what it said at the end."""

    def __init__(self, controller: str, options: Mapping[str, Any]) -> None:
        arguments = [controller]
        for name, value in options.items():
            arguments += [f"--{name}"] if value is True else [f"--{name}", str(value)]
        self._arguments = arguments
        self.ports: dict[str, int] = {}
        """Of coupler and seam sensor, by name."""
        self.told = ""

    def __enter__(self) -> ServedCell:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "cellwright_train.cli", "virtual-controller", *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment_of_commands(),
        )
        assert self._process.stdout is not None
        said = []
        for line in self._process.stdout:
            said.append(line)
            if port := re.fullmatch(r"(coupler|seam sensor) at \S+ port (\d+)\n", line):
                self.ports[port[1]] = int(port[2])
            if _READY in line:
                return self
        self._process.communicate()
        raise ServedError("cellwright virtual-controller did not start: " + " ".join("".join(said).split()))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.send_signal(signal.SIGTERM)
        try:
            self.told, _ = self._process.communicate(timeout=_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.told, _ = self._process.communicate()

    def counted(self) -> str:
        """What the controller counted, after leaving."""
        lines = [line for line in self.told.splitlines() if ": " in line]
        return lines[0] if lines else ""

    def truth(self) -> str:
        """What became of the part, after leaving; raises ServedError where the command does not say."""
        found = re.search(r"the simulated part: (.*)$", self.told, re.MULTILINE)
        if found is None:
            raise ServedError("no verdict: " + " ".join(self.told.split())[-300:])
        return found[1]


@contextlib.contextmanager
def frames_in_memory() -> Iterator[Path]:
    """A directory for a cell's cameras, in memory where this computer has such a place."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory)


def environment_of_commands() -> dict[str, str]:
    """The environment of a process that runs a command of this checkout."""
    root = Path(__file__).parents[2]
    roots = [root / name for name in ("envs", "policies", "perception", "sim_assets", "train", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, roots))}


def free_port() -> int:
    """A UDP port of this computer that nobody uses now."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
