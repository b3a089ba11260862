"""A campaign: a number of mutants drawn from one seed, and counts of how reading them ended."""

import random
import resource
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cellwright_runtime.files.reading import FileError

_LONGEST_LINE = 600


@dataclass(kw_only=True)
class Tally:
    """Counts of how reading the mutants ended."""

    tried: int = 0
    refused: int = 0
    """With an exception that refuses a file. A message that is not one short line is also a fault."""
    accepted: int = 0
    """Without an exception. Where another reader finds other content, that is also a fault."""
    slowest_s: float = 0.0
    """Longest time that reading one mutant took."""
    faults: list[str] = field(default_factory=list)
    """Tracebacks, wrong messages and wrong content, each with the number of its mutant."""

    def line(self, name: str) -> str:
        """The counts as one line for a terminal."""
        became = (
            f"{self.refused:,} refused in one line, {self.accepted:,} accepted, {len(self.faults)} faults"
        )
        used = f"slowest {self.slowest_s:.2f} s, peak {peak_bytes() / 2**20:.0f} MiB"
        return f"{name}: {self.tried:,} mutants, {became}, {used}"


def attempt(
    tally: Tally,
    load: Callable[[], Any],
    same: Callable[[Any], bool],
    refusals: tuple[type[Exception], ...] = (FileError,),
) -> None:
    """Load one mutant and count how that ended.

    `same` says whether another reader finds the content that was loaded. Only `refusals` refuse a file; every
    other exception is a fault.
    """
    tally.tried += 1
    begin_s = time.perf_counter()
    try:
        content = load()
    except refusals as error:
        tally.refused += 1
        told = str(error)
        if "\n" in told or not told or len(told) > _LONGEST_LINE or not told.isprintable():
            tally.faults.append(f"mutant {tally.tried}: refused with {told[:_LONGEST_LINE]!r}")
        content = None
    except Exception:
        tally.faults.append(f"mutant {tally.tried}: {traceback.format_exc()}")
        content = None
    else:
        tally.accepted += 1
    tally.slowest_s = max(tally.slowest_s, time.perf_counter() - begin_s)
    if content is not None:
        try:
            if not same(content):
                tally.faults.append(f"mutant {tally.tried}: accepted, but another reader finds other content")
        except Exception:
            tally.faults.append(
                f"mutant {tally.tried}: accepted, but another reader fails: {traceback.format_exc()}"
            )


def generator(seed: int, name: str) -> random.Random:
    """Random numbers for one part of a campaign; no other part changes them."""
    return random.Random(f"{seed} {name}")


def peak_bytes() -> int:
    """Largest memory of this process so far [bytes]."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
