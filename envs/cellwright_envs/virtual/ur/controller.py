"""The virtual UR controller: its ports, its program, its safety system, in front of a plant."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_envs.physics.robot import Arm
from cellwright_envs.virtual.controller import VirtualController
from cellwright_envs.virtual.tcp import TcpClient, TcpPort
from cellwright_envs.virtual.ur.dashboard import DASHBOARD_PORT, DashboardClient
from cellwright_envs.virtual.ur.inputs import Inputs, pose_speed
from cellwright_envs.virtual.ur.motion import Motion, Stop, matrix
from cellwright_envs.virtual.ur.program import ControlProgram
from cellwright_envs.virtual.ur.rtde import ERROR, RTDE_PORT, Rtde, RtdeClient
from cellwright_envs.virtual.ur.safety import (
    EMERGENCY_RAD_S2,
    MODE_NAMES,
    PLAYING,
    POWER_OFF,
    PROGRAM_END_RAD_S2,
    PROTECTIVE_RAD_S2,
    RUNNING,
    STOPPED,
    Safety,
)
from cellwright_envs.virtual.ur.variables import PERSONALITIES, REGISTERS, Personality
from cellwright_runtime.drivers.sim import Plant
from cellwright_runtime.interface.placing import pose_of

Array = NDArray[np.float64]

SCRIPT_PORT = 30003
_MOST_SCRIPT_BYTES = 1 << 20
_STOP_SCRIPT = re.compile(r"^(stop[jl]|halt)\b")
_CONTROL = "def rtde_control():"


class ScriptClient(TcpClient):
    """Takes programs as text: `def ... end` at the beginning of lines, or single lines."""

    def __init__(self, link: Any, port: TcpPort, run: Callable[[str], None]) -> None:
        super().__init__(link, port)
        self._run = run

    def on_data(self) -> None:
        """Run what is whole."""
        while not self.closed:
            text = bytes(self.received)
            start = len(text) - len(text.lstrip())
            if text[start:].startswith(b"def "):
                end = re.search(rb"^end[ \t\r]*\n", text, re.MULTILINE)
            else:
                end = re.search(rb"\n", text[start:])
                start = start if end else 0
            if end is None:
                break
            cut = end.end() if text[start:].startswith(b"def ") else start + end.end()
            del self.received[:cut]
            self._run(text[:cut].decode("utf-8", "replace").strip())
        if len(self.received) > _MOST_SCRIPT_BYTES:
            self.malformed("programs without an end")


class VirtualUr(VirtualController):
    """A UR10e's controller as its clients see it."""

    cycle_s = 0.002

    def __init__(
        self,
        plant: Plant,
        *,
        personality: Personality = PERSONALITIES["polyscope-5"],
        tool_from_flange: Array | None = None,
        **options: Any,
    ) -> None:
        """`tool_from_flange` (4, 4) is the tool of the plant; None where it is the flange."""
        super().__init__(plant, **options)
        self.personality = personality
        self.remote = True
        """Whether the controller is in remote control."""
        self.arm = Arm(tool=np.eye(4) if tool_from_flange is None else tool_from_flange)
        self.inputs = Inputs()
        self.motion: Motion | None = None
        self.digital_inputs = 0
        self.analogue_inputs = [0.0, 0.0]
        """In V."""
        self.safety = Safety.NORMAL
        self.power_on = True
        self._rtde = Rtde(personality, self._value, self._written)
        self._ports: list[TcpPort] = []
        self._program: ControlProgram | None = None
        self._output_ints, self._output_doubles = [0] * REGISTERS, [0.0] * REGISTERS
        self._watched: tuple[str, float] | None = None
        self._heard_s = 0.0
        self._tared = np.zeros(6)
        self._payload_kg, self._payload_centre_m = 0.0, np.zeros(3)
        self._values = self._outputs()

    # What a person does, or a fault

    def press(self, safety: Safety) -> None:
        """Have the safety system say `safety`: an emergency stop, an open gate, a collision."""
        with self._lock:
            self.safety = safety
            if not safety.free:
                self._end(EMERGENCY_RAD_S2 if not safety.powered else PROTECTIVE_RAD_S2)
                self.power_on = self.power_on and safety.powered

    def release(self) -> None:
        """Let the safety system be normal again; power and program are not switched on by that."""
        with self._lock:
            self.safety = Safety.NORMAL

    def restart(self) -> None:
        """Drop every connection and all that clients wrote, as after switching the cabinet off and on."""
        with self._lock:
            self._end(EMERGENCY_RAD_S2)
            for port in self._ports:
                port.drop_all()
            self._rtde.owners.clear()
            self.inputs, self._output_ints = Inputs(), [0] * REGISTERS

    def hold(self, names: list[str]) -> None:
        """Have a fieldbus hold these inputs."""
        with self._lock:
            self._rtde.hold(names)

    # Panel

    def robot_mode_name(self) -> str:
        """As the dashboard says it."""
        return MODE_NAMES[self._robot_mode]

    def safety_name(self) -> str:
        """As the dashboard says it."""
        return self.safety.told

    def program_runs(self) -> bool:
        """Whether a program runs."""
        return self._program is not None

    def end_program(self) -> None:
        """As the stop button does."""
        self._end(PROGRAM_END_RAD_S2)

    def unlock(self) -> bool:
        """Leave a protective stop; False where there is none."""
        there = self.safety is Safety.PROTECTIVE_STOP
        if there:
            self.safety = Safety.NORMAL
        return there

    def power(self, on: bool) -> None:
        """Switch the motors, as far as the safety system lets it."""
        if not on:
            self._end(EMERGENCY_RAD_S2)
        self.power_on = on and self.safety.powered

    def restart_safety(self) -> None:
        """Leave a fault or a violation."""
        if self.safety in (Safety.FAULT, Safety.VIOLATION):
            self.safety = Safety.NORMAL

    # What a program asks

    def input_int(self, number: int) -> int:
        """A register (0..47)."""
        return self.inputs.ints[number]

    def input_double(self, number: int) -> float:
        """A register (0..47)."""
        return self.inputs.doubles[number]

    def write_int(self, number: int, value: int) -> None:
        """Write a register that clients read."""
        self._output_ints[number] = value

    def write_double(self, number: int, value: float) -> None:
        """Write a register that clients read."""
        self._output_doubles[number] = value

    def protective_stop(self, why: str) -> None:
        """Stop for what a program did."""
        self.tell(f"protective stop: {why}")
        self.counters["protective stops"] += 1
        self.press(Safety.PROTECTIVE_STOP)

    def tell(self, text: str) -> None:
        """Say something to every client of RTDE."""
        for client in self._ports[0].clients:
            if isinstance(client, RtdeClient):
                client.tell(text, ERROR)

    def watch(self, name: str, least_hz: float) -> None:
        """Stop the program where `name` is not written this often; 0 Hz watches nothing."""
        self._watched = (name, 1.0 / least_hz) if least_hz > 0.0 else None
        self._heard_s = self.follower.time_s

    def steady(self) -> bool:
        """Whether the arm stands."""
        return self.motion is None

    def set_tool(self, tool_from_flange: Array) -> None:
        """Move the tool centre point (4, 4)."""
        self.arm = Arm(tool=tool_from_flange)

    def tare(self) -> None:
        """Have the sensor read zero as it is now."""
        wrench = self.follower.state.wrench
        self._tared = np.zeros(6) if wrench is None else wrench.copy()

    def set_payload(self, mass_kg: float, centre_m: Array) -> None:
        """What clients read again; the plant has the true one."""
        self._payload_kg, self._payload_centre_m = mass_kg, centre_m

    # Life

    def _bind(self) -> None:
        made: list[tuple[str, int, Callable[[socket.socket, TcpPort], TcpClient]]] = [
            ("rtde", RTDE_PORT, lambda link, port: RtdeClient(link, port, self._rtde)),
            ("script", SCRIPT_PORT, lambda link, port: ScriptClient(link, port, self._run_script)),
        ]
        if self.personality.dashboard:
            made.append(("dashboard", DASHBOARD_PORT, lambda link, port: DashboardClient(link, port, self)))
        for name, number, client in made:
            port = TcpPort(name, self._selector, self.counters, client)
            self._ports.append(port)
            port.listen(self._serve, number)

    def _begin(self) -> None:
        self.joints = self.follower.state.joints_rad.copy()
        self._speeds = np.zeros(6)

    def _run_script(self, text: str) -> None:
        if text.startswith(_CONTROL):
            offset = re.search(r"reg_offset_int = (\d+)", text)
            if self.safety.free and self.power_on:
                self.counters["script: programs"] += 1
                self._end(PROGRAM_END_RAD_S2)
                self._program = ControlProgram(self, 24 if offset and offset[1] == "24" else 0)
            else:
                self.counters["script: programs refused by the safety system"] += 1
        elif _STOP_SCRIPT.match(text):
            self._end(PROGRAM_END_RAD_S2)
        elif text:
            self.counters["script: programs that are not emulated"] += 1
            self.tell(f"only the program of ur_rtde is emulated, got {text[:60]!r}")

    def _end(self, deceleration_rad_s2: float) -> None:
        """End the program; what moves comes to rest."""
        self._program = self._watched = None
        if self.motion is not None:
            self.motion = Stop(self.arm, deceleration_rad_s2, of_tool=False)

    def _expects_setpoint(self) -> bool:
        return self._program is not None and self._program.real_time

    def _engaged(self) -> bool:
        return self.motion is not None

    def _written(self, values: dict[str, Any]) -> None:
        self.counters["rtde: packages of inputs"] += 1
        if not self.inputs.write(values):
            self.counters["rtde: inputs beyond their range"] += 1
        if any(name in values for name in ("input_int_register_0", "input_int_register_24")):
            self._fresh = True
        if self._watched is not None and self._watched[0] in values:
            self._heard_s = self.follower.time_s

    def _cycle(self) -> None:
        if self._watched is not None and self.follower.time_s - self._heard_s > self._watched[1]:
            self.counters["watchdog"] += 1
            self.tell("the watchdog of the program was not fed")
            self._end(PROGRAM_END_RAD_S2)
        if self._program is not None and not self._program.step():
            self._end(PROGRAM_END_RAD_S2)
        done = False
        if self.motion is not None:
            limits = np.array(ur10e.LOWER_LIMIT_RAD), np.array(ur10e.UPPER_LIMIT_RAD)
            try:
                joints, self._speeds, done = self.motion.step(
                    self.joints, self._speeds, self.cycle_s, self.inputs.speed_fraction
                )
            except ValueError:
                self.protective_stop("a pose on the way that no joints hold")
                joints = self.joints
            self.joints = np.clip(joints, *limits)
        if done:
            self.motion, self._speeds = None, np.zeros(6)
        self.follower.joints(self.joints)
        for client in list(self._ports[0].clients):
            if isinstance(client, RtdeClient):
                client.publish()

    # What clients read

    @property
    def _robot_mode(self) -> int:
        return RUNNING if self.power_on else POWER_OFF

    def _value(self, name: str) -> Any:
        made = self._values.get(name)
        if made is not None:
            return made()
        side, kind, _, number = name.split("_")
        table = {
            ("output", "int"): self._output_ints,
            ("output", "double"): self._output_doubles,
            ("output", "bit"): [False] * 128,
            ("input", "int"): self.inputs.ints,
            ("input", "double"): self.inputs.doubles,
            ("input", "bit"): self.inputs.bits,
        }
        return table[side, kind][int(number)]  # type: ignore[index]

    def _tool(self, joints: Array) -> Array:
        return pose_of(self.arm.tool_pose(joints))

    def _wrench_b(self) -> Array:
        """(6,) at the tool centre point, in the axes of the base."""
        state = self.follower.state
        if state.wrench is None:
            return np.zeros(6)
        turn = matrix(state.tool)[:3, :3]
        felt = state.wrench - self._tared
        return np.concatenate([turn @ felt[:3], turn @ felt[3:]])

    def _outputs(self) -> dict[str, Callable[[], Any]]:
        def state() -> Any:
            return self.follower.state

        zeros = np.zeros(6)
        return {
            "timestamp": lambda: self.follower.time_s,
            "actual_execution_time": lambda: 0.0,
            "target_q": lambda: self.joints,
            "target_qd": lambda: self._speeds,
            "actual_q": lambda: state().joints_rad,
            "actual_qd": lambda: self.follower.speeds_rad_s,
            "actual_TCP_pose": lambda: self._tool(state().joints_rad),
            "target_TCP_pose": lambda: self._tool(self.joints),
            "actual_TCP_speed": lambda: pose_speed(
                self.arm.jacobian(state().joints_rad), self.follower.speeds_rad_s
            ),
            "target_TCP_speed": lambda: pose_speed(self.arm.jacobian(self.joints), self._speeds),
            "actual_TCP_force": self._wrench_b,
            "tcp_force_scalar": lambda: float(np.linalg.norm(self._wrench_b()[:3])),
            "ft_raw_wrench": lambda: zeros if state().wrench is None else state().wrench,
            "tcp_offset": lambda: pose_of(self.arm.tool),
            "runtime_state": lambda: STOPPED if self._program is None else PLAYING,
            "robot_mode": lambda: self._robot_mode,
            "safety_mode": lambda: self.safety.number,
            "safety_status": lambda: self.safety.number,
            "robot_status_bits": lambda: self.power_on | (self._program is not None) << 1,
            "safety_status_bits": lambda: self.safety.bits,
            "joint_mode": lambda: [253 if self.power_on else 239] * 6,
            "speed_scaling": lambda: 1.0,
            "target_speed_fraction": lambda: self.inputs.speed_fraction,
            "actual_digital_input_bits": lambda: self.digital_inputs,
            "actual_digital_output_bits": lambda: self.inputs.digital_outputs,
            "standard_analog_input0": lambda: self.analogue_inputs[0],
            "standard_analog_input1": lambda: self.analogue_inputs[1],
            "standard_analog_output0": lambda: self.inputs.analogue_output(0),
            "standard_analog_output1": lambda: self.inputs.analogue_output(1),
            "analog_io_types": lambda: 0b11 | self.inputs.analogue_types,
            "payload": lambda: self._payload_kg,
            "payload_cog": lambda: self._payload_centre_m,
            "joint_temperatures": lambda: [25.0] * 6,
            "actual_joint_voltage": lambda: [48.0] * 6,
            "actual_main_voltage": lambda: 48.0,
            "actual_robot_voltage": lambda: 48.0,
            "actual_tool_accelerometer": lambda: [0.0, 0.0, 0.0],
        } | {name: (lambda zero=zero: zero) for name, zero in _NOT_EMULATED.items()}


_NOT_EMULATED: dict[str, Any] = (
    dict.fromkeys(
        (
            *("target_qdd", "target_current", "target_moment", "actual_current", "actual_current_window"),
            *("joint_control_output", "payload_inertia", "actual_current_as_torque"),
        ),
        [0.0] * 6,
    )
    | dict.fromkeys(("elbow_position", "elbow_velocity"), [0.0] * 3)
    | dict.fromkeys(
        (
            *("actual_momentum", "actual_robot_current", "io_current", "tool_output_current"),
            *("tool_analog_input0", "tool_analog_input1", "tool_temperature"),
        ),
        0.0,
    )
    | dict.fromkeys(
        (
            *("tool_output_voltage", "tool_mode", "tool_analog_input_types", "script_control_line"),
            *("output_bit_registers0_to_31", "output_bit_registers32_to_63"),
            *("input_bit_registers0_to_31", "input_bit_registers32_to_63"),
        ),
        0,
    )
)
"""Outputs that read zero whatever happens."""
