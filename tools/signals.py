"""`python -m tools.signals`: interrupt commands at random moments, and count processes left and results lost.

Each command is started many times. At a random moment a signal is sent to it, to its process group or to one
of its workers. Afterwards no process may be left, and every finished part of an evaluation has to be on disk.
The evaluation, when it is continued to its end, has to give the results of an undisturbed one. The best
policy of a training run must never be a worse one than before.
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import tyro

_MARK = "CELLWRIGHT_SIGNALS"
_PEG = "cellwright/PegInsertion-v1"
_ENDS_WITHIN_S = 90.0
_WORKER = b"multiprocessing.spawn"
_TRACKER = b"resource_tracker"


@dataclass(frozen=True, kw_only=True)
class Options:
    """Which commands are disturbed, in which ways, and how often."""

    times: int = 20
    """Disturbances of each kind for each command."""
    seed: int = 0
    only: tuple[str, ...] = ()
    """Commands to disturb; by default train, evaluate, verify and export."""
    kinds: tuple[str, ...] = ()
    """Signals to send, or `worker` to kill one worker; by default KILL, TERM, HUP, INT and worker."""


@dataclass(kw_only=True)
class Tally:
    """Counts for the disturbances of one kind."""

    disturbed: int = 0
    too_late: int = 0
    """Times that the command had already ended, or had no worker to kill."""
    processes_left: int = 0
    """Processes that were still there after a command had ended."""
    parts_lost: int = 0
    """Finished parts that were missing afterwards; results that differ from earlier ones count as one."""
    best_worse: int = 0
    """Times that the best policy of a run was a worse one than before."""
    tracebacks: int = 0
    """Times that a command printed a traceback."""
    notes: list[str] = field(default_factory=list)
    """One text for each fault that needs an explanation."""


class Command:
    """One command in a directory of its own, and the checks after it was disturbed."""

    def __init__(self, directory: Path, arguments: list[str]) -> None:
        self.directory, self.arguments = directory, arguments

    def prepare(self) -> None:
        """Called before each start."""

    def check(self, tally: Tally) -> None:
        """Called after each end; counts in `tally` what is wrong."""

    def start(self) -> subprocess.Popen[bytes]:
        """Start it as the leader of a process group, as a shell does."""
        with (self.directory / "log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "cellwright_train.cli", *self.arguments],
                cwd=self.directory,
                env=os.environ | {_MARK: str(self.directory)},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


class Evaluating(Command):
    """An evaluation: finished parts stay on disk, and the results are always the same."""

    def __init__(self, directory: Path) -> None:
        arguments = ["evaluate", "oracle", "--env", _PEG, "--episodes", "24", "--workers", "2"]
        super().__init__(directory, [*arguments, "--json", "a.json"])
        self.results, self.partial = directory / "a.json", directory / "a.json.partial"
        self.wanted = b""
        self.seen = 0

    def prepare(self) -> None:
        """Remove the results but not the finished parts, so that the next start continues from them."""
        if self.results.exists():
            self.results.unlink()
        self.seen = self.finished()

    def finished(self) -> int:
        """Number of finished parts on disk."""
        with suppress(FileNotFoundError):
            return max(0, self.partial.read_bytes().count(b"\n") - 1)
        return 0

    def check(self, tally: Tally) -> None:
        """Count parts that are missing, and results that differ from the first ones."""
        if self.results.exists():
            written = self.results.read_bytes()
            self.wanted = self.wanted or written
            if written != self.wanted:
                tally.parts_lost += 1
                tally.notes.append("the results differ from the first ones")
            return
        if (now := self.finished()) < self.seen:
            tally.parts_lost += self.seen - now


class Training(Command):
    """A training run: its best policy is never replaced by a worse one."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, ["train", "debug", "--seed", "1", "--run-dir", "run"])
        self.best: tuple[float, float] = (-1.0, 0.0)

    def prepare(self) -> None:
        """Continue the run, or begin a new one where it is finished."""
        run = self.directory / "run"
        if (run / "checkpoints").is_dir() and not self._is_finished(run):
            self.arguments = ["train", "--resume", "--run-dir", "run"]
            return
        shutil.rmtree(run, ignore_errors=True)
        self.arguments = ["train", "debug", "--seed", "1", "--run-dir", "run"]
        self.best = (-1.0, 0.0)

    def check(self, tally: Tally) -> None:
        """Compare the recorded scores of the best policy with the previous ones."""
        now = self._score()
        if now < self.best:
            tally.best_worse += 1
            tally.notes.append(f"best {self.best} became {now}")
        self.best = now

    def _score(self) -> tuple[float, float]:
        found = sorted((self.directory / "run" / "best").glob("[0-9]*"))
        if not found:
            return (-1.0, 0.0)
        scores = json.loads((found[-1] / "state.json").read_text())["scores"]
        return scores["success_rate"], scores["return"]

    def _is_finished(self, run: Path) -> bool:
        from cellwright_train.learning.presets import PRESETS

        found = sorted((run / "checkpoints").glob("[0-9]*"))
        steps = json.loads((found[-1] / "state.json").read_text())["steps"] if found else -1
        return bool(steps >= PRESETS["debug"].steps)


