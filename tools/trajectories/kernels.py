"""`kernels`: repeats the recorded actions in processes that compute with other instructions.

The processes differ in the kernels of the BLAS, the vector widths of NumPy, numba's target and the numbers of
threads and processes. All of it is set in their environment only, not in this process or for other commands.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy._core import _multiarray_umath as dispatch  # type: ignore[attr-defined]

_CORES = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX", "Cooperlake", "SapphireRapids")
"""Kernels of OpenBLAS for x86-64, the oldest processor first."""
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to compute, as environment variables of a process."""

    name: str
    settings: dict[str, str] = field(default_factory=dict)
    workers: int = 2


def variants(cache: Path) -> Iterator[Variant]:
    """Every variant that this processor supports; numba caches its code for any x86-64 below `cache`."""
    for core in _CORES:
        if blas_kernel(core) == core.lower():
            yield Variant(name=f"OpenBLAS {core}", settings={"OPENBLAS_CORETYPE": core})
    found = [each for each in dispatch.__cpu_dispatch__ if dispatch.__cpu_features__[each]]
    for count in range(len(found)):
        without = " ".join(found[count:])
        yield Variant(name=f"NumPy without {without}", settings={"NPY_DISABLE_CPU_FEATURES": without})
    generic = {"NUMBA_CPU_NAME": "generic", "NUMBA_CACHE_DIR": str(cache / "generic")}
    yield Variant(name="numba for any x86-64", settings=generic)
    for count in (1, 4):
        threads = dict.fromkeys(_THREADS, f"{count}")
        yield Variant(name=f"{count} threads, {count} processes", settings=threads, workers=count)


def blas_kernel(core: str) -> str:
    """The kernel, in lower case, that NumPy's OpenBLAS uses for the setting `core`; empty without it."""
    asked = os.environ | {"OPENBLAS_CORETYPE": core}
    command = [sys.executable, "-c", f"from {__name__} import loaded_kernel; print(loaded_kernel())"]
    return subprocess.run(command, env=asked, capture_output=True, text=True, check=True).stdout.strip()


def loaded_kernel() -> str:
    """The kernel, in lower case, of the OpenBLAS that came with NumPy; empty without OpenBLAS."""
    for library in (Path(np.__file__).parents[1] / "numpy.libs").glob("libscipy_openblas*"):
        name = ctypes.CDLL(str(library)).scipy_openblas_get_corename64_
        name.restype = ctypes.c_char_p
        return str(name().decode()).lower()
    return ""


def run(arguments: list[str]) -> int:
    """Run `check` with `arguments` in every variant; returns 1 where a trajectory differs in any of them."""
    failed = 0
    with tempfile.TemporaryDirectory() as cache:
        for variant in variants(Path(cache)):
            command = [sys.executable, "-m", "tools.trajectories", "check", *arguments]
            command += ["--workers", f"{variant.workers}"]
            done = subprocess.run(
                command, env=os.environ | variant.settings, capture_output=True, text=True, check=False
            )
            failed |= done.returncode
            lines = done.stdout.strip().splitlines() or ["failed"]
            print(f"{variant.name}: {lines[-1]}", flush=True)
            if done.returncode:
                print(done.stderr, file=sys.stderr)
    return min(failed, 1)
