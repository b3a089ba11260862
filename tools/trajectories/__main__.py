"""`python -m tools.trajectories record|check|live|kernels`: record trajectories, or compare with a record.

`record` writes actions and hashes. `check` repeats the recorded actions. `live` lets the policies decide
again. `kernels` runs `check` in processes that compute with other instructions.
"""

from __future__ import annotations

import argparse
import io
import json
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from tools.trajectories import kernels
from tools.trajectories.rollout import Actions, Case, cases, played

HOME = Path(__file__).parent
HASHES, ACTIONS = HOME / "hashes.json", HOME / "actions.npz"


def main() -> int:
    """Returns 1 where a trajectory differs from the recorded one."""
    parser = argparse.ArgumentParser(prog="python -m tools.trajectories", description=__doc__)
    parser.add_argument("what", choices=["record", "check", "live", "kernels"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[11])
    parser.add_argument("--only", default="", help="run the cases whose name contains this")
    parser.add_argument("--directory", type=Path, default=HOME, help="folder of the recording")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    if options.what == "kernels":
        seeds = [f"{seed}" for seed in options.seeds]
        shared = ["--seeds", *seeds, "--only", options.only, "--directory", str(options.directory)]
        return kernels.run(shared)
    hashes, actions = options.directory / HASHES.name, options.directory / ACTIONS.name
    chosen = [case for case in cases(tuple(options.seeds)) if options.only in case.name]
    wanted: dict[str, dict[str, str]] = {} if options.what == "record" else json.loads(hashes.read_text())
    if options.what != "record" and (unknown := [case.name for case in chosen if case.name not in wanted]):
        parser.error(f"not recorded: {', '.join(unknown)}")
    recorded = dict(np.load(actions, allow_pickle=False)) if options.what == "check" else {}
    with ProcessPoolExecutor(options.workers, mp_context=get_context("forkserver")) as pool:
        given = [recorded.get(case.name) for case in chosen]
        results = list(tqdm(pool.map(played, chosen, given), total=len(chosen), disable=None))
    found = {case.name: result[1] for case, result in zip(chosen, results, strict=True)}
    if options.what == "record":
        options.directory.mkdir(exist_ok=True)
        hashes.write_text(json.dumps(found, indent=1) + "\n")
        _write_actions(actions, chosen, [taken for taken, _ in results])
        print(f"{len(found)} trajectories recorded in {options.directory}")
        return 0
    different = [name for name, each in found.items() if each != wanted[name]]
    for name in different:
        groups = [group for group, value in wanted[name].items() if found[name].get(group) != value]
        print(f"{name}: differs in {', '.join(groups)}", file=sys.stderr)
    print(f"{len(found) - len(different)} of {len(found)} trajectories are equal")
    return 1 if different else 0


def _write_actions(file: Path, chosen: list[Case], taken: list[Actions]) -> None:
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {case.name: each for case, each in zip(chosen, taken, strict=True)}
    np.savez_compressed(buffer, **arrays)
    file.write_bytes(buffer.getvalue())


if __name__ == "__main__":
    sys.exit(main())
