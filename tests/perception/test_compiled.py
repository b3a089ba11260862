"""Where compiled code is kept, what happens where it cannot be, and what is said about it."""

import os
import re
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


def test_who_waits_is_told_again_every_few_seconds(installed: Path) -> None:
    impatient = "from cellwright_perception import numba_compiler as n; n.SAY_EVERY_S = 0.001; " + QUARTER
    done = run(installed, impatient, NUMBA_CACHE_DIR=str(installed / "kept"))
    assert re.fullmatch(r"compiling, once .*\ncompiling: \d+ s so far\n", done.stderr)


def test_of_several_workers_only_the_first_says_it(installed: Path) -> None:
    script = installed / "several.py"
    script.write_text(
        "import multiprocessing, cellwright_kernel\n"
        "def work():\n"
        "    cellwright_kernel.quarter(8.0)\n"
        "if __name__ == '__main__':\n"
        "    context = multiprocessing.get_context('spawn')\n"
        "    workers = [context.Process(target=work) for _ in range(2)]\n"
        "    for worker in reversed(workers): worker.start(); worker.join()\n"
    )
    done = run(installed, f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')", **NOWHERE)
    assert done.stderr.count("compiling") == 1


def test_what_others_compile_is_left_alone(installed: Path) -> None:
    code = (
        "import numba, cellwright_kernel\n"
        "names = {}\n"
        "exec('def double(x): return 2 * x', names)\n"
        "names['double'].__module__ = None\n"
        "print(numba.njit(names['double'])(4))"
    )
    done = run(installed, code)
    assert (done.stdout, done.stderr) == ("8\n", "")
