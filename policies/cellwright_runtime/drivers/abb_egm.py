"""The driver `abb-egm`: Externally Guided Motion of ABB robots, over UDP.

The robot speaks first, every 4 ms, while its RAPID program runs EGM. It follows positions or corrects its own
path; where nothing is said it holds the last one, and after its CommTimeout the program ends with an error.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers import egm_messages as egm
from cellwright_runtime.drivers.driver import NORMAL, Mode, Reach, RobotState, Status
from cellwright_runtime.drivers.link import Clock, ListeningDriver, LongCount, monotonic
from cellwright_runtime.interface.rotation import rotation_vector

Array = NDArray[np.float64]

FOLLOWS_S = 0.1
"""An assumption: within this time a robot has come to where it was sent last."""
_COUNTS = 1 << 32


def quaternion(turn: Array) -> tuple[float, float, float, float]:
    """u0..u3 of a rotation vector (3,) [rad]."""
    angle = math.sqrt(float(turn @ turn))
    scale = math.sin(0.5 * angle) / angle if angle > 1e-12 else 0.5
    return math.cos(0.5 * angle), *(scale * turn).tolist()


def turn_of(u0: float, u1: float, u2: float, u3: float) -> tuple[float, float, float]:
    """The rotation vector [rad] of a quaternion, which need not have length 1."""
    length = math.sqrt(u0 * u0 + u1 * u1 + u2 * u2 + u3 * u3)
    if length < 1e-9:
        return 0.0, 0.0, 0.0
    w, x, y, z = u0 / length, u1 / length, u2 / length, u3 / length
    return rotation_vector(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
            (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
            (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
        )
    )


def pose_message(tool: Array) -> dict[str, Any]:
    """An EgmPose of a position [m] and rotation vector [rad], (6,)."""
    x, y, z = (tool[:3] * 1e3).tolist()
    turned = quaternion(tool[3:])
    return {
        "pos": {"x": x, "y": y, "z": z},
        "orient": {f"u{number}": value for number, value in enumerate(turned)},
    }


def pose_from(message: dict[str, Any]) -> Array:
    """Position [m] and rotation vector [rad], (6,), of an EgmPose; raises MessageError where some is
    missing."""
    try:
        place = [message["pos"][axis] * 1e-3 for axis in "xyz"]
        turned = [message["orient"][f"u{number}"] for number in range(4)]
    except KeyError as error:
        raise egm.MessageError(f"a pose without {error}") from None
    return np.array([*place, *turn_of(*turned)])


class AbbEgmDriver(ListeningDriver):
    """Modes: joint-position (EGMRunJoint), tool-pose (EGMRunPose), path-correction (EGMMoveL), observe."""

    name = "abb-egm"
    cycle_s = 0.004
    lag_s = 0.02
    """An assumption: no figure was read in a source."""

    def __init__(
        self,
        mode: Mode = Mode.OBSERVE,
        *,
        listen: str = "127.0.0.1",
        port: int = 6510,
        comm_timeout_s: float = 1.0,
        most_m: float = 0.01,
        silence_s: float = 0.1,
        clock: Clock = monotonic,
    ) -> None:
        """The address is that of the robot's UDPUC device, `comm_timeout_s` the CommTimeout of its
        EGMSetupUC.

        `most_m` is the largest path correction.
        """
        reaches = {
            Mode.JOINT_POSITION: Reach.within([2 * np.pi] * 6, [0.35] * 6),
            Mode.TOOL_POSE: Reach.within([10.0] * 3 + [2 * np.pi] * 3),
            Mode.PATH_CORRECTION: Reach.within([most_m] * 3),
        }
        self.coasting_s = comm_timeout_s if mode is Mode.PATH_CORRECTION else FOLLOWS_S
        super().__init__(mode, reaches, listen=listen, port=port, silence_s=silence_s, clock=clock)
        self._forget()

    def _forget(self) -> None:
        self._heard: int | None = None
        self._sent = 0
        self._time_ms = LongCount()

    def _hint(self) -> str:
        command = {Mode.PATH_CORRECTION: "EGMMoveL after EGMActMove", Mode.JOINT_POSITION: "EGMRunJoint"}
        level = "Path" if self.mode is Mode.PATH_CORRECTION else "Filtering or Raw"
        return (
            f"does RAPID run {command.get(self.mode, 'EGMRunPose')}? EGM needs the option Externally Guided "
            "Motion, a UDPUC device with this address and port, and under Motion an instance of External "
            f"Motion Interface Data with level {level}, named as in EGMSetupUC; without it EGMSetupUC fails"
        )

    def _understood(self, data: bytes) -> RobotState | None:
        try:
            heard = egm.decode("EgmRobot", data)
            number = heard["header"]["seqno"]
            if heard["header"].get("mtype", egm.DATA) != egm.DATA:
                raise egm.MessageError("no message of a robot")
            place = heard["feedBack"]
            joints = np.radians(place["joints"]["joints"])
            tool = pose_from(place["cartesian"])
            if joints.shape != (6,):
                raise egm.MessageError(f"{joints.size} joints")
        except (egm.MessageError, KeyError):
            self.counters["packets that cannot be read"] += 1
            return None
        if self._heard is not None and (number - self._heard - 1) % _COUNTS > _COUNTS // 2:
            self.counters["packets out of order"] += 1
            return None
        self._heard = number
        force = heard.get("measuredForce", {})
        felt = force.get("force", [])
        # An older robot does not say whether it measures; six zeros are no measurement.
        measures = force.get("fcActive", any(felt)) and len(felt) == 6
        return RobotState(
            time_s=self._time_ms.of(heard["header"].get("tm", 0)) * 1e-3,
            joints_rad=joints,
            tool=tool,
            wrench=np.array(felt) if measures else None,
            status=_status(heard),
            sequence=number,
            received_s=self._clock(),
        )

    def _send(self, values: Array) -> None:
        self._sent += 1
        header = {"seqno": self._sent, "tm": int(self._clock() * 1e3) % _COUNTS}
        if self.mode is Mode.PATH_CORRECTION:
            x, y, z = (values * 1e3).tolist()
            message = {
                "header": header | {"mtype": egm.PATH_CORRECTION},
                "pathCorr": {"pos": {"x": x, "y": y, "z": z}, "age": 1},
            }
            self._say(egm.encode("EgmSensorPathCorr", message))
            return
        planned = (
            {"joints": {"joints": np.degrees(values).tolist()}}
            if self.mode is Mode.JOINT_POSITION
            else {"cartesian": pose_message(values)}
        )
        self._say(egm.encode("EgmSensor", {"header": header | {"mtype": egm.CORRECTION}, "planned": planned}))

    def _halt(self) -> None:
        """Say nothing more: the robot holds where it was sent, and its CommTimeout ends the program."""


def _status(heard: dict[str, Any]) -> Status:
    status = NORMAL
    if heard.get("motorState", {}).get("state") == egm.MOTORS_OFF:
        status |= Status.NOT_READY
    guidance = heard.get("mciState", {}).get("state")
    if guidance == egm.MCI_ERROR:
        status |= Status.FAULT
    if guidance == egm.MCI_STOPPED or heard.get("rapidExecState", {}).get("state") == egm.RAPID_STOPPED:
        status |= Status.NOT_IN_CONTROL
    return status
