"""A wrist force-torque sensor and a two-finger gripper on the flange: dimensions, frames, low-poly meshes.

FT   Robotiq FT 300 Instruction Manual, sections 5.1 and 5.2.1: height, mass and centre of mass of the sensor,
     alone and together with a 2-Finger 85.
2F   Robotiq 2F-85 & 2F-140 Instruction Manual, section 6.1: stroke, height closed, grip force, pad size.

The tool frame `_t` has its origin at the tip of the part as it should be held, z up along the part away from
the work, x forward and y left; the fingers close along y. With the tool upright it is parallel to the world.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.meshes import Mesh, box_mesh, merge, tube_mesh

SENSOR_HEIGHT_M = 0.0375  # FT
SENSOR_RADIUS_M = 0.0375  # FT
SENSOR_NOISE_N = 0.1  # FT: signal noise of a force component, standard deviation
SENSOR_NOISE_N_M = 0.005  # FT: of a torque component
GRIPPER_HEIGHT_M = 0.1628  # 2F: flange to fingertips, closed
STROKE_M = 0.085  # 2F
GRIP_FORCE_N = (20.0, 235.0)  # 2F
PAD_WIDTH_M = 0.022  # 2F: along x
PAD_HEIGHT_M = 0.0375  # 2F: along z
PAD_THICKNESS_M = 0.0065
"""Assumption, from the outline drawing."""
FINGER_THICKNESS_M = 0.012
"""Assumption, from the outline drawing."""
FINGER_SPAN_M = (0.004, 0.075)
"""Lower and upper end of a finger over the fingertips; assumption, from the outline drawing."""
SENSOR_MASS_KG = 0.300  # FT
TOOL_MASS_KG = 1.205  # FT: sensor and 2-Finger 85
TOOL_CENTRE_OF_MASS_M = 0.076  # FT: from the flange, sensor and gripper together

GRIPPER_MASS_KG = TOOL_MASS_KG - SENSOR_MASS_KG
"""What hangs below the sensor. The sensor's own mass is on the robot's side of its measurement."""
GRIPPER_CENTRE_OF_MASS_M = (TOOL_MASS_KG * TOOL_CENTRE_OF_MASS_M - SENSOR_MASS_KG * 0.017) / GRIPPER_MASS_KG
"""From the flange; FT gives 17 mm for the sensor alone."""

DARK = (0.16, 0.16, 0.18)
PAD_BLACK = (0.10, 0.10, 0.11)
ALUMINIUM = (0.74, 0.76, 0.79)


def fingertips_above_tip_m(grasp_height_m: float) -> float:
    """Return how high the fingertips end over the part's tip when its pads' middle is at `grasp_height_m`."""
    return grasp_height_m - 0.5 * PAD_HEIGHT_M


def tcp_from_flange(grasp_height_m: float) -> NDArray[np.float64]:
    """Return (4, 4): the tool frame seen from the flange, whose z points down out of it.

    `grasp_height_m` is from the part's tip to the middle of the pads.
    """
    pose = np.diag([1.0, -1.0, -1.0, 1.0])
    pose[2, 3] = SENSOR_HEIGHT_M + GRIPPER_HEIGHT_M + fingertips_above_tip_m(grasp_height_m)
    return pose


def gripper_centre_of_mass_t(grasp_height_m: float) -> NDArray[np.float64]:
    """Return (3,) [m] in the tool frame: where the weight below the sensor acts, the part aside."""
    return np.array([0.0, 0.0, tcp_from_flange(grasp_height_m)[2, 3] - GRIPPER_CENTRE_OF_MASS_M])


def finger_meshes(grasp_height_m: float, part_width_m: float) -> list[Mesh]:
    """Return pads and fingers, closed on a part `part_width_m` wide, in the tool frame; few triangles."""
    bottom_m = fingertips_above_tip_m(grasp_height_m)
    meshes = []
    for name, colour, thickness_m, low_m, high_m, inset_m in (
        ("pads", PAD_BLACK, PAD_THICKNESS_M, 0.0, PAD_HEIGHT_M, 0.0),
        ("fingers", DARK, FINGER_THICKNESS_M, *FINGER_SPAN_M, PAD_THICKNESS_M),
    ):
        parts = []
        for side in (-1.0, 1.0):
            y_m = side * (0.5 * part_width_m + inset_m + 0.5 * thickness_m)
            height_m = high_m - low_m
            centre = (0.0, y_m, bottom_m + low_m + 0.5 * height_m)
            parts.append(box_mesh((PAD_WIDTH_M, thickness_m, height_m), centre))
        vertices, faces = merge(parts)
        meshes.append(Mesh(name=name, vertices=vertices, faces=faces, color=colour))
    return meshes


def body_meshes(grasp_height_m: float) -> list[Mesh]:
    """Return palm, knuckles and sensor in the tool frame, for pictures of the whole cell."""
    tip_m, top_m = fingertips_above_tip_m(grasp_height_m), tcp_from_flange(grasp_height_m)[2, 3]
    palm_m = tip_m + 0.07
    sensor_m = top_m - SENSOR_HEIGHT_M
    palm = tube_mesh([[0, 0, palm_m], [0, 0, palm_m + 0.02], [0, 0, sensor_m]], [0.028, 0.0375, 0.0375], 12)
    knuckles = box_mesh((0.030, 0.110, 0.026), (0.0, 0.0, palm_m + 0.008))
    vertices, faces = merge([palm, knuckles])
    sensor = tube_mesh([[0, 0, sensor_m], [0, 0, top_m]], [SENSOR_RADIUS_M] * 2, 12)
    return [
        Mesh(name="gripper", vertices=vertices, faces=faces, color=DARK),
        Mesh(name="force_sensor", vertices=sensor[0], faces=sensor[1], color=ALUMINIUM),
    ]
