"""The driver `ur`: Universal Robots through RTDE, with the compiled client ur-rtde (extra `[ur]`).

ur-rtde uploads a program that takes setpoints from registers. Its watchdog is set before the first of them,
so that the program ends where this computer falls silent.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.drivers.driver import NORMAL, DriverError, Mode, Reach, RobotState, Status, told
from cellwright_runtime.drivers.link import Clock, LinkedDriver, monotonic
from cellwright_runtime.interface.rotation import rotation_rows

Array = NDArray[np.float64]

RTDE_PORT = 30004
_DASHBOARD_PORT = 29999
_REACH_TIMEOUT_S = 3.0
_ASK_VERSION = struct.pack(">HcH", 5, b"V", 2)
"""RTDE's request for version 2 of the protocol; the answer has the same letter."""
JOINT_SPEED_RAD_S = 3.5
"""Above the 180 degrees/s of an e-Series wrist; no joint of a UR arm follows more."""
WATCHDOG_HZ = 10.0
"""The program ends where it hears nothing for a tenth of a second, fifty cycles."""
_LOOKAHEAD_S, _GAIN = 0.03, 2000
"""Of servoj: the least smoothing it allows, since the envelope in front has smoothed already."""
SPEED_ACCELERATION_RAD_S2 = 40.0
STOP_RAD_S2 = 10.0
_STOPPED_S = 5.0
"""No arm needs longer to stop (assumption). ur-rtde itself waits minutes for a controller that is gone; the
watchdog of its program has stopped the arm long before."""
_SAFETY_BITS = {
    1: Status.REDUCED,
    2: Status.PROTECTIVE_STOP,
    3: Status.NOT_READY,
    4: Status.SAFEGUARD_STOP,
    5: Status.EMERGENCY_STOP,
    6: Status.EMERGENCY_STOP,
    7: Status.EMERGENCY_STOP,
    8: Status.FAULT,
    9: Status.FAULT,
}
"""Bits of safety_status_bits, after Universal Robots' RTDE guide."""
_ROBOT_RUNNING = 7
_ANALOGUE_V = 10.0


def _client(name: str) -> ModuleType:
    try:
        return __import__(name)
    except ImportError:
        raise DriverError(
            "the driver ur needs ur-rtde, which has wheels for Python 3.11 and 3.12: "
            "pip install 'cellwright[ur]'"
        ) from None


