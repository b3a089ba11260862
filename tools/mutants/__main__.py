"""`python -m tools.mutants [named|random]`: make each mistake, run its tests, list those that survive."""

from __future__ import annotations

import argparse
import sys

from tools.mutants.drawn import drawn_mutants
from tools.mutants.mutant import named_mutants
from tools.mutants.runner import Verdict, judged


def main() -> int:
    """Returns 1 where a mutant survives or cannot be judged."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("what", choices=["named", "random"], nargs="?", default="named")
    parser.add_argument("--only", default="", help="run the mutants whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument(
        "--limit", type=float, default=900.0, help="seconds that the tests of a mutant may take"
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random mutants")
    parser.add_argument("--count", type=int, default=100, help="number of random mutants")
    parser.add_argument("--list", action="store_true", help="list the names of the mutants and run nothing")
    options = parser.parse_args()
    everyone = named_mutants() if options.what == "named" else drawn_mutants(options.seed, options.count)
    chosen = [mutant for mutant in everyone if options.only in mutant.name]
    if options.list:
        print("\n".join(mutant.name for mutant in chosen))
        return 0
    verdicts = judged(chosen, jobs=options.jobs, limit_s=options.limit, done=_say)
    alive = [verdict for verdict in verdicts if not verdict.killed]
    print(f"{len(verdicts) - len(alive)} of {len(verdicts)} mutants killed")
    for verdict in alive:
        _say(verdict)
    return 1 if alive else 0


def _say(verdict: Verdict) -> None:
    told = f"NOT JUDGED: {verdict.trouble}" if verdict.trouble else "SURVIVES"
    if verdict.killed:
        told = f"killed by {verdict.killed_by}"
    print(f"{verdict.mutant.name}: {told} ({verdict.seconds:.0f} s)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
