"""`python -m tools.compile_time [ids]`: seconds until an environment's first step where nothing is compiled.

Each environment in a process of its own with an empty directory for numba's code: as after an installation.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time

_FIRST_STEP = """
import sys, time
import gymnasium, cellwright_envs
env = gymnasium.make(sys.argv[1])
env.reset(seed=0)
env.step(env.action_space.sample())
print(time.process_time())
"""


def main() -> None:
    """Print the time of each environment, imports included."""
    for env_id in sys.argv[1:] or ["cellwright/WeldSeam-v1", "cellwright/NutFastening-v2"]:
        for cache in ("empty", "filled"):
            print(f"{env_id}, {cache} cache: {_measured(env_id, empty=cache == 'empty')}", flush=True)


def _measured(env_id: str, *, empty: bool) -> str:
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-c", _FIRST_STEP, env_id]
        settings = os.environ | {"NUMBA_CACHE_DIR": directory}
        if not empty:
            subprocess.run(command, env=settings, check=True, capture_output=True)
        begin_s = time.perf_counter()
        said = subprocess.run(command, env=settings, check=True, capture_output=True, text=True).stdout
        return f"{time.perf_counter() - begin_s:.1f} s, of the processor {float(said.split()[-1]):.1f} s"


if __name__ == "__main__":
    main()
