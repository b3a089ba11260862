"""The session of `cellwright deploy` on a controller, of a robot or a virtual one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cellwright_runtime.cell.cell_camera import CellCamera
from cellwright_runtime.cell.limiting import limits_in
from cellwright_runtime.deployment.feeling import feeling
from cellwright_runtime.deployment.insertion import insertion_in, part_of, require_wrench
from cellwright_runtime.deployment.robots import controller_limits, driver_for, motion_lag_s, space_for
from cellwright_runtime.deployment.sessions import guarded_session
from cellwright_runtime.deployment.weld import weld_in
from cellwright_runtime.envelope.inference import Inference, InferenceThread, InstantInference
from cellwright_runtime.operation.match import require_match
from cellwright_runtime.runtime import Runtime
from cellwright_train.commands.options import tightened
from cellwright_train.errors import UsageError

if TYPE_CHECKING:
    from cellwright_runtime.bundle.policy import Bundle
    from cellwright_runtime.cell.cell_file import CellFile
    from cellwright_runtime.operation.session import Session
    from cellwright_runtime.operation.task import Task

TRACKED_OF_LEASH = 0.6
"""Fraction of the leash by which a robot that follows is behind its setpoint at most (assumption)."""
LOCKSTEP_SILENCE_S = 10.0
"""So long a controller in lock-step may compute."""


def controller_session(
    bundle: Bundle,
    file: CellFile,
    name: str,
    host: str,
    *,
    arm: bool,
    lockstep: bool,
    tighter: dict[str, float],
    logs: Path | None,
) -> tuple[Session, Callable[[], None]]:
    """The session, not yet connected, and what lets go of cameras and inference.

    In lock-step time is the controller's, which waits: decisions take none of it, and a picture is
    exposed when it is seen first. Raises ValueError or DriverError, one line, for what does not go together.
    """
    spec = bundle.spec
    if "spindle" in spec.layout.groups:
        raise UsageError(f"{spec.name} turns a spindle, which the driver {name} does not have")
    file.require_fit(bundle)
    welds = "lateral_range" in spec.controller
    if not welds:
        require_wrench(file, name)
    options: dict[str, float | bool] = {"silence_s": LOCKSTEP_SILENCE_S} if lockstep else {}
    if name == "kuka-rsi" and not lockstep:
        options["keep_alive"] = True  # the first decision takes longer than the answers that RSI waits for
    if name == "fanuc-stream" and not arm:
        print("dry run: a FANUC controller tells its status only in a stream of ours; another one ends")
    driver = driver_for(file, name, host, arm=arm, **options)
    driver = feeling(driver, file, clock=None if lockstep else time.monotonic)
    robot = file.cell.robot
    safety = require_match(bundle, robot=robot.model, joint_names=robot.joints, cycle_s=driver.cycle_s)
    limits = controller_limits(file, name, host, limits_in(file, safety), cycle_s=driver.cycle_s)
    if not welds:
        force_limit_n = part_of(file, spec.controller).force_limit_n
        limits = replace(limits, force_n=min(force_limit_n, limits.force_n or force_limit_n))
    if "largest_lag" in spec.controller:
        # A reference is led back to a leash before a robot that stands is as far behind as is allowed else.
        leash_m = float(spec.controller.read("leash", "m")[0])
        limits = replace(limits, tracking_m=min(limits.tracking_m, TRACKED_OF_LEASH * leash_m))
    limits = tightened(limits, tighter)
    if limits.silence_s < driver.cycle_s:
        told = f"silence_s of {limits.silence_s:g} is less than the cycle of the driver {name}"
        raise UsageError(f"{told}, {driver.cycle_s:g} s")
    decide = Runtime(bundle).decide
    with ExitStack() as opened:
        inference: Inference = InstantInference(decide) if lockstep else InferenceThread(decide)
        opened.callback(inference.close)
        session: Session
        clock = (lambda: session.now_s) if lockstep else time.monotonic
        task: Task
        if welds:
            waits_s = LOCKSTEP_SILENCE_S if lockstep else None
            task = weld_in(file, bundle, driver, clock=clock, waits_s=waits_s, opened=opened)
        else:
            camera = CellCamera(file, spec, clock=clock if lockstep else None)
            opened.callback(camera.close)
            task = insertion_in(file, bundle, driver, camera)
        session = guarded_session(
            bundle,
            safety,
            task,
            driver,
            limits=limits,
            space=space_for(driver, file, limits),
            inference=inference,
            lag_s=motion_lag_s(driver, file),
            name=name,
            clock=None if lockstep else time.monotonic,
            logs=logs,
        )
        return session, opened.pop_all().close
