"""Dimensions of the assembly cell and of each task's parts: cameras, greys, fixtures, size of an action.

Simulation and experts read these here, so that an expert's drawing is the cell's. The tool frame `_t` and the
part's are those of `gripper.py`; the fixture frame `_f` has its origin in the middle of the mouth, z up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

# Cameras


@dataclass(frozen=True, kw_only=True)
class CameraMount:
    """Where a camera sits in the frame that it is mounted in, where it looks, and its focal length."""

    position_m: tuple[float, float, float]
    """Optical centre."""
    target_m: tuple[float, float, float]
    focal_px: float


CAMERA_IMAGE_PX = 64
HAND_CAMERA = CameraMount(position_m=(0.072, 0.0, 0.082), target_m=(0.0, 0.0, -0.004), focal_px=190.0)
"""On the hand, in the tool frame: it sees the tip and below, 0.57 mm per pixel there (assumption)."""
FIXED_CAMERA = CameraMount(position_m=(0.045, -0.150, 0.150), target_m=(0.0, 0.0, 0.006), focal_px=310.0)
"""Beside the fixture, in the nominal fixture's frame: 0.69 mm per pixel at the hole (assumption)."""


class Surface(IntEnum):
    """Kind of a face, which decides its grey value in camera images and its colour in pictures."""

    PART = 0
    """Bright metal."""
    BLOCK = 1
    CHAMFER = 2
    WALL = 3
    """Inside of a hole."""
    GROUND = 4
    HOUSING = 5
    """Light plastic."""
    GEAR = 6
    """Dull steel: gears and shafts of a fixture."""


TABLE_GREY = 0.30
GREYS = {
    Surface.PART: 0.95,
    Surface.BLOCK: 0.50,
    Surface.CHAMFER: 0.40,
    Surface.WALL: 0.16,
    Surface.GROUND: 0.08,
    Surface.HOUSING: 0.66,
    Surface.GEAR: 0.72,
}
"""Albedos; the inside of a hole is darkened because the renderer casts no shadows (assumption)."""

# Motion

CONTROL_PERIOD_S = 0.048
"""The cycles of controllers, 2, 4, 8 and 12 ms, divide it."""
STEP_M = 0.7e-3
"""How far a full action moves the reference, along each axis of the tool: no faster than the force loop's
damper of some 1500 N s/m bears."""
TURN_RAD = 0.008
"""How far a full action turns it, about each axis."""

# Table, block and gripped part

TABLE_HALF_M = 0.15
BLOCK_HALF_M = 0.026
BLOCK_HEIGHT_M = 0.034
"""The block that a fixture is: half its width, and its height from the table to the mouth."""
GRASP_HEIGHT_M = 0.048
"""From the tip to the middle of the finger pads; 4 mm of air between fingertips and fixture when seated."""
PART_LENGTH_M = 0.060
"""Of pegs, plugs and gears, from the tip up."""

# Plugs and sockets

RIB_M = 1.5e-3
"""How far the polarity rib stands out: more than two clearances, or a plug turned by 180 degrees would enter.
A rib in the middle of a long side is how box headers are keyed; its size is an assumption."""
RIB_FRACTION = 0.3
"""Width of the rib over that of the plug (assumption)."""
HOUSING_M = (2.0e-3, 2.5e-3)
"""How much wider than the plug its housing is along x and along y, per side (assumption)."""
SHOULDER_M = 0.5e-3
"""From the mouth to the housing of a seated plug (assumption); the bottom of the socket stops the plug."""
FRAME_M = 3.0e-3
"""Width of the socket's own face around its mouth (assumption)."""

# Nuts and bolts

POINT_CHAMFER_M = 1.0e-3
NUT_RUNNER_LENGTH_M = 0.075
"""From the nut's face to the upper end of what the fingers hold."""
SOCKET_WALL_M = 3e-3
SOCKET_HEIGHT_M = 0.026
"""Upper end of the socket over the nut's face; below the fingertips."""
SOCKET_TAPER_M = 4e-3
"""Height over which the socket narrows to the body."""
SHAFT_DIAMETER_M = 0.022
"""The nut-runner's body between the fingers."""
MARK_M = (2e-3, 5e-3)
"""Depth and width of the mark on the socket that shows its turn."""
WASHER_M = 2e-3
"""Thickness of the washer, which is drawn only: on the bolt, the screw joint holds the nut."""

# Gears

LINE_RAD = 0.25 * np.pi
"""Direction of the first neighbour (assumption)."""
GEAR_SHOULDER_M = 2.0e-3
"""How high a shoulder stands over the plate, and how far it reaches around its shaft (assumption)."""
