"""`python -m tools.fuzz readers --mutants 1000000` and `python -m tools.fuzz bundles --mutants 10000`.

`readers` damages single files in memory, `bundles` whole bundles on disk, `runs` training runs. The exit code
is 1 where a mutant was neither refused in one line nor read with the content that it really has.
"""

import argparse
import sys
from pathlib import Path

from tools.fuzz.bundles import fuzz_bundles
from tools.fuzz.campaign import Tally
from tools.fuzz.readers import fuzz_readers


def main() -> int:
    """Run a campaign; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz")
    parser.add_argument("what", choices=("readers", "bundles", "runs"))
    parser.add_argument("--mutants", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=Path, help="bundle whose copies are damaged; by default a small one")
    options = parser.parse_args()
    if options.what == "readers":
        tallies = fuzz_readers(options.mutants, options.seed)
    elif options.what == "bundles":
        tallies = {"bundles": fuzz_bundles(options.mutants, options.seed, options.sample)}
    else:
        from tools.fuzz.runs import fuzz_runs  # torch alone needs more memory than the others may

        tallies = {"runs": fuzz_runs(options.mutants, options.seed)}
    return _told(tallies)


def _told(tallies: dict[str, Tally]) -> int:
    for name, tally in tallies.items():
        print(tally.line(name))
        for fault in tally.faults[:5]:
            print(fault, file=sys.stderr)
    return int(any(tally.faults for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
