"""What clients write: registers, outputs of the cabinet and of the tool, the speed slider."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.virtual.ur.variables import REGISTERS

_DIGITAL = {"standard": (0, 8), "configurable": (8, 8), "tool": (16, 2)}
"""First bit in actual_digital_output_bits, and how many."""


class Inputs:
    """The values that hold until somebody writes them again."""

    def __init__(self) -> None:
        self.ints = [0] * REGISTERS
        self.doubles = [0.0] * REGISTERS
        self.bits = [False] * 128
        self.digital_outputs = 0
        self.analogue: list[tuple[bool, float]] = [(True, 0.0), (True, 0.0)]
        """Whether an output is a voltage, and its fraction of the range."""
        self.speed_fraction = 1.0

    def write(self, values: dict[str, Any]) -> bool:
        """Take the values of one package; False where one of them is refused."""
        fine = True
        for name, value in values.items():
            if name.startswith("input_int_register_"):
                self.ints[int(name.rsplit("_", 1)[1])] = value
            elif name.startswith("input_double_register_"):
                self.doubles[int(name.rsplit("_", 1)[1])] = value
            elif name.startswith("input_bit_register_"):
                self.bits[int(name.rsplit("_", 1)[1])] = value
        for word, (first, count) in _DIGITAL.items():
            mask = values.get(f"{word}_digital_output_mask", 0) & ((1 << count) - 1)
            wanted = values.get(f"{word}_digital_output", 0)
            self.digital_outputs = (self.digital_outputs & ~(mask << first)) | ((wanted & mask) << first)
        mask, kinds = (
            values.get("standard_analog_output_mask", 0),
            values.get("standard_analog_output_type", 0),
        )
        for output in range(2):
            fraction = values.get(f"standard_analog_output_{output}")
            if mask >> output & 1 and fraction is not None:
                fine &= self._drive(output, bool(kinds >> output & 1), fraction)
        if values.get("speed_slider_mask", 0) & 1:
            fraction = values.get("speed_slider_fraction", 1.0)
            fine &= math.isfinite(fraction)
            if math.isfinite(fraction):
                self.speed_fraction = min(max(fraction, 0.0), 1.0)
        return fine

    def _drive(self, output: int, voltage: bool, fraction: float) -> bool:
        if not (math.isfinite(fraction) and 0.0 <= fraction <= 1.0):
            return False
        self.analogue[output] = voltage, fraction
        return True

    def analogue_output(self, output: int) -> float:
        """In V of 0..10, or in A of 0.004..0.020."""
        voltage, fraction = self.analogue[output]
        return 10.0 * fraction if voltage else 0.004 + 0.016 * fraction

    @property
    def analogue_types(self) -> int:
        """Bits 2 and 3 of analog_io_types: the outputs; 1 is a voltage."""
        return sum(1 << (2 + output) for output in range(2) if self.analogue[output][0])


def pose_speed(jacobian: NDArray[np.float64], speeds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Speed of the tool (6,) [m/s, rad/s] from those of the joints."""
    return np.asarray(jacobian @ speeds)
