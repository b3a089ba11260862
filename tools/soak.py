"""Reset one environment again and again, over all its products, and report its memory.

python -m tools.soak --env cellwright/WeldSeam-v1 --resets 20000
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path
from typing import Any

import gymnasium

import cellwright_envs

REPORTS = 10
WARM_UP = 0.1
"""Fraction of the resets after which memory is compared: by then everything is compiled and cached once."""


def resident_mb(process: int | str = "self") -> float:
    """Memory of a process that is in use now [MB]; of this one, where no number is given."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def soak(env: Any, resets: int) -> list[float]:
    """Reset `env` over all its products in turn; return its memory [MB] at `REPORTS` equal distances."""
    products, used_mb = env.unwrapped.products, []
    for number in range(resets):
        env.reset(seed=number, options={"product": products[number % len(products)]})
        if (number + 1) % max(resets // REPORTS, 1) == 0:
            used_mb.append(resident_mb())
            print(f"{number + 1:>8} resets {used_mb[-1]:8.1f} MB", flush=True)
    return used_mb


def main() -> None:
    """Print the memory, and by how much it grew after the warm-up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--env", default=next(iter(cellwright_envs.ENVIRONMENTS)))
    parser.add_argument("--resets", type=int, default=20_000)
    chosen = parser.parse_args()
    env = gymnasium.make(chosen.env, product="all", disturbances="train")
    used_mb = soak(env, chosen.resets)
    env.close()
    print(f"grew by {max(used_mb) - used_mb[0]:.1f} MB after the first {100 * WARM_UP:.0f} %")


if __name__ == "__main__":
    main()
