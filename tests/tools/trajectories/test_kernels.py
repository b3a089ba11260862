"""Recorded actions are repeated with other instructions, and what differs is reported."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.trajectories import kernels
from tools.trajectories.kernels import Variant


def test_the_processor_computes_in_several_ways_each_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernels, "blas_kernel", lambda core: "haswell")  # an old processor falls back to one
    names = [variant.name for variant in kernels.variants(tmp_path)]
    assert [name for name in names if name.startswith("OpenBLAS")] == ["OpenBLAS Haswell"]
    assert len(set(names)) == len(names)
    assert "numba for any x86-64" in names


def test_the_kernel_asked_for_is_read_from_the_library() -> None:
    assert kernels.blas_kernel("Nehalem") == "nehalem"  # which every processor has that runs NumPy
    assert "OPENBLAS_CORETYPE" not in os.environ


def test_one_variant_that_differs_fails_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def two(cache: Path) -> Iterator[Variant]:
        yield Variant(name="as recorded")
        yield Variant(name="without processes", workers=0)

    monkeypatch.setattr(kernels, "variants", two)
    assert kernels.run(["--only", "no such case"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said == ["as recorded: 0 of 0 trajectories are equal", "without processes: failed"]
