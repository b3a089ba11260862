"""A record of one weld, step by step and millimetre by millimetre, for reports and debugging."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.inspection.bead_record import BIN_M, BeadRecord, codes_of
from cellwright_envs.welding.process.weld_process import Input, Signal, State, WeldProcess

if TYPE_CHECKING:
    from cellwright_envs.welding.measurement import WeldMeasurement

COLUMNS = (
    "time_s", "path_position_m", "lateral_error_m", "height_error_m", "speed_m_s", "current_a", "voltage_v",
    "temperature_k", "gap_m", "wire_feed_m_s", "root_index",
)  # fmt: skip


class WeldTrace:
    """Collects one row of `COLUMNS` per control step."""

    def __init__(self, record: BeadRecord) -> None:
        self._record = record
        self._rows: list[tuple[float, ...]] = []

    def reset(self) -> None:
        self._rows = []

    def add(self, measurement: WeldMeasurement, inputs: NDArray[np.float64], process: WeldProcess) -> None:
        """Note one control step."""
        signals, state = process.signals[0], process.state[0]
        self._rows.append(
            (
                measurement.time_s,
                measurement.path_position_m,
                measurement.lateral_error_m,
                measurement.height_error_m,
                measurement.speed_m_s,
                signals[Signal.CURRENT_MEAN_A],
                signals[Signal.VOLTAGE_MEAN_V],
                signals[Signal.PYROMETER_K],
                inputs[Input.GAP_M],
                inputs[Input.WIRE_FEED_M_S],
                state[State.ROOT_INDEX],
            )
        )

    def as_dict(self) -> dict[str, Any]:
        """Columns (T,) and, per millimetre of seam, `bead_position_m`, `bead_grade` and `bead_code` (N,).

        A grade of 0 passes level B, 1 only C, 2 only D, 3 fails all, 4 is not welded; the code is the first
        ISO 6520-1 number at the laxest level missed, 0 where there is none.
        """
        table = np.array(self._rows).reshape(-1, len(COLUMNS))
        masks = self._record.grade(0)
        welded = masks[:, 0] >= 0
        grade = np.where(welded, (masks != 0).sum(axis=1), 4)
        code = [
            codes_of(int(worst))[0] if ok and worst else 0
            for ok, worst in zip(welded, _worst(masks), strict=True)
        ]
        return {
            **{name: table[:, column] for column, name in enumerate(COLUMNS)},
            "bead_position_m": (np.arange(len(masks)) + 0.5) * BIN_M,
            "bead_grade": grade,
            "bead_code": np.array(code),
        }


def _worst(masks: NDArray[np.int64]) -> NDArray[np.int64]:
    """The mask of the laxest level that is missed, per bin."""
    return np.where(masks[:, 2] != 0, masks[:, 2], np.where(masks[:, 1] != 0, masks[:, 1], masks[:, 0]))
