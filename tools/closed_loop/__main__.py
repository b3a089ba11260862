"""Weld through a vendor's driver in closed loop, and compare the verdicts.

python -m tools.closed_loop ur BUNDLE --seeds 100000..100004 --json closed-loop.json
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.files.json_text import canonical_json
from tools.closed_loop.clients import CLIENTS
from tools.closed_loop.welds import Weld, in_environment, through_simulation, through_wire

COMPARED = ("environment", "simulation")


def main() -> int:
    """Returns 1 where a verdict through the wire is not that of the environment."""
    parser = argparse.ArgumentParser(prog="python -m tools.closed_loop", description=__doc__)
    parser.add_argument("client", choices=(*CLIENTS, *COMPARED))
    parser.add_argument("bundle", help="a bundle with its safety.json, or zoo:NAME")
    parser.add_argument("--seeds", type=seeds, default="100000..100004", help="FIRST..LAST")
    parser.add_argument("--disturbances", default="train")
    parser.add_argument("--host", default="127.0.90.1", help="loopback address of the controller")
    parser.add_argument(
        "--json", type=Path, required=True, help="results; seeds that are there are not repeated"
    )
    options = parser.parse_args()
    bundle = Bundle.load(directory_of(options.bundle))
    results = _Results(options.json, bundle, options.disturbances)
    for seed in options.seeds:
        weld = Weld(bundle=bundle, seed=seed, disturbances=options.disturbances)
        for name in dict.fromkeys((*COMPARED, options.client)):
            if str(seed) not in results.of(name):
                results.add(name, seed, _welded(weld, name, options.host))
        print(_line(results, seed, options.client), flush=True)
    unequal = [
        seed
        for seed in options.seeds
        if results.passed(options.client, seed) != results.passed("environment", seed)
    ]
    count = len(options.seeds)
    print(f"{options.client}: {count - len(unequal)} of {count} verdicts are those of the environment")
    return 1 if unequal else 0


def _welded(weld: Weld, name: str, host: str) -> dict[str, Any]:
    if name == "environment":
        return in_environment(weld)
    return through_simulation(weld) if name == "simulation" else through_wire(weld, name, host=host)


class _Results:
    """A file of results, by client and seed."""

    def __init__(self, path: Path, bundle: Bundle, disturbances: str) -> None:
        policy = hashlib.sha256(bundle.files["policy.onnx"]).hexdigest()[:16]
        about = {"bundle": bundle.spec.name, "policy": policy, "disturbances": disturbances}
        self._path, self._data = path, {"about": about}
        if path.exists():
            self._data = json.loads(path.read_text())
            if self._data["about"] != about:
                sys.exit(f"{path} has results of {self._data['about']}, not of {about}; take another file")

    def of(self, name: str) -> dict[str, Any]:
        return self._data.setdefault(name, {})

    def passed(self, name: str, seed: int) -> list[str]:
        passed: list[str] = self.of(name)[str(seed)]["passed"]
        return passed

    def add(self, name: str, seed: int, told: dict[str, Any]) -> None:
        self.of(name)[str(seed)] = told
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(canonical_json(self._data))
        fresh.replace(self._path)


def _line(results: _Results, seed: int, client: str) -> str:
    told = results.of(client)[str(seed)]
    verdicts = [
        f"{name} {' '.join(results.passed(name, seed)) or '-'}" for name in dict.fromkeys((*COMPARED, client))
    ]
    return f"{seed}: {'; '.join(verdicts)}; {told.get('reason', '')} ({told['seconds']:.1f} s)"


def seeds(text: str) -> range:
    """FIRST..LAST, both included."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def directory_of(name: str) -> Path:
    """Of a bundle, or of zoo:NAME."""
    return zoo.path(name.removeprefix("zoo:")) if name.startswith("zoo:") else Path(name)


if __name__ == "__main__":
    sys.exit(main())