class UrDriver(LinkedDriver):
    """Modes: joint-position (servoj), joint-velocity (speedj), observe (uploads no program)."""

    name = "ur"
    cycle_s = 0.002
    coasting_s = 1.0 / WATCHDOG_HZ
    lag_s = 0.034
    """Between sent and actual joints of a UR10e under `servoj` with a look-ahead of 0.03 s
    (Universal_Robots_Client_Library, issue 86)."""

    def __init__(
        self, host: str, mode: Mode = Mode.OBSERVE, *, silence_s: float = 0.02, clock: Clock = monotonic
    ) -> None:
        reaches = {
            Mode.JOINT_POSITION: Reach.within([2 * np.pi] * 6, [JOINT_SPEED_RAD_S * 0.1] * 6),
            Mode.JOINT_VELOCITY: Reach.within([JOINT_SPEED_RAD_S] * 6),
        }
        super().__init__(mode, reaches, silence_s=silence_s, clock=clock)
        self.host = host
        self._receive: Any = None
        self._control: Any = None
        self._time_s = -1.0
        self._cycles = 0
        self._watched = self._hangs = False

    def _made(self, module: str, interface: str, *arguments: Any) -> Any:
        made = getattr(_client(module), interface)
        try:
            return made(self.host, *arguments)
        except (RuntimeError, ValueError) as error:
            raise DriverError(self._explained(" ".join(str(error).split()))) from None

    def _explained(self, what: str) -> str:
        hints = {
            "in use": "a fieldbus (EtherNet/IP, PROFINET, MODBUS) or another program holds the registers",
            "remote control": "switch the controller to remote control",
            "not running": "the safety system stopped the robot, or its motors have no power",
            "failed to start": "the safety system stopped the robot, or its motors have no power",
        }
        hint = next((hint for word, hint in hints.items() if word in what.lower()), None)
        return f"the UR controller at {self.host}: {what}{f'; {hint}' if hint else ''}"

    def _open(self) -> RobotState:
        _client("rtde_receive")
        if self._answer(RTDE_PORT, _ASK_VERSION)[2:3] != _ASK_VERSION[2:3]:
            raise DriverError(f"what answers at {self.host} port {RTDE_PORT} is no UR controller")
        self._receive = self._made("rtde_receive", "RTDEReceiveInterface")
        self._time_s, self._watched, self._hangs = -1.0, False, False
        state = self._until(5.0)
        if state is None:
            raise DriverError(f"the UR controller at {self.host} sends no state")
        if self.mode is not Mode.OBSERVE:
            self._require_free(state)
            self._require_dashboard()
            self._control = self._made("rtde_control", "RTDEControlInterface")
            state = self._running(state)
        return state

    def _answer(self, port: int, request: bytes = b"") -> bytes:
        """The first four bytes that the controller sends; raises DriverError where it sends none in time.

        ur-rtde waits for them without end, and no signal of the keyboard reaches Python while it does.
        """
        try:
            with socket.create_connection((self.host, port), _REACH_TIMEOUT_S) as asking:
                asking.sendall(request)
                return asking.recv(4, socket.MSG_WAITALL)
        except OSError as error:
            why = error.strerror or error
            raise DriverError(f"no UR controller answers at {self.host} port {port}: {why}") from None

    def _require_dashboard(self) -> None:
        """Raise DriverError where the dashboard server takes connections and does not greet them."""
        try:
            socket.create_connection((self.host, _DASHBOARD_PORT), _REACH_TIMEOUT_S).close()
        except OSError:
            return  # PolyScope X has none
        self._answer(_DASHBOARD_PORT)

    def _running(self, state: RobotState) -> RobotState:
        """The first state in which the uploaded program runs."""
        end = self._clock() + _REACH_TIMEOUT_S
        while state.status & Status.NOT_IN_CONTROL:
            if self._clock() > end:
                raise DriverError(f"the program of ur-rtde does not run on the UR controller at {self.host}")
            state = self._until(self.silence_s) or state
        return state

    def _require_free(self, state: RobotState) -> None:
        """Raise DriverError where the safety system would let nothing move."""
        held = state.status & ~(Status.NOT_IN_CONTROL | Status.REDUCED)
        if held:
            raise DriverError(f"the UR controller at {self.host} is not ready: {told(held)}")

    def _until(self, wait_s: float) -> RobotState | None:
        """The state once the controller's clock goes on."""
        end = self._clock() + wait_s
        while not self._is_new():
            if self._clock() > end:
                return None
            time.sleep(0.0002)
        return self._read()

    def _is_new(self) -> bool:
        """Whether a state has come since the last that was read; before the first there are no numbers."""
        if self._receive.getTimestamp() == self._time_s:
            return False
        return self._time_s >= 0.0 or len(self._receive.getActualTCPPose()) == 6

    def _next(self) -> RobotState | None:
        self._require_link()
        return self._until(self.silence_s)

    def _require_link(self) -> None:
        if not self._receive.isConnected():
            raise DriverError(f"the connection to the UR controller at {self.host} is lost")

    def _read(self) -> RobotState:
        receive = self._receive
        self._time_s = receive.getTimestamp()
        self._cycles += 1
        tool = np.array(receive.getActualTCPPose())
        turn = np.array(rotation_rows(*tool[3:].tolist()))
        force = np.array(receive.getActualTCPForce()).reshape(2, 3)
        return RobotState(
            time_s=self._time_s,
            joints_rad=np.array(receive.getActualQ()),
            tool=tool,
            wrench=(force @ turn).ravel(),
            status=self._status(),
            sequence=self._cycles,
            received_s=self._clock(),
            digital_inputs=int(receive.getActualDigitalInputBits()),
            analogue_inputs=(
                receive.getStandardAnalogInput0() / _ANALOGUE_V,
                receive.getStandardAnalogInput1() / _ANALOGUE_V,
            ),
        )

    def _status(self) -> Status:
        bits = int(self._receive.getSafetyStatusBits())
        status = NORMAL
        for bit, flag in _SAFETY_BITS.items():
            if bits >> bit & 1:
                status |= flag
        if self._receive.getRobotMode() != _ROBOT_RUNNING:
            status |= Status.NOT_READY
        if not self._receive.getRobotStatus() & 2:
            status |= Status.NOT_IN_CONTROL
        return status

    def prepare(self) -> None:
        """Set the watchdog, which takes some tens of milliseconds; setpoints have to follow at once."""
        if self._connected().status & Status.NOT_IN_CONTROL:
            raise DriverError(self._ended())
        if self._control is None or self._watched:
            return
        self._require_link()
        self._watched = bool(self._within(_STOPPED_S, self._control.setWatchdog, WATCHDOG_HZ))
        if not self._watched:
            raise DriverError(f"the UR controller at {self.host} did not take its watchdog")

    def _send(self, values: Array) -> None:
        self._require_link()  # the other one reconnects, and waits for it
        self.prepare()
        if self.mode is Mode.JOINT_POSITION:
            sent = self._call(
                self._control.servoJ, values.tolist(), 0.0, 0.0, self.cycle_s, _LOOKAHEAD_S, _GAIN
            )
        else:
            sent = self._call(self._control.speedJ, values.tolist(), SPEED_ACCELERATION_RAD_S2, 0.0)
        if not sent:
            raise DriverError(self._ended())

    def _ended(self) -> str:
        return f"the UR controller at {self.host} takes no setpoint; its program has ended"

    def _call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except RuntimeError as error:
            raise DriverError(self._explained(" ".join(str(error).split()))) from None

    def _within(self, wait_s: float, call: Callable[..., Any], *arguments: Any) -> Any:
        """The answer of a call that waits for the controller; raises DriverError where it waits too long.

        The call then goes on in its thread, and no other is made with this client any more.
        """
        answers: list[Any] = []

        def ask() -> None:
            try:
                answers.append(self._call(call, *arguments))
            except DriverError as refused:
                answers.append(refused)

        if not self._hangs:
            asking = threading.Thread(target=ask, name="ur-rtde", daemon=True)
            asking.start()
            asking.join(wait_s)
        if not answers:
            self._hangs = True
            raise DriverError(f"the UR controller at {self.host} does not answer; its watchdog stops the arm")
        if isinstance(answers[0], DriverError):
            raise answers[0]
        return answers[0]

    def _halt(self) -> None:
        """Stop the motion and end the program; where the connection is lost, the watchdog does both."""
        if self._control is None or not self._receive.isConnected():
            return
        with contextlib.suppress(DriverError):
            self._within(_STOPPED_S, self._stop_program, self._control)

    def _stop_program(self, control: Any) -> None:
        if self._before is not None and control.isProgramRunning():
            if self.mode is Mode.JOINT_POSITION:
                control.servoStop(STOP_RAD_S2)
            else:
                control.speedStop(STOP_RAD_S2)
        control.stopScript()

    def _release(self) -> None:
        for client in (self._control, self._receive):
            if client is not None:
                with contextlib.suppress(DriverError):
                    self._within(_STOPPED_S, client.disconnect)
        self._control = self._receive = None
