"""The pool camera: the weld pool from above, in the near infrared, behind the arc."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.disturbances.exposure import apply_effects
from cellwright_envs.welding.disturbances import WeldDisturbanceState
from cellwright_envs.welding.process.columns import State
from cellwright_envs.welding.process.pool import PoolShape, pool_shape
from cellwright_perception.compiled import compiled_as

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

ACROSS_M_PX, ALONG_M_PX = 0.3e-3, 0.5e-3
"""Size of a pixel across and along the seam, rectified to the plate's plane: 19 by 32 mm at 64 pixels."""
ARC_ROW_FRACTION = 0.15
"""Where the arc stands, as a fraction of the image's height; travel is upwards."""
PERIOD_STEPS = 2
"""Control steps from picture to picture: 12.5 Hz, within the 5 to 20 Hz that filtering leaves."""
FLASH_RADIUS_PX = 60.0
"""A picture in which the arc flashes is white this far."""
_MEMORY = 0.5
"""Correlation of the noise from one picture to the next (assumption)."""


@dataclass(frozen=True, kw_only=True)
class PoolLighting:
    """Brightness in the near infrared, in counts of 255; engineering assumptions."""

    pool: float = 120.0
    """The pool's own glow at the arc."""
    tail_fraction: float = 0.65
    """Fraction of it at the tail, which is just liquid."""
    solid: float = 55.0
    """The bead just behind the tail."""
    cooling_m: float = 0.010
    """Distance over which the bead's glow falls to 1/e."""
    arc: float = 110.0
    """Arc light on a surface that faces it, under the arc."""
    arc_height_m: float = 4e-3
    """Height of the arc's middle above the pool."""
    arc_reach_m: float = 9e-3
    """Distance over which its light falls to one half."""


@compiled_as(error_model="numpy")
def _draw(  # type: ignore[no-untyped-def]
    out, centre_px, arc_row, width_m, length_m, height_m,
    pool, tail, solid, cooling_m, arc, arc_height_m, reach_m,
):  # fmt: skip
    """Draw a drop-shaped pool: half an ellipse before the arc, a longer one behind it; its surface is a
    paraboloid of height `height_m`, lit by the arc."""
    rows, columns = out.shape
    half, front = 0.5 * width_m, 0.4 * width_m
    behind = max(length_m - front, 0.5 * half)
    for row in range(rows):
        x = (arc_row - row) * ALONG_M_PX  # ahead of the arc
        scale = front if x > 0.0 else behind
        for column in range(columns):
            y = (centre_px - column) * ACROSS_M_PX
            u, w = x / scale, y / half
            inside = 1.0 - u * u - w * w
            slope_x = slope_y = 0.0
            if inside > 0.0:
                back = -u if u < 0.0 else 0.0
                glow = pool * (1.0 - (1.0 - tail) * back)
                slope_x, slope_y = -2.0 * height_m * u / scale, -2.0 * height_m * w / half
            else:
                glow = 0.0
                if abs(w) < 1.0 and x < 0.0:
                    past = -x - behind * math.sqrt(max(1.0 - w * w, 0.0))
                    glow = solid * math.exp(-max(past, 0.0) / cooling_m)
            # Light of the arc at (0, 0, arc_height_m) on a surface with these slopes
            squared = x * x + y * y + arc_height_m * arc_height_m
            facing = (x * slope_x + y * slope_y + arc_height_m) / math.sqrt(
                squared * (1.0 + slope_x * slope_x + slope_y * slope_y)
            )
            lit = arc * max(facing, 0.0) / (1.0 + (x * x + y * y) / (reach_m * reach_m))
            level = glow + (lit if inside > 0.0 else 0.3 * lit)
            out[row, column] = np.uint8(min(max(level, 0.0), 255.0))


class PoolPicture(NamedTuple):
    """A picture of the pool as it arrives."""

    image: Image
    """(size, size) uint8."""
    exposed_s: float
    """When it was exposed, on the clock of the episode."""


