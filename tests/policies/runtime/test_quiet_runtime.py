"""A runtime beside a robot keeps to itself: it looks nothing up, writes nothing and starts no thread."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cellwright_policies import zoo

WATCHED = """
import os, sys, time
from pathlib import Path

import numpy as np

from cellwright_runtime.runtime import Runtime

def open_sockets():
    targets = []
    for number in os.listdir("/proc/self/fd"):
        try:
            targets.append(os.readlink(f"/proc/self/fd/{number}"))
        except FileNotFoundError:
            pass  # the listing itself had it open
    return [target for target in targets if target.startswith("socket:")]

runtime = Runtime(sys.argv[1])
resting = {group.name: np.zeros(group.shape, group.dtype) for group in runtime.spec.observation}
for _ in range(10):
    runtime.decide(resting)
    assert len(os.listdir("/proc/self/task")) == 1, "threads"
    assert not open_sockets(), "sockets"
    time.sleep(0.1)
print(*(path for path in Path(os.environ["HOME"]).rglob("*") if path.is_file()))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
@pytest.mark.parametrize("telemetry", [None, "0"])
def test_a_policy_at_work_opens_no_socket_writes_no_file_and_starts_no_thread(
    telemetry: str | None, tmp_path: Path
) -> None:
    surroundings = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    surroundings |= {"PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    surroundings.pop("ORT_DISABLE_TELEMETRY", None)
    if telemetry is not None:
        surroundings["ORT_DISABLE_TELEMETRY"] = telemetry
    command = [sys.executable, "-c", WATCHED, str(zoo.path("peg-insertion"))]
    result = subprocess.run(command, env=surroundings, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.split() == []
