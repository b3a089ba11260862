"""The command `cellwright`: reading its arguments, and what becomes of errors and signals.

Nothing heavy is imported before a command is chosen, and a base installation can import everything here.
"""

import contextlib
import difflib
import io
import re
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from types import FrameType
from typing import Annotated, NoReturn

import tyro
from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, subcommand

from cellwright_train.commands.adapt import Adapt
from cellwright_train.commands.bench import Bench
from cellwright_train.commands.calibrate import Calibrate
from cellwright_train.commands.codegen import Codegen
from cellwright_train.commands.demo import Demo
from cellwright_train.commands.deploy import Deploy
from cellwright_train.commands.diff import Diff
from cellwright_train.commands.evaluate import Evaluate
from cellwright_train.commands.export import Export
from cellwright_train.commands.inspect import Inspect
from cellwright_train.commands.keygen import Keygen
from cellwright_train.commands.leaderboard import Leaderboard
from cellwright_train.commands.record import Record
from cellwright_train.commands.regress import Regress
from cellwright_train.commands.replay import Replay
from cellwright_train.commands.scenarios import Scenarios
from cellwright_train.commands.shift import Shift
from cellwright_train.commands.sign import Sign
from cellwright_train.commands.train import Train
from cellwright_train.commands.verify import Verify
from cellwright_train.commands.virtual_controller import VirtualControllerCommand
from cellwright_train.commands.watch import Watch
from cellwright_train.errors import Stopped, UsageError, one_line, require_training_seed
from cellwright_train.terminal import lasting_output

COMMANDS = (
    "demo",
    "train",
    "adapt",
    "evaluate",
    "shift",
    "scenarios",
    "leaderboard",
    "regress",
    "record",
    "export",
    "verify",
    "codegen",
    "inspect",
    "diff",
    "keygen",
    "sign",
    "calibrate",
    "deploy",
    "replay",
    "bench",
    "watch",
    "virtual-controller",
)
BAD_INPUT = 2
INTERRUPTED = 130
_LEAST = {
    "episodes": 1,
    "parts": 1,
    "measured": 1,
    "workers": 1,
    "seed": 0,
    "draw": 0,
    "changes": 0,
    "vectors": 1,
}
"""The smallest value of an option; some may be left out."""
_MOST = {"episodes": 10**6, "parts": 10**4, "measured": 10**5, "workers": 1024, "seed": 2**53, "draw": 10**9}
"""The largest: a plan is held in memory, and a seed has to survive any reader of JSON."""
_ENDING = [signal.SIGTERM, signal.SIGHUP]
_OF_CELLS = ("cv2", "gymnasium", "junitparser", "msgspec", "numba", "pybullet", "scipy", "tqdm")
_OF_TRAINING = (
    *("PIL", "jinja2", "matplotlib", "onnx", "onnxscript"),
    *("safetensors", "stable_baselines3", "tensorboard", "torch"),
)
_EXTRAS = dict.fromkeys(_OF_TRAINING, "train") | {
    **dict.fromkeys(("cryptography", "mcap", "ruckig"), "robot"),
    **{"pyarrow": "data", "rerun": "viewer"},
}
"""Modules that the base installation does not have; an extra brings those that not every command needs."""

Command = (
    Annotated[Demo, subcommand("demo")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Adapt, subcommand("adapt")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Scenarios, subcommand("scenarios")]
    | Annotated[Leaderboard, subcommand("leaderboard")]
    | Annotated[Regress, subcommand("regress")]
    | Annotated[Shift, subcommand("shift")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Verify, subcommand("verify")]
    | Annotated[Codegen, subcommand("codegen")]
    | Annotated[Inspect, subcommand("inspect")]
    | Annotated[Diff, subcommand("diff")]
    | Annotated[Keygen, subcommand("keygen")]
    | Annotated[Sign, subcommand("sign")]
    | Annotated[Calibrate, subcommand("calibrate")]
    | Annotated[Deploy, subcommand("deploy")]
    | Annotated[Replay, subcommand("replay")]
    | Annotated[Bench, subcommand("bench")]
    | Annotated[Watch, subcommand("watch")]
    | Annotated[Record, subcommand("record")]
    | Annotated[VirtualControllerCommand, subcommand("virtual-controller")]
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `cellwright`; returns the exit code.

    0 good, 1 a check failed, 2 bad input, 128 and more: the number of the signal that ended it.
    """
    try:
        with lasting_output(), _ending_signals():
            return _run(sys.argv[1:] if arguments is None else list(arguments))
    except Stopped as stopped:
        _complain(f"ended by {signal.Signals(stopped.number).name}")
        return 128 + stopped.number
    except KeyboardInterrupt:
        _complain("interrupted")
        return INTERRUPTED
    except Exception as error:
        if not _is_users(error):
            raise
        _complain(_told(error))
        return BAD_INPUT


def _run(arguments: list[str]) -> int:
    if arguments == ["--version"]:
        print(f"cellwright {version('cellwright')}")
        return 0
    _refuse_foreign_bytes(arguments)
    command = _parse(arguments)
    if isinstance(command, int):
        return command
    _refuse_impossible(command)
    try:
        return command.run()
    except ImportError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "cv2" and not isinstance(error, ModuleNotFoundError):
            raise UsageError(str(error)) from error  # `opencv` says what would mend it
        if missing not in (*_OF_CELLS, *_EXTRAS):
            raise
        extra = _EXTRAS.get(missing, command.extra)
        raise UsageError(
            f"this needs {missing}, which is not installed: pip install 'cellwright[{extra}]'"
        ) from error


def _refuse_foreign_bytes(arguments: list[str]) -> None:
    """Raise `UsageError` for what no file of ours can name: JSON and logs hold Unicode."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{argument!a} is not UTF-8; choose another name") from None


def _refuse_impossible(command: "Command") -> None:
    """Raise `UsageError` for a number that no run could have."""
    given = vars(command)
    for name, least in (_LEAST | ({"episodes": 0} if isinstance(command, Verify) else {})).items():
        if given.get(name) is not None and given[name] < least:
            raise UsageError(f"--{name} must be at least {least}, got {given[name]}")
    if isinstance(command, Train) and command.seed is not None:
        require_training_seed(command.seed, "--seed")
    for name, most in _MOST.items():
        if given.get(name) is not None and given[name] > most:
            raise UsageError(f"--{name} must be at most {most}, got {given[name]}")
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
            _complain(_in_one_line(complaint.getvalue(), arguments))
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


@contextlib.contextmanager
def _ending_signals() -> Iterator[None]:
    """Have signals that ask a process to end do what Ctrl-C does: clean up and keep what is finished."""

    def stop(number: int, frame: FrameType | None) -> NoReturn:
        raise Stopped(number)

    replaced = []
    try:
        for number in _ENDING:
            if signal.getsignal(number) is signal.SIG_DFL:  # `nohup` has a hang-up ignored
                with contextlib.suppress(ValueError):  # only the main thread may
                    signal.signal(number, stop)
                    replaced.append(number)
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _complain(text: str) -> None:
    with contextlib.suppress(OSError, AttributeError):  # there may be no standard error
        print(f"cellwright: {text}", file=sys.stderr)


def _told(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return one_line(error)


def _is_users(error: Exception) -> bool:
    """Whether the user can put it right; anything else is a defect of ours and keeps its traceback."""
    from cellwright_runtime.files.reading import FileError
    from cellwright_runtime.runtime import ObservationError

    return isinstance(error, UsageError | FileError | ObservationError | OSError)


if __name__ == "__main__":
    sys.exit(main())