class Exporting(Command):
    """An export: the bundle is complete or not there."""

    def __init__(self, directory: Path) -> None:
        arguments = ["export", "run", "--out", "bundle", "--episodes", "6", "--workers", "2"]
        super().__init__(directory, [*arguments, "--products", "round-16-1"])
        _train_a_peg(directory / "run")

    def prepare(self) -> None:
        """Remove the bundle."""
        shutil.rmtree(self.directory / "bundle", ignore_errors=True)

    def check(self, tally: Tally) -> None:
        """Load the bundle where it is there: it must be complete."""
        from cellwright_runtime.bundle.container import BundleError
        from cellwright_runtime.bundle.policy import Bundle

        if (self.directory / "bundle").exists():
            try:
                Bundle.load(self.directory / "bundle")
            except BundleError as error:
                tally.notes.append(str(error))


def _train_a_peg(directory: Path) -> None:
    """Train a run of a few steps; its policy is only there to be exported."""
    from cellwright_train.learning.presets import PRESETS
    from cellwright_train.learning.training import train

    preset = PRESETS["peg-insertion"]
    config = dataclasses.replace(
        preset,
        steps=64,
        cells=2,
        demonstrations=dataclasses.replace(preset.demonstrations, steps=0),
        ppo=dataclasses.replace(preset.ppo, rollout_steps=32, batch_size=32),
        evaluation=dataclasses.replace(preset.evaluation, episodes=2),
    )
    train(config, directory, seed=1, report=lambda _: None)


COMMANDS: dict[str, Callable[[Path], Command]] = {
    "train": Training,
    "evaluate": Evaluating,
    "verify": lambda directory: Command(
        directory, ["verify", "zoo:peg-insertion", "--episodes", "12", "--workers", "2"]
    ),
    "export": Exporting,
}


def disturb(command: Command, kind: str, delay_s: float, tally: Tally) -> float | None:
    """Start `command`, disturb it after `delay_s` [s], wait for its end, and check what is left.

    Returns its duration [s] where it ended before it could be disturbed, None otherwise.
    """
    command.prepare()
    begin_s = time.monotonic()
    process = command.start()
    with suppress(subprocess.TimeoutExpired):
        process.wait(delay_s)
    took_s = None if process.poll() is None else time.monotonic() - begin_s
    if isinstance(command, Evaluating):
        command.seen = max(command.seen, command.finished())
    if took_s is not None or not _send(kind, process, command.directory):
        tally.too_late += 1
    else:
        tally.disturbed += 1
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        tally.notes.append(f"did not end within {_ENDS_WITHIN_S:.0f} s after {kind}")
        process.kill()
        process.wait()
    left = _left(command.directory)
    tally.processes_left += len(left)
    for number in left:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    log = (command.directory / "log").read_bytes()
    if b"Traceback" in log:
        tally.tracebacks += 1
        tally.notes.append(log[-600:].decode(errors="replace"))
    command.check(tally)
    return took_s


def _send(kind: str, process: subprocess.Popen[bytes], directory: Path) -> bool:
    """Send the signal of this `kind`; returns whether there was a process to receive it."""
    with suppress(ProcessLookupError):
        if kind == "worker":
            workers = [number for number in _marked(directory) if _is_worker(number)]
            if not workers:
                return False
            os.kill(random.choice(workers), signal.SIGKILL)
        elif kind in ("INT", "HUP"):  # a terminal sends these to the whole group
            os.killpg(process.pid, signal.Signals[f"SIG{kind}"])
        else:
            process.send_signal(signal.Signals[f"SIG{kind}"])
        return True
    return False


def _left(directory: Path) -> list[int]:
    """Numbers of the processes that are still there after the time that others need to end by themselves."""
    deadline = time.monotonic() + 10
    while (left := list(_marked(directory))) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _marked(directory: Path) -> Iterator[int]:
    mark = f"{_MARK}={directory}\0".encode()
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdigit() and mark in (entry / "environ").read_bytes():
                yield int(entry.name)


def _is_worker(number: int) -> bool:
    with suppress(OSError):
        command = Path(f"/proc/{number}/cmdline").read_bytes()
        return _WORKER in command and _TRACKER not in command
    return False


def main(options: Options) -> int:
    """Disturb the commands and print the counts; returns 1 where anything was left, lost or worse."""
    random.seed(options.seed)
    bad = 0
    headings = f"{'left':>6}{'lost':>6}{'worse':>7}{'traces':>8}"
    print(f"{'command':10}{'kind':8}{'disturbed':>10}{'too late':>10}{headings}")
    for name in options.only or COMMANDS:
        with tempfile.TemporaryDirectory() as scratch:
            command = COMMANDS[name](Path(scratch))
            begin_s = time.monotonic()
            command.prepare()
            if command.start().wait() != 0:
                print((command.directory / "log").read_text())
                return 1
            command.check(Tally())
            takes_s = time.monotonic() - begin_s
            for kind in options.kinds or ("KILL", "TERM", "HUP", "INT", "worker"):
                tally = Tally()
                tries = 0
                while tally.disturbed < options.times and tries < 4 * options.times:
                    tries += 1
                    took_s = disturb(command, kind, random.uniform(0, takes_s), tally)
                    takes_s = took_s or takes_s  # shorter where less is left, or the machine is less busy
                row = (tally.processes_left, tally.parts_lost, tally.best_worse, tally.tracebacks)
                bad += sum(row) + len(tally.notes)
                print(
                    f"{name:10}{kind:8}{tally.disturbed:>10}{tally.too_late:>10}"
                    f"{row[0]:>6}{row[1]:>6}{row[2]:>7}{row[3]:>8}",
                    flush=True,
                )
                for note in tally.notes:
                    print("  ", note)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Options)))
