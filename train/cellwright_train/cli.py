"""The command `cellwright`. Nothing heavy is imported before a command is chosen."""

import contextlib
import difflib
import io
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, Positional, arg, subcommand

POLICY_HELP = "a bundle, a run directory, an expert's name, or zoo:NAME"
COMMANDS = ("demo", "train", "evaluate", "export", "verify", "bench", "watch")
BAD_INPUT = 2
_LEAST = {"episodes": 1, "parts": 1, "workers": 1, "seed": 0}
"""The smallest value of an option; some may be left out."""

Policy = Annotated[str, arg(metavar="POLICY", help=POLICY_HELP)]
Env = Annotated[
    str | None,
    arg(
        metavar="ID",
        help="an environment; default: the one the policy was trained in, for experts the weld cell",
    ),
]
Products = Annotated[str, arg(metavar="{train,held-out,all}|NAME[+NAME...]")]
Disturbances = Annotated[str, arg(metavar="{none,train,hard}|NAME")]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Weld 20 parts with three controllers, fine-tune the shipped policy, export and verify it."""

    out: Path = Path("report.html")
    """The report; everything else goes to a directory beside it."""
    parts: int = 20
    """Parts per controller; the line changes half-way."""
    minutes: float = 1.5
    """Length of the fine-tuning run."""
    seed: int = 1
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, 4))

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.commands.demo import DemoConfig, run_demo

        return run_demo(
            DemoConfig(
                report=self.out, parts=self.parts, minutes=self.minutes, seed=self.seed, workers=self.workers
            )
        )


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a policy with PPO from a preset, or go on with a run that was interrupted."""

    preset: Positional[str] = "weld-seam"
    """Name of the preset; its task, curriculum, held-out products and budget."""
    run_dir: Path | None = None
    """Where checkpoints, metrics and the resolved configuration go; default: runs/<preset>-<seed>."""
    seed: int = 1
    minutes: float | None = None
    """Stop after this long instead of at the preset's end."""
    resume: bool = False
    """Go on from the last checkpoint in --run-dir."""
    workers: int | None = None
    """Processes that step the cells; default: the preset's or the run's own."""
    device: Annotated[str | None, arg(metavar="{cpu,cuda}")] = None
    """Where the networks act and learn; default: the preset's or the run's own."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.commands.run import train

        directory = self.run_dir or Path("runs") / f"{self.preset}-{self.seed}"
        return train(
            self.preset,
            directory,
            seed=self.seed,
            minutes=self.minutes,
            resume_run=self.resume,
            workers=self.workers,
            device=self.device,
        )


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Work on many unseen parts with a policy and print what inspection says, with 95 % intervals."""

    policy: Positional[Policy]
    env: Env = None
    episodes: int = 100
    seed: int = 100_000
    """First seed; episode i uses seed + i."""
    products: Products = "train"
    """A split or one product."""
    disturbances: Disturbances = "train"
    """A named set of disturbances."""
    line_change: Annotated[str | None, arg(metavar="NAME")] = None
    """A lasting change of the line, which every part comes after."""
    json: Path | None = None
    """Write the results here."""
    report: Path | None = None
    """Write a page with plots, pictures and every part here (HTML)."""
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, 4))
    """Processes; the results do not depend on it."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.commands.run import evaluate_command

        return evaluate_command(
            self.policy,
            env=self.env,
            episodes=self.episodes,
            seed=self.seed,
            products=self.products,
            disturbances=self.disturbances,
            line_change=self.line_change,
            json_file=self.json,
            report=self.report,
            workers=self.workers,
        )


@dataclass(frozen=True, kw_only=True)
class Export:
    """Turn a training run into a bundle that runs without the training stack."""

    run_directory: Positional[Annotated[Path, arg(metavar="RUN")]]
    """A directory that `cellwright train` wrote."""
    out: Path
    """The bundle to write."""
    name: str | None = None
    """Name in the manifest; default: the bundle directory's."""
    env: Env = None
    episodes: int = 40
    """Episodes in the scorecard, which `verify` repeats."""
    seed: int = 100_000
    products: Products = "train"
    disturbances: Disturbances = "train"
    command: str = ""
    """The command that trained the policy, for the manifest; default: from the run."""
    force: bool = False
    """Replace a bundle that is already there."""
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, 4))

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.commands.run import export_command

        return export_command(
            self.run_directory,
            self.out,
            name=self.name,
            env=self.env,
            episodes=self.episodes,
            seed=self.seed,
            products=self.products,
            disturbances=self.disturbances,
            command=self.command,
            force=self.force,
            workers=self.workers,
        )


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Prove that a bundle does what the trained policy did: files, graph, recorded vectors, and parts."""

    bundle: Positional[Annotated[str, arg(metavar="BUNDLE", help="a bundle directory, or zoo:NAME")]]
    against: Path | None = None
    """A run directory: repeat the seeds with its policy instead of trusting the recorded results."""
    episodes: int = 20
    """Recorded episodes to repeat; 0 leaves the closed loop out."""
    workers: int = field(default_factory=lambda: min(os.cpu_count() or 1, 4))

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.commands.run import verify_command

        return verify_command(self.bundle, against=self.against, episodes=self.episodes, workers=self.workers)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure every speed and ratio that the documentation states, on this machine."""

    json: Path | None = None
    """Write the figures here."""
    quick: bool = False
    """Fewer repeats, under a minute."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.commands.run import bench_command

        return bench_command(self.json, quick=self.quick)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Film a policy at work; needs no display."""

    policy: Positional[Policy]
    out: Path = Path("film.gif")
    """A .gif animation, or a .png strip of moments."""
    env: Env = None
    episodes: int = 1
    seed: int = 0
    products: Products = "train"
    disturbances: Disturbances = "train"
    force: bool = False
    """Replace the file if it is already there."""

    def run(self) -> int:
        """Run the command; returns the exit code."""
        from cellwright_train.commands.run import watch_command

        return watch_command(
            self.policy,
            self.out,
            env=self.env,
            episodes=self.episodes,
            seed=self.seed,
            products=self.products,
            disturbances=self.disturbances,
            force=self.force,
        )


