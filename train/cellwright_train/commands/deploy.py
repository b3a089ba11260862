"""`cellwright deploy`."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from tyro.conf import arg

from cellwright_train.commands.options import BundleName, Repeated, bundle_directory
from cellwright_train.errors import UsageError, one_line
from cellwright_train.outputs import require_directory

if TYPE_CHECKING:
    from cellwright_runtime.bundle.policy import Bundle
    from cellwright_runtime.cell.cell_file import CellFile
    from cellwright_runtime.drivers.driver import RobotState
    from cellwright_runtime.operation.session import Session

WATCHED_S = 1.0
"""A robot is watched for so long before it is armed: frames come, decisions are in time, code is warm."""
PATIENCE_S = 4.0
"""So much longer it may take until observations are fine."""
STARTED_S = 0.2
"""It is held for so long between arming and the first motion."""
_REST_S = 3.0
"""A robot that slows down takes no longer (assumption)."""
_LOCKSTEP_REST_S = 60.0
"""The same for a controller in lock-step, whose time may pass as slowly as a busy computer lets it."""
_TOLD_S = 0.05


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """Run a bundle on a robot inside its envelope; without --arm it reads and decides, and sends nothing."""

    bundle: BundleName
    cell: Path | None = None
    """The file that describes the robot's cell; every driver but `sim` needs it."""
    driver: Literal["sim", "ur", "kuka-rsi", "abb-egm", "fanuc-stream"] | None = None
    """The robot; default: that of --cell, else `sim`, the cell that the policy was trained in, in simulated
    time."""
    host: str | None = None
    """The controller's address, or for kuka-rsi and abb-egm that of this computer, to which the robot speaks;
    default: that of --cell."""
    key: Path | None = None
    """A public key in PEM, which has to have signed the bundle."""
    arm: bool = False
    """Move the robot."""
    lockstep: bool = False
    """For a virtual controller that runs in lock-step: time is the controller's, and waits for decisions."""
    seconds: float = 60.0
    """End after so long."""
    seed: int | None = None
    """Of the simulated cell; default: 0."""
    disturbances: str | None = None
    """What goes wrong in the simulated cell; default: train."""
    product: str | None = None
    """The part in the simulated cell; default: one of those of training."""
    logs: Path | None = None
    """Write the last 30 s to this directory, on every stop and at the end."""
    limit: Annotated[Repeated, arg(metavar="NAME=VALUE ...")] = ()
    """Stricter limits than the bundle and the cell declare, such as tool_speed_m_s=0.05."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code: 1 where the robot was stopped or the work was not done."""
        from cellwright_runtime.drivers.driver import DriverError
        from cellwright_runtime.envelope.states import NotAllowedError
        from cellwright_runtime.operation.match import MismatchError

        if not 0.0 < self.seconds <= 3600.0:
            raise UsageError(f"--seconds must be above 0 and at most 3600, got {self.seconds:g}")
        tighter = _tighter(self.limit)
        bundle = self._bundle()
        try:
            file = self._file()
            driver = self._driver(file)
            if self.logs is not None:
                import mcap.writer  # noqa: F401  # a robot that has moved is too late to miss it

                require_directory(self.logs)
            if driver == "sim":
                return self._simulated(bundle, tighter)
            assert file is not None
            return self._on_controller(bundle, file, driver, tighter)
        except (MismatchError, NotAllowedError, DriverError, ValueError) as error:
            raise UsageError(str(error)) from None

    def _bundle(self) -> Bundle:
        from cellwright_runtime.bundle.policy import Bundle
        from cellwright_runtime.verification import verify_signature

        directory = bundle_directory(self.bundle, "deploy")
        if self.key is not None:
            signed = verify_signature(directory, self.key)
            if not signed.passed:
                raise UsageError(f"{directory}: {signed.detail}")
        return Bundle.load(directory)

    def _file(self) -> CellFile | None:
        if self.cell is None:
            return None
        from cellwright_runtime.cell.cell_file import CellFile

        return CellFile.read(self.cell)

    def _driver(self, file: CellFile | None) -> str:
        """The driver's name; raises `UsageError` for options that do not go with it."""
        if file is None:
            if self.driver not in (None, "sim"):
                raise UsageError(
                    f"--driver {self.driver} needs --cell FILE, which describes the robot's cell"
                )
            if self.lockstep:
                raise UsageError(
                    "--lockstep is for virtual controllers; the driver sim has its own time anyway"
                )
            if self.host is not None:
                raise UsageError("--host goes with --cell FILE and the driver of a controller")
            return "sim"
        name = self.driver or file.cell.robot.driver
        if not name:
            raise UsageError(f"{file.name} names no driver; give one with --driver")
        if name == "sim":
            raise UsageError("--driver sim is the cell that the policy was trained in, and takes no --cell")
        for option, value in (
            ("seed", self.seed),
            ("disturbances", self.disturbances),
            ("product", self.product),
        ):
            if value is not None:
                raise UsageError(f"--{option} is of the simulated cell; the driver {name} has a real one")
        return name

    def _simulated(self, bundle: Bundle, tighter: dict[str, float]) -> int:
        from cellwright_train.commands.deploy_simulated import simulated_session

        session, truth = simulated_session(
            bundle,
            seed=self.seed or 0,
            disturbances=self.disturbances or "train",
            product=self.product,
            tighter=tighter,
            logs=self.logs,
        )
        told = 0
        try:
            self._say_where(session, session.connect())
            step = self._stepping(session, lambda: False, watched_s=0.0)
            while step():
                told = _tell(session, told)
            return self._end(session, truth=truth)
        except Exception as problem:
            told = _tell(session, told)
            return _broken(session, problem)
        except KeyboardInterrupt:
            _keep_log(session)
            raise
        finally:
            _tell(session, told)
            session.close()

    def _on_controller(self, bundle: Bundle, file: CellFile, name: str, tighter: dict[str, float]) -> int:
        from cellwright_runtime.deployment.robots import require_tool
        from cellwright_runtime.drivers.servo import ServoThread
        from cellwright_runtime.files.hosts import host_fault
        from cellwright_train.commands.deploy_controller import controller_session

        host = self.host or file.cell.robot.host
        if not host:
            raise UsageError(f"{file.name} names no host of the controller; give it with --host")
        if fault := host_fault(host):
            raise UsageError(f"--host {fault}")
        session, release = controller_session(
            bundle, file, name, host, arm=self.arm, lockstep=self.lockstep, tighter=tighter, logs=self.logs
        )
        told, asked = 0, [False]
        try:
            state = session.connect()
            require_tool(file, state, name)
            self._say_where(session, state)
            session.warm()
            step = self._stepping(session, lambda: asked[0], watched_s=WATCHED_S)
            servo = ServoThread(step, session.driver.stop, cycle_s=session.driver.cycle_s)
            servo.start()
            try:
                while not servo.join(_TOLD_S):
                    told = _tell(session, told)
            except KeyboardInterrupt:
                asked[0] = True  # slow down first
                if not servo.join(_LOCKSTEP_REST_S if self.lockstep else _REST_S):
                    servo.stop()
                _keep_log(session)
                raise
            told = _tell(session, told)
            if not self.lockstep:
                late = f"{servo.late} of {servo.cycles} cycles more than 2 ms late"
                print(f"{late}, the worst by {1e3 * servo.worst_s:.1f} ms")
            return self._end(session)
        except Exception as problem:
            told = _tell(session, told)
            return _broken(session, problem)
        finally:
            _tell(session, told)
            session.close()
            release()

    def _say_where(self, session: Session, state: RobotState) -> None:
        print(f"{session.about['bundle']}: connected, tool at {_millimetres(state.tool)} mm", flush=True)

    def _stepping(
        self, session: Session, asked: Callable[[], bool], *, watched_s: float
    ) -> Callable[[], bool]:
        """One cycle of the session, and whether another follows; `asked` says that it should end.

        With `--arm` the robot is armed after `watched_s`, and let move a while later.
        """
        from cellwright_runtime.envelope.states import State

        begun_s, armed_s = session.now_s, [float("inf") if self.arm else 0.0]

        def step() -> bool:
            now_s = session.now_s
            ends = asked() or now_s - begun_s >= self.seconds
            if ends:
                session.finish()
            elif (
                self.arm
                and armed_s[0] > now_s
                and now_s - begun_s >= watched_s + PATIENCE_S * bool(session.wrong)
            ):
                session.arm()
                armed_s[0] = now_s
            elif session.state is State.ARMED and now_s - armed_s[0] >= STARTED_S and not session.done:
                session.start()
            session.cycle()
            return not session.over and not (ends and session.at_rest)

        return step

    def _end(self, session: Session, truth: Callable[[], str] | None = None) -> int:
        """Say how it ended."""
        envelope = session.envelope
        counted = [f"{stage.value} {count}" for stage, count in envelope.tally.total.items() if count]
        print(f"{session.decisions} decisions, interventions: {', '.join(counted) or 'none'}")
        if not self.arm:
            if (felt := session.wrench) is not None:
                force, torque = (", ".join(f"{each:.3g}" for each in half) for half in felt.reshape(2, 3))
                print(f"wrench at the end: {force} N; {torque} N m")
            self._log(session, "dry run")
            print("dry run: nothing was sent; --arm moves the robot")
            return 0
        done = session.over and envelope.reason is None
        if done:
            print(session.done + ("" if truth is None else f"; the simulated part: {truth()}"))
        elif envelope.reason is None:
            print(f"not done after {self.seconds:g} s")
        self._log(session, session.done or "time is over")
        return 0 if done else 1

    def _log(self, session: Session, reason: str) -> None:
        """Write the log of a session that no stop has ended, and say where every log is."""
        if not session.written:
            session.write_log(reason)
        for path in session.written:
            print(f"log: {path}")


