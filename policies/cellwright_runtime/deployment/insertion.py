"""An insertion in a real cell: the task and the camera that a bundle and a cell's file give."""

from __future__ import annotations

from typing import NamedTuple

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.cell.cell_file import CellFile, transform
from cellwright_runtime.deployment.robots import motion_lag_s
from cellwright_runtime.drivers.driver import RobotDriver
from cellwright_runtime.interface.force_loop import ForceLoop, SlowDriverError, approach_speed
from cellwright_runtime.interface.seated import SeatedWatch
from cellwright_runtime.operation.insertion_task import InsertionTask
from cellwright_runtime.operation.task import Camera
from cellwright_runtime.vocabulary import ControllerSetup

_ROUNDED = 1e-6
"""Manifests hold numbers of 32 bits."""
WITHOUT_WRENCH = ("kuka-rsi",)
"""Drivers whose protocol has no wrench, whatever the robot."""


class PartNumbers(NamedTuple):
    """What of a part the work needs."""

    force_limit_n: float
    depth_m: float


def part_of(file: CellFile, controller: ControllerSetup) -> PartNumbers:
    """The part of a cell's file.

    Raises `FileError` where it has none, or one that a policy with these settings was not trained for.
    """
    part = file.cell.part
    if part is None:
        raise file.refusal((), "needs the table [part]: force_limit_n and depth_m of what is inserted")
    low_n, high_n = controller.read("force_limit", "N", count=2)
    trained = (
        f"is {part.force_limit_n:g}; this policy was trained with parts that bear {low_n:g} to {high_n:g} N"
    )
    if part.force_limit_n > high_n * (1.0 + _ROUNDED):
        raise file.refusal(("part", "force_limit_n"), f"{trained}: write {high_n:g} for one that bears more")
    if part.force_limit_n < low_n * (1.0 - _ROUNDED):
        raise file.refusal(("part", "force_limit_n"), f"{trained}: one that bears less needs another policy")
    deepest_m = -controller.read("reference_low", "m", count=3)[2]
    if part.depth_m > deepest_m:
        raise file.refusal(
            ("part", "depth_m"),
            f"is {part.depth_m:g}; this policy goes in {deepest_m:g} m at most: a deeper part needs another",
        )
    return PartNumbers(part.force_limit_n, part.depth_m)


def require_wrench(file: CellFile, driver: str) -> None:
    """Raise `FileError` where neither the robot behind this driver nor the cell measures a wrench."""
    if driver in WITHOUT_WRENCH and file.cell.wrench_sensor is None:
        raise file.refusal(
            (),
            f"needs the table [wrench_sensor]: an insertion needs a wrench, the driver {driver} reports none",
        )


def _slow(file: CellFile, error: SlowDriverError) -> str | None:
    """The key of the file that alone is too much for the gains; None where there is none."""
    robot = file.cell.robot
    for key in ("motion_lag_s", "wrench_lag_s"):
        if (getattr(robot, key) or 0.0) > error.largest_lag_s:
            return key
    return None


def insertion_in(file: CellFile, bundle: Bundle, driver: RobotDriver, camera: Camera) -> InsertionTask:
    """The task in this cell with this driver.

    The force loop that the policy was trained above runs here, at the driver's rate. Raises
    `FileError` where the file lacks a frame or the part, or where the part bears too little for the gains,
    SlowDriverError where the driver answers too late for them.
    """
    if file.cell.fixture is None:
        raise file.refusal((), "needs the table [fixture]: the nominal fixture in the robot's base")
    layout, part = bundle.spec.layout, part_of(file, bundle.spec.controller)
    try:
        approach_speed(layout.controller)(part.force_limit_n)
    except ValueError as error:
        raise file.refusal(("part", "force_limit_n"), str(error)) from None
    lag_s = motion_lag_s(driver, file) + file.cell.robot.wrench_lag_s
    try:
        loop = ForceLoop(layout.controller, lag_s=lag_s, period_s=driver.cycle_s)
    except SlowDriverError as error:
        if (key := _slow(file, error)) is None:
            raise
        raise file.refusal(("robot", key), str(error)) from None
    watch = SeatedWatch(
        depth_m=part.depth_m,
        mouth_m=0.0,
        control_period_s=layout.control_period_s,
        stiffness_n_m=file.cell.robot.stiffness_n_m,
    )
    return InsertionTask(
        layout,
        camera,
        fixture_b=transform(file.cell.fixture),
        force_limit_n=part.force_limit_n,
        cycle_s=driver.cycle_s,
        loop=loop,
        seated=lambda tool, wrench: watch.update(tool.tolist(), wrench.tolist()),
    )
