"""`python -m tools.recorder_kills`: kill `cellwright record` at random moments, and look at what is left.

Each process is a copy of this one, in which everything is imported and compiled, so that it is killed while
it records and not while it starts. It goes on with the dataset that the one before left. After each kill the
dataset has to hold what an undisturbed recording of as many episodes holds, byte by byte, and lerobot-doctor
must have no remark about its files and columns.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from lerobot_doctor.dataset_loader import load_local
from lerobot_doctor.runner import Severity, run_checks

from cellwright_train.cli import main as cellwright

STRUCTURAL = ["metadata", "temporal", "videos", "consistency", "portability"]
"""Checks of lerobot-doctor that look at files and columns; the others look at what a robot does."""
EPISODES = 6
COMMAND = ["record", "oracle", "--env", "cellwright/PegInsertion-v1"]


def structural_remarks(dataset: Path) -> list[str]:
    """What lerobot-doctor, which nobody here wrote, says against the files and columns of a dataset."""
    return [
        f"{result.name}: {message.message}"
        for result in run_checks(load_local(dataset), STRUCTURAL).results
        for message in result.messages
        if message.severity is not Severity.PASS
    ]


def content(directory: Path) -> dict[str, bytes]:
    """Every file, by its path in the directory; none where there is no directory."""
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def record(dataset: Path, episodes: int) -> int:
    """The command; returns its exit code."""
    return cellwright([*COMMAND, "--out", str(dataset), "--episodes", str(episodes)])


def in_a_copy(dataset: Path, log: Path) -> int:
    """Number of a copy of this process, which records."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        with log.open("w") as file:
            os.dup2(file.fileno(), sys.stdout.fileno())
            os.dup2(file.fileno(), sys.stderr.fileno())
        code = record(dataset, EPISODES)
    finally:
        os._exit(code)


def main() -> int:
    """Returns 1 where an episode was lost or differs, or the doctor had a remark."""
    parser = argparse.ArgumentParser(prog="python -m tools.recorder_kills", description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        dataset, log = Path(scratch) / "pegs", Path(scratch) / "log"
        right: list[dict[str, bytes]] = [{}]
        for episodes in range(1, EPISODES + 1):
            record(dataset, episodes)
            right.append(content(dataset))
        shutil.rmtree(dataset)
        begin_s = time.monotonic()
        os.waitpid(in_a_copy(dataset, log), 0)
        takes_s = time.monotonic() - begin_s
        faults: list[str] = []
        kills = finished = too_late = begun = 0
        while kills < options.times:
            if (before := right.index(content(dataset))) == EPISODES:
                shutil.rmtree(dataset)
                before, begun = 0, begun + 1
            child = in_a_copy(dataset, log)
            time.sleep(rng.uniform(0.0, takes_s))
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
            kills += os.WIFSIGNALED(status)
            too_late += not os.WIFSIGNALED(status)
            if status and not os.WIFSIGNALED(status):
                faults.append(log.read_text()[-500:])
            found = content(dataset)
            if found not in right[before:]:
                faults.append(f"after kill {kills}: no dataset of {before} to {EPISODES} episodes")
                break
            finished += right.index(found) - before
            faults += structural_remarks(dataset) if found else []
    print(f"{kills} kills, {too_late} too late, {begun} datasets completed, {finished} episodes finished")
    print(*(faults or ["0 episodes lost, 0 that differ, 0 remarks"]), sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
