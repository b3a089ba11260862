"""How the C library hands out the memory of large tensors."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Parameters of `mallopt`, from glibc's malloc.h."""
_LARGEST = 1 << 30


def keep_freed_memory() -> bool:
    """Let this process keep what it frees, up to 1 GiB, and say whether the C library agreed.

    By itself glibc returns to the system each freed block above 32 MiB, and smaller ones when 64 MiB of them
    lie free, and takes them back for the next tensors, with a page fault for every 4 KiB. A gradient step
    frees all that it takes, and on 512 camera images the faults cost up to as much as the arithmetic. Other
    C libraries are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    accepted = [mallopt(parameter, _LARGEST) == 1 for parameter in (_MMAP_THRESHOLD, _TRIM_THRESHOLD)]
    return all(accepted)
