"""The variables of RTDE that the virtual controller has, their types, and since which version.

Names and types are those of Universal Robots, "Real-Time Data Exchange (RTDE) Guide".
"""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT32": "I",
    "UINT64": "Q",
    "INT32": "i",
    "DOUBLE": "d",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
    "VECTOR6UINT32": "6I",
}
"""Of `struct`, big-endian."""

NOT_FOUND = "NOT_FOUND"
IN_USE = "IN_USE"

_OUTPUTS = {
    "DOUBLE": """timestamp actual_execution_time speed_scaling target_speed_fraction actual_momentum
        actual_main_voltage actual_robot_voltage actual_robot_current standard_analog_input0
        standard_analog_input1 standard_analog_output0 standard_analog_output1 io_current payload
        tool_output_current tool_analog_input0 tool_analog_input1 tool_temperature tcp_force_scalar""",
    "VECTOR6D": """target_q target_qd target_qdd target_current target_moment actual_q actual_qd
        actual_current actual_current_window joint_control_output actual_TCP_pose actual_TCP_speed
        actual_TCP_force
        target_TCP_pose target_TCP_speed joint_temperatures actual_joint_voltage payload_inertia tcp_offset
        ft_raw_wrench actual_current_as_torque""",
    "VECTOR3D": "actual_tool_accelerometer payload_cog elbow_position elbow_velocity",
    "VECTOR6INT32": "joint_mode",
    "INT32": "robot_mode safety_mode safety_status tool_output_voltage",
    "UINT32": """runtime_state robot_status_bits safety_status_bits analog_io_types tool_mode
        tool_analog_input_types
        output_bit_registers0_to_31 output_bit_registers32_to_63 input_bit_registers0_to_31
        input_bit_registers32_to_63 script_control_line""",
    "UINT64": "actual_digital_input_bits actual_digital_output_bits",
}
_INPUTS = {
    "UINT32": "speed_slider_mask input_bit_registers0_to_31 input_bit_registers32_to_63",
    "DOUBLE": "speed_slider_fraction standard_analog_output_0 standard_analog_output_1",
    "UINT8": """standard_digital_output_mask standard_digital_output configurable_digital_output_mask
        configurable_digital_output tool_digital_output_mask tool_digital_output standard_analog_output_mask
        standard_analog_output_type""",
    "VECTOR6D": "external_force_torque",
}
REGISTERS = 48
_SINCE = {
    "payload": (5, 11),
    "payload_cog": (5, 11),
    "payload_inertia": (5, 11),
    "script_control_line": (5, 9),
    "ft_raw_wrench": (5, 9),
    "actual_current_as_torque": (5, 23),
    "tcp_offset": (5, 4),
    "actual_current_window": (5, 9),
    "elbow_position": (5, 0),
    "elbow_velocity": (5, 0),
}


def _table(words: dict[str, str]) -> dict[str, str]:
    return {name: kind for kind, names in words.items() for name in names.split()}


def _registers(side: str) -> dict[str, str]:
    kinds = {"int": "INT32", "double": "DOUBLE"}
    table = {f"{side}_{word}_register_{n}": kind for word, kind in kinds.items() for n in range(REGISTERS)}
    return table | {f"{side}_bit_register_{n}": "BOOL" for n in range(64, 128)}


OUTPUTS = _table(_OUTPUTS) | _registers("output") | _registers("input")
INPUTS = _table(_INPUTS) | _registers("input")


@dataclass(frozen=True, kw_only=True)
class Personality:
    """One version of a controller's software."""

    version: tuple[int, int, int, int]
    dashboard: bool = True
    """Whether there is a dashboard server on port 29999."""
    serial: str = "20200000000"

    @property
    def told(self) -> str:
        """As `URSoftware 5.11.0.108249`."""
        return ".".join(map(str, self.version))

    def output_type(self, name: str) -> str:
        """The type of an output, or NOT_FOUND in this version."""
        return self._type(OUTPUTS, name)

    def input_type(self, name: str) -> str:
        """The type of an input, or NOT_FOUND in this version."""
        return self._type(INPUTS, name)

    def _type(self, table: dict[str, str], name: str) -> str:
        there = _SINCE.get(name, (0, 0)) <= self.version[:2]
        return table.get(name, NOT_FOUND) if there else NOT_FOUND


PERSONALITIES = {
    "polyscope-5": Personality(version=(5, 11, 0, 108249)),
    "polyscope-5.4": Personality(version=(5, 4, 0, 80000)),
    "polyscope-5.23": Personality(version=(5, 23, 0, 1200000)),
    "polyscope-x": Personality(version=(10, 7, 0, 0), dashboard=False),
}