def _tighter(given: tuple[tuple[str, ...], ...]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in chain.from_iterable(given):
        name, _, text = each.partition("=")
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (name and 0.0 < value < math.inf):
            raise UsageError(f"--limit takes NAME=VALUE with a value above 0, got {each!r}")
        if name in found:
            raise UsageError(f"--limit gives {name} twice; give it one value")
        found[name] = value
    return found


def _keep_log(session: Session) -> None:
    if session.decisions and not session.written:
        session.write_log("interrupted")


def _broken(session: Session, problem: Exception) -> int:
    """What follows from an error: bad input while nothing was sent, after that a stop with its log.

    Returns 1 where the robot may have moved. Else, and where the error is a defect of ours and needs its
    traceback, raises it again.
    """
    if not session.sent:
        raise problem
    told = one_line(problem)
    try:
        session.fail(told)
    except OSError as more:
        told = f"{told}; {one_line(more)}"
    if not isinstance(problem, ValueError | OSError):
        raise problem
    print(f"cellwright: the robot was stopped by an error: {told}", file=sys.stderr)
    for path in session.written:
        print(f"log: {path}")
    return 1


def _tell(session: Session, told: int) -> int:
    happenings = session.envelope.happenings
    for each in happenings[told:]:
        fault = "" if each.fault is None else f" {each.fault.value.meaning}:"
        print(f"{each.time_s:8.3f} s  {each.state.name:9s}{fault} {each.detail}", flush=True)
    return len(happenings)


def _millimetres(tool: object) -> str:
    import numpy as np

    return ", ".join(f"{1e3 * each:.1f}" for each in np.asarray(tool)[:3])
