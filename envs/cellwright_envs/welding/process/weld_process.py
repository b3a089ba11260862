"""The weld process of several cells at 100 Hz: arc, pool, bead and the signals a power source reports.

The formulas live in `arc`, `heat` and `bead`, their order in time in `kernels`. State, inputs and
constants are rows of float64 columns, one row per cell, so that one compiled call advances all cells.
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.inspection.quality import Feature
from cellwright_envs.welding.process.columns import Constant, Input, Prediction, Signal, State
from cellwright_envs.welding.process.constants import (
    ProcessConstants,
    WeldConditions,
    design_throat_m,
    draw_constants,
)
from cellwright_envs.welding.process.consumables import constants_with
from cellwright_envs.welding.process.kernels import advance, predict

__all__ = [
    "Input",
    "Prediction",
    "ProcessConstants",
    "Signal",
    "State",
    "WeldConditions",
    "WeldProcess",
    "design_throat_m",
    "draw_constants",
]

FloatArray = NDArray[np.float64]


class WeldProcess:
    """Arc, pool and bead of several independent cells.

    `state` (cells, State), `features` (cells, Feature) and `signals` (cells, Signal) hold the present
    values and are overwritten by the next step.
    """

    def __init__(self, cells: int, period_s: float = 0.01) -> None:
        if cells < 1 or not 0 < period_s <= 0.05:
            raise ValueError(f"need {cells=} of at least 1 and {period_s=} above 0, at most 0.05")
        self.period_s = period_s
        self.state: FloatArray = np.zeros((cells, len(State)))
        self.features: FloatArray = np.zeros((cells, len(Feature)))
        self.signals: FloatArray = np.zeros((cells, len(Signal)))
        self._now = np.zeros((cells, len(Input)))
        self._constants = np.zeros((cells, len(Constant)))
        self._generators = np.ones((cells, 1), dtype=np.uint64)
        self._scratch = np.zeros((cells, len(State)))
        self._steady_features = np.zeros((cells, len(Feature)))
        self._predictions = np.zeros((cells, len(Prediction)))

    def reset(
        self, cell: int, constants: ProcessConstants, conditions: WeldConditions, rng: np.random.Generator
    ) -> None:
        """Put a fresh joint in one cell, arc off; `rng` seeds the process and signal noise of this weld.

        `constants` are those of 1.2 mm wire in CO2; gas and wire of `conditions` change them.
        """
        constants = constants_with(constants, conditions.gas, conditions.wire_diameter_m)
        row = self._constants[cell]
        row[Constant.MELTING_PER_CURRENT_M_S_A :] = [getattr(constants, f.name) for f in fields(constants)]
        row[Constant.JOINT] = conditions.joint
        row[Constant.NOMINAL_THICKNESS_M] = conditions.thickness_m
        row[Constant.NOMINAL_GAP_M] = conditions.gap_m
        row[Constant.REQUIRED_THROAT_M] = design_throat_m(conditions.joint, conditions.thickness_m)
        row[Constant.NOMINAL_WIRE_FEED_M_S] = conditions.wire_feed_m_s
        row[Constant.NOMINAL_SPEED_M_S] = conditions.travel_speed_m_s
        row[Constant.AMBIENT_TEMPERATURE_K] = conditions.plate_temperature_k
        row[Constant.REFERENCE_CURRENT_A] = 0.0
        row[Constant.PRESCRIBED_LEG_DIFFERENCE_M] = 0.0
        self.state[cell] = 0.0
        self.state[cell, State.PLATE_TEMPERATURE_K] = conditions.plate_temperature_k
        self.state[cell, State.PYROMETER_K] = conditions.plate_temperature_k
        self.features[cell] = 0.0
        self.signals[cell] = 0.0
        self._generators[cell, 0] = rng.integers(1, 2**63, dtype=np.uint64)
        self.state[cell, [State.PENETRATION_NOISE, State.WIDTH_NOISE, State.HEIGHT_NOISE]] = (
            rng.standard_normal(3)
        )
        self._refer_to_programme(cell, conditions)

    def step(self, inputs: FloatArray) -> None:
        """Advance by one period with constant `inputs` (cells, Input)."""
        self.advance(inputs, inputs, 1)

    def advance(self, begin: FloatArray, end: FloatArray, steps: int) -> None:
        """Advance by `steps` periods, inputs running linearly from `begin` to `end` (cells, Input).

        The first step uses begin + (end - begin) / steps and the last uses `end`; whether the arc is on
        is taken from `end`. Signals are summarised over all steps.
        """
        advance(
            begin,
            end,
            self._now,
            self._constants,
            self.state,
            self.features,
            self.signals,
            self._generators,
            steps,
            self.period_s,
        )

    def steady(self, inputs: FloatArray) -> FloatArray:
        """Return the noise-free steady state (cells, Prediction) of `inputs` (cells, Input).

        Plate temperature is the present one. Uses the drawn constants: privileged knowledge. The next
        call overwrites the result.
        """
        predict(inputs, self._constants, self.state, self._scratch, self._steady_features, self._predictions)
        return self._predictions

    def steady_features(self, inputs: FloatArray) -> FloatArray:
        """Return the imperfections (cells, Feature) [m] of the same steady state; overwritten likewise."""
        self.steady(inputs)
        return self._steady_features

    @property
    def constants(self) -> FloatArray:
        """Drawn constants and conditions (cells, Constant): privileged knowledge."""
        return self._constants

    @property
    def steady_state(self) -> FloatArray:
        """State (cells, State) that the last `steady` or `steady_features` ended in."""
        return self._scratch

    def _refer_to_programme(self, cell: int, conditions: WeldConditions) -> None:
        """Store the current at which the setpoint holds, and the asymmetry a lap weld has by design."""
        inputs = np.repeat(conditions.inputs()[None], len(self.state), axis=0)
        one = slice(cell, cell + 1)
        row, out = self._constants[one], np.zeros((1, len(Prediction)))
        for _ in range(2):
            predict(inputs[one], row, self.state[one], self._scratch[one], self._steady_features[one], out)
            row[0, Constant.REFERENCE_CURRENT_A] = out[0, Prediction.CURRENT_A]
            row[0, Constant.PRESCRIBED_LEG_DIFFERENCE_M] = (
                out[0, Prediction.LEFT_LEG_M] - out[0, Prediction.RIGHT_LEG_M]
            )
