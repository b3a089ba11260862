"""`python -m tools.seated BUNDLE`: how often a robot's verdict that a part is seated is wrong.

A policy inserts parts in its own environment and goes on after the part is seated, as it does on a robot,
where nobody says that it is over. A `SeatedWatch` sees what a robot measures: the reported pose, and the
wrench with its sensor's errors. A verdict is wrong where it comes before the part is seated, for a part that
never is, or not at all.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.interface.seated import UR10E_N_M, SeatedWatch
from cellwright_runtime.runtime import Runtime

FIRST_SEED = 320_000
AFTER_S = 1.5
"""So long the policy goes on with a seated part."""
_VERDICTS = ("right", "too early", "never seated", "never said")


def verdict(env: Any, runtime: Runtime, seed: int) -> str:
    """One of `_VERDICTS` for the part of `seed`."""
    layout, seated_s = runtime.spec.layout, env.config.hold_s - AFTER_S
    observation, _ = env.reset(seed=seed)
    watch = SeatedWatch(
        depth_m=env.product.depth_m,
        mouth_m=float(NOMINAL_FIXTURE_W[2]),
        control_period_s=layout.control_period_s,
        stiffness_n_m=UR10E_N_M,
    )
    said_s = is_s = None
    ended = False
    while not ended:
        observation, _, terminated, truncated, _ = env.step(runtime.act(observation))
        ended = terminated or truncated
        state, sensor = env.reached, env.disturbed.force_sensor
        wrench = state.wrench_t - env.tare + np.array(sensor.error(env.time_s))
        if said_s is None and watch.update(state.tool.tolist(), wrench.tolist()):
            said_s = env.time_s
        if is_s is None and env.measurement.held_s >= seated_s - 1e-9:
            is_s = env.time_s - seated_s
    if is_s is None:
        return "right" if said_s is None else "never seated"
    if said_s is None:
        return "never said"
    return "right" if said_s >= is_s - 1e-9 else "too early"


def main() -> int:
    """Measure, write after every part, and go on where the file ends."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("bundle", help="zoo:NAME or a directory")
    parser.add_argument("--parts", type=int, default=1000)
    parser.add_argument("--disturbances", default="train")
    parser.add_argument("--products", default="train")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    name = given.bundle
    directory = zoo.path(name.removeprefix("zoo:")) if name.startswith("zoo:") else Path(name)
    bundle = Bundle.load(directory)
    runtime = Runtime(bundle)
    env: Any = gymnasium.make(
        bundle.spec.environment, product=given.products, disturbances=given.disturbances
    ).unwrapped
    env.config = dataclasses.replace(env.config, hold_s=env.config.hold_s + AFTER_S)
    result: dict[str, Any] = {
        "bundle": bundle.spec.name,
        "environment": bundle.spec.environment,
        "disturbances": given.disturbances,
        "products": given.products,
        "first_seed": FIRST_SEED,
        "verdicts": [],
    }
    if given.json is not None and given.json.exists():
        before = json.loads(given.json.read_text())
        if {**before, "verdicts": []} != result:
            parser.error(f"{given.json} was measured with other settings; take another file")
        result = before
    while len(result["verdicts"]) < given.parts:
        result["verdicts"].append(verdict(env, runtime, FIRST_SEED + len(result["verdicts"])))
        if given.json is not None and len(result["verdicts"]) % 20 == 0:
            given.json.write_text(json.dumps(result))
        print(f"\r{len(result['verdicts'])} of {given.parts} parts", end="", flush=True)
    if given.json is not None:
        given.json.write_text(json.dumps(result))
    counted = Counter(result["verdicts"])
    wrong = len(result["verdicts"]) - counted["right"]
    print(f"\n{', '.join(f'{each} {counted[each]}' for each in _VERDICTS)}")
    print(f"wrong {100.0 * wrong / len(result['verdicts']):.2f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
