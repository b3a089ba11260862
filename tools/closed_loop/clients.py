"""The four ways to a robot: which driver in which mode, and which program of the controller it speaks to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.virtual.kuka_rsi import STANDING_MM
from cellwright_runtime.deployment.correcting import Corrected
from cellwright_runtime.drivers.abb_egm import AbbEgmDriver
from cellwright_runtime.drivers.driver import Mode, RobotDriver
from cellwright_runtime.drivers.fanuc_stream import FanucStreamDriver
from cellwright_runtime.drivers.kuka_rsi import KukaRsiDriver
from cellwright_runtime.drivers.ur import UrDriver
from cellwright_runtime.envelope.fences import JointSpace, PoseSpace, Space
from cellwright_runtime.envelope.limits import Limits

Array = NDArray[np.float64]

SILENCE_S = 60.0
"""In lock-step a driver waits as long as the simulation needs."""
FANUC_LOAD = 0.1
"""A torch of 1.5 kg, as a fraction of what a robot carries."""
FANUC_MARGIN = 0.9
"""Of the controller's tables that the envelope plans with: setpoints are differences over whole cycles."""
FANUC_JERK_RAD_S3, FANUC_ACCELERATION_RAD_S2 = (float(np.radians(each)) for each in (8000.0, 1000.0))
"""Of the virtual controller's tables at a slow tool without load."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """One driver and its controller."""

    controller: str
    """Of `cellwright virtual-controller`."""
    variant: str
    joints: bool
    """Whether setpoints are joints."""
    listens: bool
    """Whether the robot speaks first."""
    feels: bool
    """Whether every robot of this kind reports a wrench; else an insertion has a sensor at the wrist."""
    make: Callable[..., RobotDriver]
    """Of the host, or of the port where the driver listens."""

    def space(self, limits: Limits, cycle_s: float) -> Space:
        """What the envelope plans in."""
        if self.joints:
            return JointSpace(limits, cycle_s, np.asarray(TCP_FROM_FLANGE))
        return PoseSpace(limits, cycle_s)


def _ur(host: str, port: int) -> RobotDriver:
    return UrDriver(host, Mode.JOINT_POSITION, silence_s=SILENCE_S)


def _kuka(host: str, port: int) -> RobotDriver:
    corrects = KukaRsiDriver(
        Mode.TOOL_CORRECTION,
        port=port,
        most_m=STANDING_MM * 1e-3,
        most_rad=float(np.pi),
        silence_s=SILENCE_S,
    )
    return Corrected(corrects)


def _abb(host: str, port: int) -> RobotDriver:
    return AbbEgmDriver(Mode.TOOL_POSE, port=port, silence_s=SILENCE_S)


def _fanuc(host: str, port: int) -> RobotDriver:
    return FanucStreamDriver(
        host,
        Mode.JOINT_POSITION,
        load=FANUC_LOAD,
        tool_from_flange=np.asarray(TCP_FROM_FLANGE),
        silence_s=SILENCE_S,
    )


CLIENTS = {
    "ur": Client(controller="ur", variant="polyscope-5", joints=True, listens=False, feels=True, make=_ur),
    "kuka-rsi": Client(
        controller="kuka-rsi", variant="standing", joints=False, listens=True, feels=False, make=_kuka
    ),
    "abb-egm": Client(
        controller="abb-egm", variant="pose", joints=False, listens=True, feels=False, make=_abb
    ),
    "fanuc-stream": Client(
        controller="fanuc-stream", variant="3", joints=True, listens=False, feels=False, make=_fanuc
    ),
}


def within_tables(limits: Limits, name: str) -> Limits:
    """The limits that also keep those of the controller `name`."""
    if name != "fanuc-stream":
        return limits
    most = FANUC_MARGIN * (1.0 - 0.2 * FANUC_LOAD)
    joints = replace(
        limits.joints,
        acceleration=tuple(
            min(each, most * FANUC_ACCELERATION_RAD_S2) for each in limits.joints.acceleration
        ),
        jerk=tuple(min(each, most * FANUC_JERK_RAD_S3) for each in limits.joints.jerk),
    )
    return replace(limits, joints=joints)


INSERTING = ("ur", "kuka-rsi", "abb-egm")
"""Those that answer a force soon enough for an insertion."""


def options_of(client: Client, *, host: str, port: int) -> dict[str, Any]:
    """Options of `cellwright virtual-controller` for `client`."""
    made = {"variant": client.variant, "listen": host}
    return made | ({"sensor-port": port} if client.listens else {})
