"""`cellwright deploy`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Protocol

from tyro.conf import Positional, arg

from cellwright_train.errors import UsageError, unknown

if TYPE_CHECKING:
    from cellwright_runtime.bundle.policy import Bundle
    from cellwright_runtime.bundle.safety import Safety
    from cellwright_runtime.drivers.sim import Plant
    from cellwright_runtime.envelope.limits import Limits
    from cellwright_runtime.operation.session import Session
    from cellwright_runtime.operation.task import Task

    class Station(Plant, Protocol):
        """A simulated cell with one part."""

        def truth(self) -> str:
            """What became of the part, in words."""


STARTED_S = 0.2
"""The robot is held for so long between arming and the first motion."""


AROUND_M = 0.03
"""The workspace of a simulated weld: the taught path and this much around it (assumption)."""


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """Run a bundle on a robot inside its envelope; without --arm it reads and decides, and sends nothing."""

    bundle: Positional[Annotated[str, arg(metavar="BUNDLE", help="a bundle directory, or zoo:NAME")]]
    driver: Literal["sim"] = "sim"
    """The robot; `sim` is the cell that the policy was trained in, in simulated time."""
    arm: bool = False
    """Move the robot."""
    seconds: float = 60.0
    """End after so long."""
    seed: int = 0
    """Of the simulated cell."""
    disturbances: str = "train"
    """What goes wrong in the simulated cell."""
    product: str | None = None
    """The part in the simulated cell; default: one of those of training."""
    logs: Path | None = None
    """Write the last 30 s to this directory, on every stop and at the end."""
    limit: Annotated[tuple[str, ...], arg(metavar="NAME=VALUE ...")] = ()
    """Stricter limits than the bundle declares, such as tool_speed_m_s=0.05."""

    extra: ClassVar[str] = "sim"
    """What of the installation brings all that it needs."""

    def run(self) -> int:
        """Run the command; returns the exit code: 1 where the robot was stopped or the work was not done."""
        from cellwright_runtime.envelope.states import NotAllowedError, State
        from cellwright_runtime.operation.match import MismatchError

        if not 0.0 < self.seconds <= 3600.0:
            raise UsageError(f"--seconds must be above 0 and at most 3600, got {self.seconds:g}")
        tighter = _tighter(self.limit)
        bundle = _bundle(self.bundle)
        try:
            session, station = self._session(bundle, tighter)
        except (MismatchError, ValueError) as error:
            raise UsageError(str(error)) from None
        told = 0
        try:
            state = session.connect()
            print(f"{bundle.spec.name}: connected, tool at {_millimetres(state.tool)} mm")
            if self.arm:
                session.arm()
            begun_s = session.now_s
            while not session.over and session.now_s - begun_s < self.seconds:
                if session.state is State.ARMED and session.now_s - begun_s >= STARTED_S and not session.done:
                    session.start()
                session.cycle()
                told = _tell(session, told)
            return self._end(session, station)
        except NotAllowedError as error:
            raise UsageError(str(error)) from None
        finally:
            session.close()

    def _session(self, bundle: Bundle, tighter: dict[str, float]) -> tuple[Session, Station]:
        from cellwright_assets import ur10e
        from cellwright_runtime.drivers.sim import SimDriver
        from cellwright_runtime.envelope.declared import observation_guard_of
        from cellwright_runtime.envelope.envelope import Envelope
        from cellwright_runtime.envelope.fences import PoseSpace
        from cellwright_runtime.envelope.inference import InstantInference
        from cellwright_runtime.envelope.policy_guard import PolicyGuard
        from cellwright_runtime.operation.match import require_match
        from cellwright_runtime.operation.session import Session
        from cellwright_runtime.runtime import Runtime

        spec = bundle.spec
        safety = require_match(
            bundle, robot="UR10e", joint_names=ur10e.JOINT_NAMES, cycle_s=bundle.spec.layout.control_period_s
        )
        if "spindle" in spec.layout.groups:
            raise UsageError(f"{spec.name} turns a spindle, which the driver sim does not have")
        made = _weld if "lateral_range" in spec.controller else _insertion
        station, task, limits = made(bundle, safety, self)
        limits = limits.tightened(**tighter)
        guard = PolicyGuard(
            InstantInference(Runtime(bundle).decide),
            observation_guard_of(spec, safety, limits),
            deadline_s=limits.inference_s,
            preclip=limits.preclip,
        )
        envelope = Envelope(limits, PoseSpace(limits, station.period_s), station.period_s, lag_s=0.1)
        about = {"bundle": spec.name, "environment": spec.environment, "driver": self.driver}
        return Session(task, guard, envelope, SimDriver(station), about=about, logs=self.logs), station

    def _end(self, session: Session, station: Station) -> int:
        """Say how it ended."""
        envelope = session.envelope
        counted = [f"{stage.value} {count}" for stage, count in envelope.tally.total.items() if count]
        print(f"{session.decisions} decisions, interventions: {', '.join(counted) or 'none'}")
        if not self.arm:
            print("dry run: nothing was sent; --arm moves the robot")
            return 0
        if session.over and envelope.reason is None:
            print(f"{session.done}; the simulated part: {station.truth()}")
        elif envelope.reason is None:
            print(f"not done after {self.seconds:g} s")
        if not session.written and self.logs is not None:
            session.write_log(session.done or "time is over")
        for path in session.written:
            print(f"log: {path}")
        return 0 if session.over and envelope.reason is None else 1


def _insertion(bundle: Bundle, safety: Safety, given: Deploy) -> tuple[Station, Task, Limits]:
    from cellwright_envs.virtual.insertion_station import ORIGIN_B, InsertionStation
    from cellwright_runtime.envelope.declared import limits_of
    from cellwright_runtime.interface.seated import SeatedWatch
    from cellwright_runtime.operation.insertion_task import InsertionTask

    spec = bundle.spec
    station = InsertionStation(
        spec.environment, seed=given.seed, product=given.product, disturbances=given.disturbances
    )
    station.begin()  # the part is drawn
    part = station.env.product
    limits = limits_of(safety, origin=ORIGIN_B)
    limits = replace(limits, force_n=min(part.force_limit_n, limits.force_n or part.force_limit_n))
    watch = SeatedWatch(
        depth_m=part.depth_m, mouth_m=ORIGIN_B[2], control_period_s=spec.layout.control_period_s
    )
    task = InsertionTask(
        spec.layout,
        station,
        origin=ORIGIN_B,
        force_limit_n=part.force_limit_n,
        cycle_s=station.period_s,
        seated=lambda tool, wrench: watch.update(tool.tolist(), wrench.tolist()),
    )
    return station, task, limits


def _weld(bundle: Bundle, safety: Safety, given: Deploy) -> tuple[Station, Task, Limits]:
    from cellwright_envs.virtual.weld_station import WeldStation
    from cellwright_runtime.envelope.declared import limits_of
    from cellwright_runtime.operation.weld_task import WeldTask

    spec = bundle.spec
    station = WeldStation(
        spec.environment, seed=given.seed, product=given.product, disturbances=given.disturbances
    )
    station.begin()
    task = WeldTask(spec.layout, station.seam_of, station, station, cycle_s=station.period_s)
    points = station.seam_of(task.interface.geometry).frames.points_w
    low, high = points.min(axis=0) - AROUND_M, points.max(axis=0) + AROUND_M
    return station, task, limits_of(safety, workspace_b=(low.tolist(), high.tolist()))


def _bundle(name: str) -> Bundle:
    from cellwright_policies import zoo
    from cellwright_runtime.bundle.policy import Bundle

    if not name.startswith("zoo:"):
        return Bundle.load(name)
    known = name.removeprefix("zoo:")
    if known not in zoo.names():
        raise unknown("zoo policy", name, [f"zoo:{each}" for each in zoo.names()])
    return Bundle.load(zoo.path(known))


def _tighter(given: tuple[str, ...]) -> dict[str, float]:
    found = {}
    for each in given:
        name, _, text = each.partition("=")
        try:
            found[name] = float(text)
        except ValueError:
            raise UsageError(f"--limit takes NAME=VALUE, got {each!r}") from None
    return found


def _tell(session: Session, told: int) -> int:
    happenings = session.envelope.happenings
    for each in happenings[told:]:
        fault = "" if each.fault is None else f" {each.fault.value.meaning}:"
        print(f"{each.time_s:8.3f} s  {each.state.name:9s}{fault} {each.detail}")
    return len(happenings)


def _millimetres(tool: object) -> str:
    import numpy as np

    return ", ".join(f"{1e3 * each:.1f}" for each in np.asarray(tool)[:3])
