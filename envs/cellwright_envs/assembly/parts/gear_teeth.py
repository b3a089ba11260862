"""Teeth of spur gears: their visible outline, and the boxes that collide instead of them.

The boxes give a gear exactly the play between its neighbours that the backlash of the teeth gives.

"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from cellwright_assets.arithmetic import arccos, circle_points, inner, product, tan, turned
from cellwright_envs.assembly.parts.solids import about_z
from cellwright_envs.physics.world import Box

Array = NDArray[np.float64]

PRESSURE_RAD = math.radians(20.0)
"""Pressure angle of the basic rack of ISO 53, as are addendum and dedendum."""
ADDENDUM, DEDENDUM = 1.0, 1.25
"""Height of a tooth over and depth of a gap under the pitch circle, in modules."""
BOX_ADDENDUM = 0.6
"""The same of the boxes that collide. They do not taper, and would not mesh at the height of teeth."""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """The teeth of one gear."""

    module_m: float
    teeth: int
    backlash_m: float
    """Play of two such gears along the pitch circle; the teeth of each gear are thinner by half of it."""

    @property
    def pitch_rad(self) -> float:
        """From tooth to tooth."""
        return 2.0 * np.pi / self.teeth

    @property
    def pitch_radius_m(self) -> float:
        """Radius of the circle that rolls on that of the other gear."""
        return 0.5 * self.module_m * self.teeth

    @property
    def free_rad(self) -> float:
        """Angle by which it turns either way before its teeth touch those of a gear that stands still."""
        return 0.5 * self.backlash_m / self.pitch_radius_m

    @property
    def tip_m(self) -> float:
        """Radius of the tips."""
        return self.pitch_radius_m + ADDENDUM * self.module_m

    @property
    def root_m(self) -> float:
        """Radius of the ground between teeth."""
        return self.pitch_radius_m - DEDENDUM * self.module_m

    def outline(self, turn_rad: float = 0.0, *, fine: bool = False) -> Array:
        """Cross-section (K, 2) [m], counter-clockwise, a tooth in the direction `turn_rad`.

        Flanks are involutes, through nine points where `fine`, else straight through pitch circle and tip.
        """
        if fine:
            radii_m = np.linspace(self.root_m, self.tip_m, 9)
            half_rad = self._half_angle_rad(radii_m)
        else:
            radii_m = np.array([self.root_m, self.tip_m])
            at_pitch, at_tip = self._half_angle_rad(np.array([self.pitch_radius_m, self.tip_m]))
            below = (self.tip_m - radii_m) / (self.tip_m - self.pitch_radius_m)
            half_rad = at_tip + (at_pitch - at_tip) * below
        angles = np.concatenate([-half_rad, half_rad[::-1]])
        reach_m = np.concatenate([radii_m, radii_m[::-1]])
        middles = turn_rad + self.pitch_rad * np.arange(self.teeth)
        around = (middles[:, None] + angles).ravel()
        return np.tile(reach_m, self.teeth)[:, None] * circle_points(around)

    def _half_angle_rad(self, radius_m: Array) -> Array:
        """Half the thickness of a tooth, seen from the axis; below the base circle flanks are radial."""
        base_m = self.pitch_radius_m * math.cos(PRESSURE_RAD)
        pressure = arccos(np.minimum(base_m / radius_m, 1.0))
        at_pitch = (0.5 * np.pi * self.module_m - 0.5 * self.backlash_m) / (2.0 * self.pitch_radius_m)
        return np.asarray(at_pitch + _involute(PRESSURE_RAD) - (tan(pressure) - pressure))

    @property
    def box_tip_m(self) -> float:
        """Radius up to which a tooth is a box."""
        return self.pitch_radius_m + BOX_ADDENDUM * self.module_m

    def tooth_box(self, angle_rad: float, half_width_m: float, z_m: tuple[float, float]) -> Box:
        """A tooth as a box, around a gear at the origin."""
        inner_m, outer_m, turn = 0.9 * self.root_m, self.box_tip_m, about_z(angle_rad)
        centre = np.array([0.5 * (inner_m + outer_m), 0.0, 0.5 * (z_m[0] + z_m[1])])
        half = np.array([0.5 * (outer_m - inner_m), half_width_m, 0.5 * (z_m[1] - z_m[0])])
        return Box(half_m=half, centre_body=turned(turn, centre), rotation_body=turn)


def _involute(angle_rad: float) -> float:
    return math.tan(angle_rad) - angle_rad


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """The contact of the gear with one of its neighbours, seen from the gear's seat."""

    gear: Wheel
    neighbour: Wheel
    direction_rad: float
    """Of the neighbour's shaft."""
    tooth_first: bool
    """Whether a tooth of the gear points at the neighbour when seated, else a gap does."""

    @property
    def distance_m(self) -> float:
        """From shaft to shaft."""
        return self.gear.pitch_radius_m + self.neighbour.pitch_radius_m

    @property
    def centre_m(self) -> Array:
        """The neighbour's shaft (2,)."""
        return self.distance_m * circle_points(self.direction_rad)

    @property
    def neighbour_turn_rad(self) -> float:
        """Direction of one of the neighbour's teeth."""
        half = 0.5 if self.tooth_first else 0.0
        return self.direction_rad + np.pi + half * self.neighbour.pitch_rad

    @property
    def gear_teeth_rad(self) -> Array:
        """Directions of the gear's teeth that can touch this neighbour."""
        return self.direction_rad + self.gear.pitch_rad * _nearest(self.tooth_first)

    @property
    def neighbour_teeth_rad(self) -> Array:
        """Directions, from its own shaft, of the neighbour's teeth that can touch the gear."""
        return self.direction_rad + np.pi + self.neighbour.pitch_rad * _nearest(not self.tooth_first)

    @cached_property
    def half_width_m(self) -> float:
        """Half the width of the boxes, where gear's and neighbour's are alike, that leaves the free yaw."""
        reach_m, cosine = self._gaps()
        return float((reach_m / (1.0 + cosine)).min())

    def neighbour_half_width_m(self, gear_half_width_m: float) -> float:
        """Half the width of the neighbour's boxes, the gear's being given, that leaves the free yaw."""
        (gear_in, other_in), (gear_cos, other_cos) = self._gaps()
        touched_m = (gear_in - gear_half_width_m * gear_cos).min()
        touching_m = ((other_in - gear_half_width_m) / other_cos).min()
        return float(min(touched_m, touching_m))

    def _gaps(self) -> tuple[Array, Array]:
        """Possible contacts of gear and neighbour, with the gear turned as far as its play allows.

        For the gear's and the neighbour's teeth (2, n): how far the middle of the tip is from the middle line
        of each of the other's teeth, infinite where it does not reach it, and the cosine of the angle between
        both. A tip of half width v keeps off a tooth of half width w when the distance is w + v times this.
        """
        turned_rad = self.gear_teeth_rad + self.gear.free_rad
        gear_tips, gear_axes = _tips(self.gear, turned_rad, np.zeros(2))
        other_tips, other_axes = _tips(self.neighbour, self.neighbour_teeth_rad, self.centre_m)
        pairs = (
            (gear_tips, gear_axes, other_tips, other_axes),
            (other_tips, other_axes, gear_tips, gear_axes),
        )
        distances, cosines = zip(*(_from_axes(*pair) for pair in pairs), strict=True)
        return np.array(distances), np.array(cosines)


def _tips(wheel: Wheel, angles_rad: Array, centre_m: Array) -> tuple[Array, Array]:
    """Middles of the boxes' tips (n, 2) and the directions of their axes (n, 2)."""
    axes = circle_points(angles_rad)
    return centre_m + wheel.box_tip_m * axes, axes


def _from_axes(tips: Array, axes: Array, other_tips: Array, other_axes: Array) -> tuple[Array, Array]:
    """Distances of tips from the axes of the other's teeth, and cosines between axes, flat."""
    away = tips[:, None] - other_tips
    below = inner(away, other_axes) < 0.0
    across = away[..., 0] * other_axes[:, 1] - away[..., 1] * other_axes[:, 0]
    distance_m = np.where(below, np.abs(across), np.inf)
    return distance_m.ravel(), np.abs(product(axes, other_axes.T)).ravel()


def _nearest(tooth_first: bool) -> Array:
    """Places, in pitches from the line of shafts, of the teeth that reach into the other gear.

    Further ones do not as long as the gear is turned by less than a pitch.
    """
    return np.array([-1.0, 0.0, 1.0]) if tooth_first else np.array([-1.5, -0.5, 0.5, 1.5])
