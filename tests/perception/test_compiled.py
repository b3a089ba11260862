"""Where compiled code is kept, what happens where it cannot be, and what is said about it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

KERNEL = """
from cellwright_perception.compiled import compilable, compiled

@compilable
def half(x):
    return x / 2.0

@compiled
def quarter(x):
    return half(half(x))
"""
NOWHERE = {"NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator", "NUMBA_CACHE_DIR": "/dev/null/none"}


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A package with one compiled function, as installed."""
    (tmp_path / "cellwright_kernel.py").write_text(KERNEL)
    return tmp_path


def run(installed: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own."""
    path = os.pathsep.join([str(installed), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


QUARTER = "from cellwright_kernel import quarter; print(quarter(8.0))"


def test_compiling_is_said_once_and_code_is_kept_for_the_next_process(installed: Path) -> None:
    first, second = (run(installed, QUARTER, NUMBA_CACHE_DIR=str(installed / "kept")) for _ in range(2))
    assert first.stdout == second.stdout == "2.0\n"
    assert first.stderr.count("\n") == 1
    assert first.stderr.startswith("compiling, once per installation: about")
    assert second.stderr == ""


def test_without_a_writable_directory_everything_runs_and_one_line_names_the_setting(installed: Path) -> None:
    done = run(installed, QUARTER, **NOWHERE)
    assert done.stdout == "2.0\n"
    assert done.stderr.count("\n") == 1
    assert "NUMBA_CACHE_DIR" in done.stderr
    assert "each process" in done.stderr


def test_a_full_disk_costs_the_keeping_only(installed: Path) -> None:
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n" + QUARTER
    done = run(installed, limited, NUMBA_CACHE_DIR=str(installed / "kept"))
    assert done.stdout == "2.0\n"
    assert "cannot be kept" in done.stderr


def test_a_command_can_show_compilation_instead(installed: Path) -> None:
    shown = (
        "from cellwright_perception.compiled import when_compiling\n"
        "calls = []\n"
        "when_compiling(lambda name, spent_s: calls.append((name, spent_s > 0)))\n"
        f"{QUARTER}; print(calls)"
    )
    done = run(installed, shown, NUMBA_CACHE_DIR=str(installed / "kept"))
    assert done.stdout == "2.0\n[('quarter', False), ('quarter', True)]\n"
    assert done.stderr == ""
