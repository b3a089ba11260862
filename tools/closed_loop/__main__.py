"""Work on parts through a vendor's driver in closed loop, and compare the verdicts with the environment's.

python -m tools.closed_loop ur zoo:weld-seam --seeds 100000..100199

Results are written after each part to docs/results/closed-loop-BUNDLE-CLIENT.json, and parts that are there
are not repeated: the same command, or one with other seeds, goes on. `sim` is a session without a wire.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from tools.closed_loop.clients import CLIENTS, INSERTING
from tools.closed_loop.deployed import in_simulation, through_deploy
from tools.closed_loop.parts import Part, in_environment
from tools.closed_loop.results import REFERENCE, Results
from tools.closed_loop.welds import through_simulation, through_wire

SIMULATION = "sim"


def main() -> int:
    """Returns 1 where a verdict of the asked seeds is not the environment's, or not what the session said."""
    parser = argparse.ArgumentParser(prog="python -m tools.closed_loop", description=__doc__)
    parser.add_argument("client", choices=(SIMULATION, *CLIENTS))
    parser.add_argument("bundle", help="a bundle with its safety.json, or zoo:NAME")
    parser.add_argument("--seeds", type=seeds, default="100000..100004", help="FIRST..LAST")
    parser.add_argument("--disturbances", default="train")
    parser.add_argument("--host", default="127.0.90.1", help="loopback address of the controller")
    parser.add_argument("--real-time", action="store_true", help="the controller keeps its own time")
    parser.add_argument("--json", type=Path, help="results; those that are there are not repeated")
    options = parser.parse_args()
    bundle = Bundle.load(directory_of(options.bundle))
    if options.real_time and options.client == SIMULATION:
        parser.error("--real-time is for a controller; the time of sim passes as it is asked")
    first = Part(bundle=bundle, seed=0)
    if not first.welded and options.client not in (SIMULATION, *INSERTING):
        slow = f"{options.client} answers a force too late for an insertion"
        parser.error(f"{slow}; those go through {', '.join(INSERTING)}")
    kind = "real time" if options.real_time else "lock-step"
    path = options.json or _default(bundle, options.client, options.real_time)
    results = Results(path, bundle, client=options.client, disturbances=options.disturbances, time=kind)
    for seed in tqdm(options.seeds, desc=options.client, unit="part", disable=None):
        part = Part(bundle=bundle, seed=seed, disturbances=options.disturbances)
        for name in (REFERENCE, options.client):
            if str(seed) not in results.of(name):
                results.add(name, seed, _worked(part, name, options.host, real_time=options.real_time))
        tqdm.write(results.line(seed))
        sys.stdout.flush()
    print(results.agreement().text(options.client))
    asked = {str(seed) for seed in options.seeds}
    misjudged = asked & set(results.misjudged())
    if misjudged:
        print(f"sessions that took their part for what it is not: {', '.join(sorted(misjudged))}")
    unequal = any(
        results.of(options.client)[seed]["verdict"] != results.of(REFERENCE)[seed]["verdict"]
        for seed in asked
    )
    return 1 if unequal or misjudged else 0


def _worked(part: Part, name: str, host: str, *, real_time: bool) -> dict[str, Any]:
    if name == REFERENCE:
        return in_environment(part)
    if name == SIMULATION:
        return through_simulation(part) if part.welded else in_simulation(part)
    if real_time or not part.welded:
        return through_deploy(part, name, host=host, lockstep=not real_time)
    return through_wire(part, name, host=host)


def _default(bundle: Bundle, client: str, real_time: bool) -> Path:
    end = "-real-time" if real_time else ""
    return Path("docs", "results", f"closed-loop-{bundle.spec.name}-{client}{end}.json")


def seeds(text: str) -> range:
    """FIRST..LAST, both included."""
    first, _, last = text.partition("..")
    return range(int(first), int(last or first) + 1)


def directory_of(name: str) -> Path:
    """Of a bundle, or of zoo:NAME."""
    return zoo.path(name.removeprefix("zoo:")) if name.startswith("zoo:") else Path(name)


if __name__ == "__main__":
    sys.exit(main())
