"""A campaign: so many mutants from one seed, counted by what became of them."""

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
    """What became of the mutants."""

    tried: int = 0
    refused: int = 0
    """In one line."""
    accepted: int = 0
    """With the content that another reader finds there, or with the content of the original."""
    slowest_s: float = 0.0
    faults: list[str] = field(default_factory=list)
    """Tracebacks, differences, messages of several lines."""

    def line(self, name: str) -> str:
        """For a terminal."""
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
    """Load one mutant and count what became of it."""
    tally.tried += 1
    begin_s = time.perf_counter()
    try:
        content = load()
    except refusals as error:
        tally.refused += 1
        told = str(error)
        if "\n" in told or not told or len(told) > _LONGEST_LINE or not told.isprintable():
            tally.faults.append(f"mutant {tally.tried}: told {told[:_LONGEST_LINE]!r}")
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
                tally.faults.append(f"mutant {tally.tried}: accepted with another content")
        except Exception:
            tally.faults.append(
                f"mutant {tally.tried}: accepted, not by the other reader: {traceback.format_exc()}"
            )


def generator(seed: int, name: str) -> random.Random:
    """Of one part of a campaign: the others do not change what it draws."""
    return random.Random(f"{seed} {name}")


def peak_bytes() -> int:
    """Most memory that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
