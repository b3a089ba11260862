"""The trims that keep a weld furthest from every limit, found on the true process."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.inspection.editions import NEWEST
from cellwright_envs.welding.inspection.quality import WeldJoint
from cellwright_envs.welding.process.columns import Constant, Input, State
from cellwright_envs.welding.process.margin import risk, toe_limit_rad
from cellwright_envs.welding.process.weld_process import WeldProcess
from cellwright_perception.compiled import compiled

Array = NDArray[np.float64]

PACE_VALUE = 0.15
"""What a speed higher by a factor e is worth against the summed risk exp(-margin)."""
STEPS = (0.2, 0.08, 0.03)
"""Search steps taken in turn [full scales of a trim]."""
DIRECTIONS = np.array(
    [
        [0.0, 0.0, 0.0],
        *np.concatenate([np.eye(3), -np.eye(3)]),
        [0.83, 1.0, 0.0],
        [-0.83, -1.0, 0.0],
        [0.0, 1.0, 0.5],
        [0.0, -1.0, -0.5],
    ]
)
"""Speed, wire feed and voltage; the last four keep the fill, or the arc's length, roughly as it is."""


@compiled
def _best(inputs, states, features, constants, nominal_speed, toe_limit_rad):  # type: ignore[no-untyped-def]
    """Row with the lowest risk less the value of its pace."""
    best, lowest = 0, np.inf
    for row in range(inputs.shape[0]):
        pace = math.log(max(inputs[row, Input.TRAVEL_SPEED_M_S], 1e-4) / nominal_speed)
        missed = risk(inputs[row], states[row], features[row], constants[row], toe_limit_rad)
        cost = missed - PACE_VALUE * pace
        if cost < lowest:
            best, lowest = row, cost
    return best


class IdealTrims:
    """Climbs towards the safest trims, one small search step per control step.

    `iso_edition` names the limits that the weld is graded by.
    """

    def __init__(self, iso_edition: str = NEWEST) -> None:
        self.iso_edition = iso_edition
        self._probe = WeldProcess(len(DIRECTIONS))
        self._inputs = np.zeros((len(DIRECTIONS), len(Input)))
        self.trims = np.zeros(3)
        """Speed, wire feed and voltage trim in full scales, -1..1."""

    def reset(self, process: WeldProcess) -> None:
        """Start from the programme of another weld."""
        self._probe.constants[:] = drawn = process.constants[0]
        joint, thickness_m = WeldJoint(int(drawn[Constant.JOINT])), float(drawn[Constant.NOMINAL_THICKNESS_M])
        self._toe_limit_rad = toe_limit_rad(self.iso_edition, joint, thickness_m)
        self.trims = np.zeros(3)
        self._step = 0

    def update(
        self, inputs: Array, nominal: tuple[float, float, float], scales: Array, process: WeldProcess
    ) -> None:
        """Search around the present trims under true conditions `inputs` (Input,).

        `nominal` are wire feed, voltage and speed at trim 0; `scales` the full scales of speed, wire and
        voltage trim. The scatter that `process` has just now counts as known.
        """
        step = STEPS[self._step % len(STEPS)]
        self._step += 1
        tried = np.clip(self.trims + step * DIRECTIONS, -1.0, 1.0)
        rows = self._inputs
        rows[:] = inputs
        rows[:, Input.ARC_ON] = 1.0
        rows[:, Input.TRAVEL_SPEED_M_S] = nominal[2] * (1.0 + scales[0] * tried[:, 0])
        rows[:, Input.WIRE_FEED_M_S] = nominal[0] * (1.0 + scales[1] * tried[:, 1])
        rows[:, Input.VOLTAGE_V] = nominal[1] + scales[2] * tried[:, 2]
        probe = self._probe
        state, drawn = process.state[0], process.constants[0]
        probe.state[:, State.PLATE_TEMPERATURE_K] = state[State.PLATE_TEMPERATURE_K]
        probe.constants[:, Constant.PENETRATION_FACTOR] = drawn[Constant.PENETRATION_FACTOR] * (
            1.0 + drawn[Constant.PENETRATION_NOISE] * state[State.PENETRATION_NOISE]
        )
        features = probe.steady_features(rows)
        best = _best(rows, probe.steady_state, features, probe.constants, nominal[2], self._toe_limit_rad)
        self.trims = tried[best]
