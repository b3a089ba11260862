"""Move eight virtual robots at once for a long time, and watch memory and what is lost.

python -m tools.soak_robots --minutes 60 --json docs/results/soak-robots.json

Each robot is a virtual controller in a process of its own; envelopes, drivers and servo threads are in this
process. Samples are written as they come. The same command goes on until the minutes are complete, with the
robots begun anew: memory is compared within each leg.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cellwright_runtime.envelope.states import State
from cellwright_runtime.files.json_text import canonical_json
from cellwright_train.bench.servo import MODES, TimedRobot, VirtualRobot
from tools.soak import WARM_UP, resident_mb

ROBOTS = 8
_SAMPLE_S = 10.0


def main() -> int:
    """Returns 1 where a robot stopped or lost a state, or memory grew by more than the allowed."""
    parser = argparse.ArgumentParser(prog="python -m tools.soak_robots", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="of all legs together")
    parser.add_argument("--robots", type=int, default=ROBOTS)
    parser.add_argument("--kinds", default=",".join(MODES), help="controllers, taken in turn")
    parser.add_argument("--lockstep", action="store_true", help="time passes only as setpoints come")
    parser.add_argument("--sample", type=float, default=_SAMPLE_S, help="seconds between two samples")
    parser.add_argument("--growth", type=float, default=5.0, help="MB that a process may grow after warm-up")
    parser.add_argument("--json", type=Path, help="write the samples here")
    options = parser.parse_args()
    legs: list[dict[str, Any]] = []
    if options.json is not None and options.json.exists():
        legs = json.loads(options.json.read_bytes())["legs"]
    done_s = sum(leg["seconds"] for leg in legs)
    if done_s < 60.0 * options.minutes:
        legs.append({})
        left_s = 60.0 * options.minutes - done_s
        for legs[-1] in leg(options, left_s):
            _write(legs, options.json)
    verdict = [problem for each in legs for problem in problems(each, options.growth)]
    for problem in verdict:
        print(problem, file=sys.stderr)
    print(f"{sum(leg['seconds'] for leg in legs) / 60.0:.1f} minutes, {len(verdict)} problems")
    return 1 if verdict else 0


def leg(options: argparse.Namespace, seconds: float) -> Iterator[dict[str, Any]]:
    """Yield all samples so far, after each of them."""
    kinds = options.kinds.split(",")
    with ExitStack() as stack:
        moved = []
        for number in range(options.robots):
            kind, address = kinds[number % len(kinds)], f"127.0.44.{number + 1}"
            virtual = VirtualRobot(kind, address, lockstep=options.lockstep)
            stack.callback(virtual.close)
            moved.append(TimedRobot(virtual))
        for robot in moved:
            robot.start()
            stack.callback(robot.close)
        begin_s = time.monotonic()
        samples: list[dict[str, Any]] = []
        while (spent_s := time.monotonic() - begin_s) < seconds:
            time.sleep(min(options.sample, seconds - spent_s))
            samples.append(_sample(moved, time.monotonic() - begin_s))
            yield {"seconds": samples[-1]["time_s"], "samples": samples}


def _sample(robots: list[TimedRobot], time_s: float) -> dict[str, Any]:
    return {
        "time_s": time_s,
        "program_mb": resident_mb(),
        "robots": [
            {
                "kind": robot.robot.kind,
                "state": robot.envelope.state.value,
                "ended": robot.ended,
                "cycles": robot.thread.cycles,
                "late": robot.thread.late,
                "silent": robot.silent,
                "controller_mb": resident_mb(robot.robot.process.pid),
            }
            for robot in robots
        ],
    }


def problems(leg: dict[str, Any], growth_mb: float) -> list[str]:
    """What a leg lost: robots that stopped, states that did not come, memory that grew after the warm-up."""
    samples = leg["samples"]
    found = []
    for number, robot in enumerate(samples[-1]["robots"], start=1):
        name = f"robot {number} ({robot['kind']})"
        if robot["ended"] or robot["state"] != State.RUNNING.value:
            found.append(f"{name} is {robot['state']}: {robot['ended']}")
        if robot["silent"]:
            found.append(f"{name} lost {robot['silent']} of {robot['cycles']} states")
    settled = samples[int(WARM_UP * len(samples)) :]
    memory = {"the program": [each["program_mb"] for each in settled]} | {
        f"controller {number + 1}": [each["robots"][number]["controller_mb"] for each in settled]
        for number in range(len(samples[-1]["robots"]))
    }
    for name, used_mb in memory.items():
        if (grew := used_mb[-1] - used_mb[0]) > growth_mb:
            found.append(f"{name} grew by {grew:.1f} MB after the first {100 * WARM_UP:.0f} %")
    return found


def _write(legs: list[dict[str, Any]], path: Path | None) -> None:
    last = legs[-1]["samples"][-1]
    late = sum(robot["late"] for robot in last["robots"])
    cycles = sum(robot["cycles"] for robot in last["robots"])
    told = f"{last['time_s']:8.0f} s {last['program_mb']:8.1f} MB {cycles:>12,} cycles, {late:,} late"
    print(told, flush=True)
    if path is not None:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(canonical_json({"legs": legs}))
        os.replace(partial, path)


if __name__ == "__main__":
    sys.exit(main())
