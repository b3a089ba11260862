"""A session of a bundle with a task, a driver and limits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.bundle.safety import Safety
from cellwright_runtime.drivers.driver import RobotDriver
from cellwright_runtime.envelope.declared import observation_guard_of
from cellwright_runtime.envelope.envelope import Envelope
from cellwright_runtime.envelope.fences import Space
from cellwright_runtime.envelope.inference import Inference
from cellwright_runtime.envelope.limits import Limits
from cellwright_runtime.envelope.policy_guard import PolicyGuard
from cellwright_runtime.operation.session import Session
from cellwright_runtime.operation.task import Task


def guarded_session(
    bundle: Bundle,
    safety: Safety,
    task: Task,
    driver: RobotDriver,
    *,
    limits: Limits,
    space: Space,
    inference: Inference,
    lag_s: float,
    name: str,
    clock: Callable[[], float] | None = None,
    logs: Path | None = None,
) -> Session:
    """Everything between observation and driver, under `limits`; `name` is the driver's.

    `lag_s` is from a setpoint to its motion; `clock` and `logs` are those of `Session`.
    """
    guard = PolicyGuard(
        inference,
        observation_guard_of(bundle.spec, safety, limits),
        deadline_s=limits.inference_s,
        preclip=limits.preclip,
    )
    envelope = Envelope(limits, space, driver.cycle_s, lag_s=lag_s)
    about = {"bundle": bundle.spec.name, "environment": bundle.spec.environment, "driver": name}
    return Session(task, guard, envelope, driver, clock=clock, about=about, logs=logs)