class PoolCamera:
    """Takes pictures of the pool, which arrive late."""

    def __init__(self, size_px: int, lighting: PoolLighting) -> None:
        self._lighting = lighting
        self._size_px = size_px

    def begin(self, disturbed: WeldDisturbanceState) -> None:
        """Start an episode; until the first picture arrives the image is black."""
        view = disturbed.pool_view
        self._disturbed = disturbed
        self._rng = np.random.default_rng(view.seed)
        self._noise = self._rng.standard_normal(5)
        first = PoolPicture(self._black(), 0.0)
        self._pictures: deque[PoolPicture] = deque(
            [first] * (view.latency_steps + 1), maxlen=view.latency_steps + 1
        )
        self._steps = 0

    def take(
        self, state: Array, constants: Array, *, lateral_m: float, arc_on: bool, time_s: float
    ) -> PoolPicture:
        """Expose where it is time; the newest picture that has arrived.

        `state` (State,) and `constants` (Constant,) are rows of the process; `lateral_m` is how far the pool
        lies to the left of the torch's axis.
        """
        if self._steps % PERIOD_STEPS == 0:
            image = self._exposed(state, constants, lateral_m, arc_on=arc_on, time_s=time_s)
            self._pictures.append(PoolPicture(image, time_s))
        else:
            self._pictures.append(self._pictures[-1])
        self._steps += 1
        return self._pictures[0]

    def _exposed(
        self, state: Array, constants: Array, lateral_m: float, *, arc_on: bool, time_s: float
    ) -> Image:
        picture, arc_row = self._black(), ARC_ROW_FRACTION * self._size_px
        view = self._disturbed.pool_view
        self._noise *= _MEMORY
        self._noise += math.sqrt(1.0 - _MEMORY * _MEMORY) * self._rng.standard_normal(5)
        useless = self._rng.random() < view.useless
        pool_px, arc_px = (
            self._column(lateral_m - view.mounting_m + view.wander_m * float(noise))
            for noise in self._noise[3:]
        )
        if arc_on and state[State.BEAD_WIDTH_M] > 0.0:
            shape, light = self._seen(state, constants), self._lighting
            _draw(
                picture, pool_px, arc_row, shape.width_m, shape.length_m, shape.height_m,
                light.pool, light.tail_fraction, light.solid, light.cooling_m,
                light.arc, light.arc_height_m, light.arc_reach_m,
            )  # fmt: skip
        effects = self._disturbed.frame_effects(arc_on=arc_on, time_s=time_s)._replace(false_line_level=0.0)
        if useless and arc_on:
            effects = effects._replace(
                glare_radius_low_px=FLASH_RADIUS_PX, glare_radius_high_px=FLASH_RADIUS_PX
            )
        return apply_effects(picture, effects, rng=self._rng, arc_px=np.array([arc_px, arc_row]))

    def _seen(self, state: Array, constants: Array) -> PoolShape:
        """The pool as this picture shows it, with its noise."""
        view = self._disturbed.pool_view
        shape = pool_shape(
            state,
            constants,
            length_m_w=view.length_m_w,
            widening=view.widening,
            lengthening=view.lengthening,
            sag_m=view.sag_m,
        )
        wide, long, high_m = (
            bias + sigma * float(noise)
            for bias, sigma, noise in zip(view.bias, view.sigma, self._noise[:3], strict=True)
        )
        return PoolShape(
            width_m=shape.width_m * max(1.0 + wide, 0.5),
            length_m=shape.length_m * max(1.0 + long, 0.5),
            height_m=shape.height_m + high_m,
        )

    def _column(self, left_m: float) -> float:
        """Where what lies so far to the left of the camera is seen [px]."""
        return 0.5 * (self._size_px - 1) - left_m / ACROSS_M_PX

    def _black(self) -> Image:
        return np.zeros((self._size_px, self._size_px), dtype=np.uint8)
