"""Insert through a vendor's driver with a sensor at the wrist, and ask the simulated part what became of it.

python -m tools.closed_loop.insertions kuka-rsi zoo:peg-insertion --seeds 300000..300009 --json told.json

Controller, cameras and sensor are `cellwright virtual-controller` in lock-step, the robot's program is
`cellwright deploy`: both as an integrator starts them.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.files.json_text import canonical_json
from tools.closed_loop.served import ServedCell, ServedError

VARIANTS = {"kuka-rsi": "standing", "abb-egm": "pose"}
PATIENCE_S = 600.0
LONGEST_S = 40.0
_TRUTH = re.compile(r"^the simulated part: (seated|not seated|broken)$", re.MULTILINE)


def inserted(bundle: Path, driver: str, seed: int, *, disturbances: str, host: str) -> dict[str, Any]:
    """What the session said of one part, and what became of it."""
    environment, begun_s = Bundle.load(bundle).spec.environment, time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as made:
        cell = Path(made, "cell.toml")
        options = {"variant": VARIANTS[driver], "env": environment, "seed": seed, "listen": host}
        options |= {"disturbances": disturbances, "sensor": host, "frames": Path(made, "frames")}
        options |= {"write-cell": cell, "wrench-sensor-port": 0, "lockstep": True, "patience": PATIENCE_S}
        with ServedCell(driver, options) as served:
            while not cell.exists():
                time.sleep(0.01)
            command = [sys.executable, "-m", "cellwright_train.cli", "deploy", str(bundle)]
            arguments = ["--cell", str(cell), "--lockstep", "--arm", "--seconds", str(LONGEST_S)]
            ended = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    truth = _TRUTH.search(served.told)
    if truth is None:
        raise ServedError("no verdict: " + " ".join(served.told.split())[-300:])
    said = ended.stdout.splitlines()
    stops = [line.strip() for line in said if "HOLD" in line or "STOPPED" in line]
    return {
        "code": ended.returncode,
        "truth": truth[1],
        "stops": stops,
        "said": said[-1] if said else ended.stderr.strip(),
        "seconds": round(time.monotonic() - begun_s, 1),
    }


def main() -> int:
    """Returns 1 where a part is not seated, or where session and part do not say the same."""
    from tools.closed_loop.__main__ import directory_of, seeds

    parser = argparse.ArgumentParser(prog="python -m tools.closed_loop.insertions", description=__doc__)
    parser.add_argument("driver", choices=tuple(VARIANTS))
    parser.add_argument("bundle", help="a bundle with its safety.json, or zoo:NAME")
    parser.add_argument("--seeds", type=seeds, default="300000..300009", help="FIRST..LAST")
    parser.add_argument("--disturbances", default="train")
    parser.add_argument("--host", default="127.0.91.1", help="loopback address of everything")
    parser.add_argument("--json", type=Path, required=True, help="results; seeds that are there stay")
    options = parser.parse_args()
    results = json.loads(options.json.read_text()) if options.json.exists() else {}
    told = results.setdefault(f"{options.driver} {options.disturbances}", {})
    for seed in options.seeds:
        if str(seed) not in told:
            told[str(seed)] = inserted(
                directory_of(options.bundle),
                options.driver,
                seed,
                disturbances=options.disturbances,
                host=options.host,
            )
            options.json.write_bytes(canonical_json(results))
        print(seed, json.dumps(told[str(seed)]), flush=True)
    ended = [told[str(seed)] for seed in options.seeds]
    seated = sum(each["truth"] == "seated" for each in ended)
    wrong = sum((each["truth"] == "seated") != (each["code"] == 0) for each in ended)
    print(f"{options.driver}: {seated} of {len(ended)} parts are seated; {wrong} verdicts are wrong")
    return int(seated < len(ended) or wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
