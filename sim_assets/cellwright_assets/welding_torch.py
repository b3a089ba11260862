"""A MIG/MAG torch with a 45 degree neck on the flange: where its parts are and where the wire ends.

The tool frame `_t` has its origin at the nominal wire tip, x forward in the travel direction, y left, z up
along the wire away from the work. The neck leans backward (-x), because the seam sensor looks at the joint
ahead of the torch; so the flange axis is 45 degrees off the wire whether a joint lies left or right of it.
All dimensions are engineering assumptions in the range of cobot torch packages.
"""

import math

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import inverted

NECK_ANGLE_RAD = math.radians(45.0)
NOZZLE_MOUTH_M = 0.015
"""Height of the gas nozzle's mouth above the wire tip, along the wire."""
NOZZLE_RADIUS_M = 0.0085
"""Outer radius of the gas nozzle at its mouth."""
NOZZLE_BODY_RADIUS_M = 0.0115
NOZZLE_TOP_M = 0.080
NECK_RADIUS_M = 0.0085
NECK_BEND_M = 0.105
"""Height above the wire tip at which the axes of nozzle and torch body cross."""
NECK_STRAIGHT_M = 0.065
"""From that crossing to the torch body, along the body's axis."""
BODY_LENGTH_M = 0.110
BODY_RADIUS_M = 0.019
BODY_OFFSET_M = 0.060
"""Torch body below the flange axis, so that the wrist keeps away from the table."""
FLANGE_FROM_BEND_M = 0.200
"""From the crossing to the flange's plane, along the body's axis."""
WIRE_RADIUS_M = 0.0006  # 1.2 mm solid wire
TORCH_MASS_KG = 1.6
"""Torch, bracket, sensor head and the carried part of the hose pack."""

BACK_T = np.array([-math.sin(NECK_ANGLE_RAD), 0.0, math.cos(NECK_ANGLE_RAD)])
"""(3,) unit vector in the tool frame from the neck's bend to the torch body; the flange's z is opposite."""
UP_T = np.array([math.cos(NECK_ANGLE_RAD), 0.0, math.sin(NECK_ANGLE_RAD)])
"""(3,) unit vector in the tool frame across the torch body, from its axis to the flange's axis."""


def tool_pose_in_flange() -> NDArray[np.float64]:
    """Return (4, 4): the tool frame seen from the flange, tool_b = flange_b @ result."""
    flange_t = np.eye(4)
    flange_t[:3, 0] = UP_T
    flange_t[:3, 1] = np.cross(-BACK_T, UP_T)
    flange_t[:3, 2] = -BACK_T
    flange_t[:3, 3] = np.array([0.0, 0.0, NECK_BEND_M]) + FLANGE_FROM_BEND_M * BACK_T + BODY_OFFSET_M * UP_T
    return inverted(flange_t)


TCP_FROM_FLANGE = tool_pose_in_flange()
"""(4, 4): pose of the tool centre point seen from the flange: tool_b = flange_b @ TCP_FROM_FLANGE."""


def nozzle_path_m() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre line (K, 3) [m] in the tool frame and radii (K,) [m] of the gas nozzle."""
    heights = np.array([NOZZLE_MOUTH_M, NOZZLE_MOUTH_M + 0.015, NOZZLE_TOP_M])
    return np.outer(heights, [0.0, 0.0, 1.0]), np.array(
        [NOZZLE_RADIUS_M, NOZZLE_BODY_RADIUS_M, NOZZLE_BODY_RADIUS_M]
    )


def neck_path_m() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre line (K, 3) [m] in the tool frame and radii (K,) [m] of the bent neck."""
    bend = np.array([0.0, 0.0, NECK_BEND_M])
    rounding_m = NECK_BEND_M - NOZZLE_TOP_M
    points = np.array(
        [bend - [0.0, 0.0, rounding_m], bend + 0.25 * rounding_m * BACK_T, bend + NECK_STRAIGHT_M * BACK_T]
    )
    return points, np.full(len(points), NECK_RADIUS_M)


def body_path_m() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre line (2, 3) [m] in the tool frame and radii (2,) [m] of the straight torch body."""
    bend = np.array([0.0, 0.0, NECK_BEND_M])
    reach = np.array([[NECK_STRAIGHT_M], [NECK_STRAIGHT_M + BODY_LENGTH_M]])
    return bend + reach * BACK_T, np.full(2, BODY_RADIUS_M)
