"""The session of `cellwright deploy` in the cell that a policy was trained in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cellwright_assets import ur10e
from cellwright_envs.virtual.insertion_station import FIXTURE_B, InsertionStation
from cellwright_envs.virtual.weld_station import WeldStation
from cellwright_runtime.deployment.sessions import guarded_session
from cellwright_runtime.drivers.sim import SimDriver
from cellwright_runtime.envelope.declared import Box, limits_of
from cellwright_runtime.envelope.fences import PoseSpace
from cellwright_runtime.envelope.inference import InstantInference
from cellwright_runtime.interface.seated import UR10E_N_M, SeatedWatch
from cellwright_runtime.operation.insertion_task import InsertionTask
from cellwright_runtime.operation.match import require_match
from cellwright_runtime.operation.weld_task import WeldTask
from cellwright_runtime.runtime import Runtime
from cellwright_train.commands.options import tightened
from cellwright_train.errors import UsageError

if TYPE_CHECKING:
    from cellwright_runtime.bundle.policy import Bundle
    from cellwright_runtime.bundle.safety import Safety
    from cellwright_runtime.envelope.limits import Limits
    from cellwright_runtime.operation.session import Session
    from cellwright_runtime.operation.task import Task

AROUND_M = 0.03
"""The workspace of a simulated weld: the taught path and this much around it (assumption)."""
LAG_S = 0.1
"""From a setpoint to its motion: that of the simulated controllers, latency of the conditions included."""


def simulated_session(
    bundle: Bundle,
    *,
    seed: int,
    disturbances: str,
    product: str | None,
    tighter: dict[str, float],
    logs: Path | None,
) -> tuple[Session, Callable[[], str]]:
    """The session, and what says in words what became of the part.

    Raises ValueError, one line, for what does not go together.
    """
    spec = bundle.spec
    safety = require_match(
        bundle, robot=ur10e.MODEL, joint_names=ur10e.JOINT_NAMES, cycle_s=spec.layout.control_period_s
    )
    if "spindle" in spec.layout.groups:
        raise UsageError(f"{spec.name} turns a spindle, which the driver sim does not have")
    station: InsertionStation | WeldStation
    if "lateral_range" in spec.controller:
        station = WeldStation(spec.environment, seed=seed, product=product, disturbances=disturbances)
        station.begin()  # the part is drawn
        task, limits = _weld(bundle, safety, station)
    else:
        station = InsertionStation(
            spec.environment, seed=seed, product=product or "train", disturbances=disturbances
        )
        station.begin()
        task, limits = _insertion(bundle, safety, station)
    limits = tightened(limits, tighter)
    session = guarded_session(
        bundle,
        safety,
        task,
        SimDriver(station),
        limits=limits,
        space=PoseSpace(limits, station.period_s),
        inference=InstantInference(Runtime(bundle).decide),
        lag_s=LAG_S,
        name="sim",
        logs=logs,
    )
    return session, station.truth


def _insertion(bundle: Bundle, safety: Safety, station: InsertionStation) -> tuple[Task, Limits]:
    layout, part = bundle.spec.layout, station.env.product
    limits = limits_of(safety, fixture_b=FIXTURE_B)
    limits = replace(limits, force_n=min(part.force_limit_n, limits.force_n or part.force_limit_n))
    watch = SeatedWatch(
        depth_m=part.depth_m,
        mouth_m=0.0,
        control_period_s=layout.control_period_s,
        stiffness_n_m=UR10E_N_M,
    )
    task = InsertionTask(
        layout,
        station,
        fixture_b=FIXTURE_B,
        force_limit_n=part.force_limit_n,
        cycle_s=station.period_s,
        seated=lambda tool, wrench: watch.update(tool.tolist(), wrench.tolist()),
    )
    return task, limits


def _weld(bundle: Bundle, safety: Safety, station: WeldStation) -> tuple[Task, Limits]:
    task = WeldTask(
        bundle.spec.layout,
        station.seam_of,
        station,
        station,
        cycle_s=station.period_s,
        pool=station.pool,
    )
    points = station.seam_of(task.interface.geometry).frames.points_w
    low, high = points.min(axis=0) - AROUND_M, points.max(axis=0) + AROUND_M
    return task, limits_of(safety, boxes=[Box(low_m=low.tolist(), high_m=high.tolist())])
