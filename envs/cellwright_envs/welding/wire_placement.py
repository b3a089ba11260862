"""Where torch and wire are relative to the seam as it lies now."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.disturbances import WeldDisturbanceState
from cellwright_envs.welding.part.seam import SeamDeviation
from cellwright_envs.welding.process.columns import Input
from cellwright_envs.welding.weld_cell import WeldCell
from cellwright_perception.seam.taught_path import SeamFrames, TorchPlace, along

Array = NDArray[np.float64]


class WirePlacement(NamedTuple):
    """Torch and bent wire at one moment; path positions and displacements refer to the drawing's seam."""

    torch: TorchPlace
    tip_t: Array
    """End of the bent wire (3,) [m] in the tool frame."""
    wire_m: float
    """Path position of the wire."""
    seam_shift_m: tuple[float, float]
    """Lateral and height by which bump and heat have moved the part since it was placed."""
    lateral_error_m: float
    """Seam minus wire, + where the torch should move left."""
    height_error_m: float
    """Seam minus torch height, + where the torch should move up."""

    def part_shift_w(self, frames: SeamFrames) -> Array:
        """`seam_shift_m` as a displacement (3,) [m] in the world."""
        rotation = frames.rotations_w[frames.index(self.wire_m)]
        shift: Array = rotation[:, 1] * self.seam_shift_m[0] + rotation[:, 2] * self.seam_shift_m[1]
        return shift


def locate_wire(
    pose_w: Array,
    near_m: float,
    cell: WeldCell,
    deviation: SeamDeviation,
    disturbed: WeldDisturbanceState,
    *,
    time_s: float,
    arc_time_s: float,
) -> WirePlacement:
    """Find the tool at `pose_w` (4, 4), near path position `near_m`, and the seam beside it."""
    torch = cell.frames.place(pose_w[:3, 3], near_m)
    tip_t = disturbed.tool_centre_point.offset_t(time_s)
    wire_m = torch.path_position_m + float(tip_t[0])
    bump = disturbed.fixture_bump.offset_m(wire_m / cell.frames.length_m)
    drift_m = disturbed.heat_drift.offset_m(arc_time_s, max(wire_m, 0.0))
    shift_m = (bump[0] + drift_m, bump[1])
    return WirePlacement(
        torch=torch,
        tip_t=tip_t,
        wire_m=wire_m,
        seam_shift_m=shift_m,
        lateral_error_m=along(deviation.lateral_m, wire_m) + shift_m[0] - torch.lateral_m - float(tip_t[1]),
        height_error_m=along(deviation.height_m, wire_m) + shift_m[1] - torch.height_m - float(tip_t[2]),
    )


def put_place(row: Array, wire: WirePlacement, deviation: SeamDeviation, nominal_m: float) -> None:
    """Write where the wire is, and how the joint lies there, into the inputs of the process (inputs,).

    `nominal_m` is the contact tip distance of the procedure.
    """
    row[Input.CONTACT_TIP_DISTANCE_M] = nominal_m - wire.height_error_m
    row[Input.LATERAL_OFFSET_M] = -wire.lateral_error_m
    row[Input.GAP_M] = along(deviation.gap_m, wire.wire_m)
    row[Input.MISALIGNMENT_M] = along(deviation.misalignment_m, wire.wire_m)
    row[Input.THICKNESS_M] = deviation.thickness_m
    row[Input.TACK_HEIGHT_M] = along(deviation.tack_m, wire.wire_m)
