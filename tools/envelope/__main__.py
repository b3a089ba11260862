"""Prove the envelope.

python -m tools.envelope setpoints --count 10000000 --kind pose --json docs/results/setpoints-pose.json
python -m tools.envelope faults --json docs/results/faults.json

Setpoints are counted into the file every so often; the same command goes on there.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cellwright_runtime.files.json_text import canonical_json
from tools.envelope import faults, plain, setpoints

REACTION_S = 0.1
"""Zero speed is commanded within this time after a fault is noticed."""
_WRITTEN = 50_000
"""Setpoints between two writings of the figures."""


def main() -> int:
    """Returns 1 where a setpoint was outside of a limit, or a fault did not end as documented."""
    parser = argparse.ArgumentParser(prog="python -m tools.envelope", description=__doc__)
    parser.add_argument("proof", choices=("setpoints", "faults"))
    parser.add_argument("--count", type=int, default=100_000, help="setpoints")
    parser.add_argument(
        "--kind",
        choices=("pose", "joints", "c"),
        default="pose",
        help="what the robot takes; c: poses, from the envelope in C",
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    return _setpoints(options) if options.proof == "setpoints" else _faults(options)


def _setpoints(options: argparse.Namespace) -> int:
    key = {"kind": options.kind, "seed": options.seed}
    count = _before(options.json, key)
    if count.setpoints:
        print(f"goes on after {count.setpoints:,} setpoints", file=sys.stderr)
    attack = (
        plain.attack(options.count, options.seed, before=count)
        if options.kind == "c"
        else setpoints.attack(options.kind, options.count, options.seed, before=count)
    )
    for count in attack:
        if count.setpoints % _WRITTEN == 0 or count.setpoints >= options.count:
            _write({**key, **asdict(count)}, options.json)
    return 1 if any(count.outside.values()) else 0


def _before(path: Path | None, key: dict[str, Any]) -> setpoints.Count:
    """The count that a file has; ends the program where it is one of another kind or seed."""
    if path is None or not path.exists():
        return setpoints.Count()
    figures = json.loads(path.read_bytes())
    found = {name: figures.pop(name) for name in key}
    if found != key:
        sys.exit(f"{path} counts {found}, not {key}; give another file")
    return setpoints.Count(**figures)


def _faults(options: argparse.Namespace) -> int:
    outcomes = faults.all_outcomes()
    _write({"outcomes": [asdict(each) for each in outcomes]}, options.json)
    wrong = [
        outcome.name
        for case, outcome in zip(faults.CASES, outcomes, strict=True)
        if outcome.last != case.ends.value or outcome.reaction_s > REACTION_S or outcome.worst > 1.0001
    ]
    for name in wrong:
        print(f"{name} did not end as documented", file=sys.stderr)
    return 1 if wrong else 0


def _write(figures: dict[str, Any], path: Path | None) -> None:
    if path is not None:
        partial = path.with_name(f"{path.name}.partial")
        partial.write_bytes(canonical_json(figures))
        os.replace(partial, path)
    print(canonical_json(figures).decode())


if __name__ == "__main__":
    sys.exit(main())
