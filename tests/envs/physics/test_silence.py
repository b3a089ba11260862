import os
import subprocess
import sys

import pytest

from cellwright_envs.physics.silence import without_lines


def test_importing_a_cell_prints_nothing() -> None:
    program = "import cellwright_envs.physics.world, pybullet"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_pybullet_would_print_a_line() -> None:
    done = subprocess.run([sys.executable, "-c", "import pybullet"], capture_output=True, check=True)
    assert b"pybullet build time" in done.stdout + done.stderr, "the filter has nothing to do any more"


def test_other_lines_are_passed_on_in_their_order(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(1, b"before\n")
    with without_lines("noise"):
        os.write(1, b"noise of a library\n")
        os.write(1, b"told\n")
        os.write(2, b"an error\n")
    os.write(1, b"after\n")
    assert tuple(capfd.readouterr()) == ("before\ntold\nafter\n", "an error\n")


def test_a_closed_stream_stays_closed() -> None:
    program = "import os; os.close(1); import cellwright_envs.physics.world; os.fstat(1)"
    done = subprocess.run([sys.executable, "-c", program], stderr=subprocess.PIPE, check=False)
    assert b"Bad file descriptor" in done.stderr