Command = (
    Annotated[Demo, subcommand("demo")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Verify, subcommand("verify")]
    | Annotated[Bench, subcommand("bench")]
    | Annotated[Watch, subcommand("watch")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `cellwright`; returns the exit code: 0 good, 1 a check failed, 2 bad input."""
    command = _parse(sys.argv[1:] if arguments is None else list(arguments))
    if isinstance(command, int):
        return command
    try:
        _refuse_impossible(command)
        return int(command.run())
    except KeyboardInterrupt:
        print("cellwright: interrupted", file=sys.stderr)
        return 130
    except Exception as error:
        if not _is_users(error):
            raise
        print(f"cellwright: {' '.join(str(error).split())}", file=sys.stderr)
        return BAD_INPUT


def _refuse_impossible(command: "Command") -> None:
    """Raise `UsageError` for a number that no run could have."""
    from cellwright_train.errors import UsageError, require_training_seed

    given = vars(command)
    for name, least in (_LEAST | ({"episodes": 0} if isinstance(command, Verify) else {})).items():
        if given.get(name) is not None and given[name] < least:
            raise UsageError(f"--{name} must be at least {least}, got {given[name]}")
    if isinstance(command, Demo | Train):
        require_training_seed(command.seed, "--seed")
    if given.get("minutes") is not None and not given["minutes"] > 0:  # as of nan too
        raise UsageError(f"--minutes must be more than 0, got {given['minutes']:g}")


def _parse(arguments: list[str]) -> "Command | int":
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                Command,
                prog="cellwright",
                description="Vision policies for robot cells: train, compare, export, verify.",
                args=arguments,
                config=(OmitArgPrefixes, OmitSubcommandPrefixes),
            )
    except SystemExit as leaving:
        if complaint.getvalue():
            print(f"cellwright: {_in_one_line(complaint.getvalue(), arguments)}", file=sys.stderr)
        return int(leaving.code or 0)


def _in_one_line(complaint: str, arguments: list[str]) -> str:
    """tyro draws boxes, with lines or in ASCII; a log or a CI page wants one line."""
    sections: list[list[str]] = [[]]
    for raw in complaint.splitlines():
        line = raw.strip().strip("│|").strip()
        if line.startswith(("╭", "╰", "─", "+", "---")):
            sections.append([])
        else:
            sections[-1].append(line)
    told = [" ".join(lines).rstrip(".") for lines in sections if lines]
    told = [text for text in told if not text.startswith(("For full helptext", "Argument helptext"))]
    if len(told) > 1 and told[1].startswith(told[0]):
        del told[0]  # the title of an ASCII box
    told = [re.sub(r"Perhaps you meant: (--[a-z-]+).*", r"did you mean \1?", text) for text in told]
    chosen = next((word for word in arguments if word in COMMANDS), None)
    first = next((word for word in arguments if not word.startswith("-")), "")
    if chosen is None and (near := difflib.get_close_matches(first, COMMANDS, n=1)):
        told.append(f"did you mean {near[0]}?")
    return f"{'; '.join(told)} (see cellwright{f' {chosen}' if chosen else ''} --help)"


def _is_users(error: Exception) -> bool:
    """Whether the user can put it right; anything else is a defect of ours and keeps its traceback."""
    from cellwright_runtime.bundle.container import BundleError
    from cellwright_runtime.runtime import ObservationError
    from cellwright_train.errors import UsageError

    files = FileNotFoundError | NotADirectoryError | PermissionError
    return isinstance(error, UsageError | BundleError | ObservationError | files)


if __name__ == "__main__":
    sys.exit(main())
