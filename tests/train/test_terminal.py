"""What is printed suits who reads it, and nobody's leaving ends the work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EVALUATE = ["evaluate", "oracle", "--env", "cellwright/PegInsertion-v1", "--episodes", "1", "--workers", "1"]


def cellwright(*arguments: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "cellwright_train.cli", *arguments],
        stderr=subprocess.PIPE,
        check=False,
        **how,  # type: ignore[call-overload]
    )


def with_encoding(name: str) -> dict[str, str]:
    return os.environ | {"PYTHONIOENCODING": name}


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_help_and_tables_suit_the_encoding(encoding: str) -> None:
    program = (
        "import sys\nfrom rich.table import Table\nfrom cellwright_train.cli import main\n"
        "from cellwright_train.terminal import console, lasting_output\n"
        "main(['evaluate', '--help'])\nwith lasting_output():\n"
        "    table = Table()\n    table.add_column('1…2 – 3 × µ')\n    table.add_row('b')\n"
        "    console().print(table)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=with_encoding(encoding), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    told = done.stdout.decode(encoding)
    assert "--disturbances" in told
    assert ("1...2 - 3 x u" if encoding == "ascii" else "1...2 - 3 × µ") in told
    assert not set("│─…–") & set(told)


def test_a_reader_that_leaves_ends_no_work(tmp_path: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = cellwright(*EVALUATE, "--json", str(tmp_path / "a.json"), stdout=write)
    os.close(write)
    assert (done.returncode, [path.name for path in tmp_path.iterdir()]) == (0, ["a.json"])
    assert b"Traceback" not in done.stderr
    assert b"Exception" not in done.stderr


def test_results_are_written_where_the_table_cannot_be(tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = cellwright(*EVALUATE, "--json", str(tmp_path / "a.json"), stdout=full)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        b"cellwright: standard output cannot be written: No space left on device"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_the_table_is_shown_where_the_results_cannot_be_written() -> None:
    done = cellwright(*EVALUATE, "--json", "/dev/full", stdout=subprocess.PIPE)
    assert done.returncode == 2
    assert b"cellwright: /dev/full cannot be written: No space left on device" in done.stderr
    assert b"loose" in done.stdout


def test_a_command_without_standard_output_works() -> None:
    program = "import os, sys; os.close(1); os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-m", "cellwright_train.cli", "--version"]
    done = subprocess.run([sys.executable, "-c", program, *command], stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
