"""Changes of a line whose strength is drawn, family by family; their ranges are assumptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

Values = tuple[float, ...]
_DIGITS = 6
"""Decimals of what is drawn: micrometres and microradians."""


class Range(NamedTuple):
    """An operation whose value lies between two others, number by number."""

    how: Literal["times", "plus"]
    low: Values
    high: Values

    def drawn(self, rng: np.random.Generator) -> dict[str, Any]:
        """The operation as a file has it."""
        values = [round(value, _DIGITS) for value in rng.uniform(self.low, self.high).tolist()]
        return {self.how: values if len(values) > 1 else values[0]}


class Ranged(NamedTuple):
    """A change of some fields."""

    description: str
    fields: Mapping[str, Range]

    def drawn(self, rng: np.random.Generator) -> dict[str, Any]:
        """The table `set` of a file."""
        return {name: each.drawn(rng) for name, each in self.fields.items()}


def _within(*amounts: float) -> Range:
    """Moved by at most `amounts`, either way."""
    return Range("plus", tuple(-amount for amount in amounts), amounts)


def _more(*amounts: float) -> Range:
    """Exactly so much more."""
    return Range("plus", amounts, amounts)


def _times(low: float, high: float) -> Range:
    return Range("times", (low,), (high,))


RANGES: Mapping[str, Mapping[str, Ranged]] = {
    "welding": {
        "fixture-clamped-anew": Ranged(
            "The fixture was clamped anew and stands elsewhere.",
            {
                "fixture_offset.mean_m": _within(2e-3, 2e-3, 0.8e-3),
                "fixture_offset.mean_yaw_rad": _within(0.01),
            },
        ),
        "gap-batch": Ranged(
            "The next plates fit worse.", {"gap_profile.mean_of_limit": Range("plus", (0.2,), (0.5,))}
        ),
        "thickness-batch": Ranged(
            "The next plates are thicker or thinner.", {"thickness_batch.mean_deviation": _within(0.06)}
        ),
        "dull-plate": Ranged("The next plates reflect less.", {"reflectance.mean_albedo": _times(0.6, 0.9)}),
        "weak-light": Ranged("The camera gets less light.", {"exposure.mean_gain": _times(0.5, 0.8)}),
        "camera-bumped": Ranged(
            "The camera was bumped and sits elsewhere.",
            {"camera_calibration.mean_translation_m": _within(0.4e-3, 0.4e-3, 0.4e-3)},
        ),
        "camera-replaced": Ranged(
            "Another camera of the same type is noisier and darker.",
            {
                "camera_calibration.mean_translation_m": _within(0.2e-3, 0.2e-3, 0.2e-3),
                "exposure.mean_gain": _times(0.75, 0.95),
                "sensor_noise.read_levels": _times(1.0, 2.0),
            },
        ),
        "bent-torch": Ranged(
            "The torch is bent after a collision.",
            {"tool_centre_point.mean_m": _within(0.8e-3, 1.2e-3, 0.8e-3)},
        ),
        "worn-tip": Ranged(
            "The contact tip is worn and the wire swings.", {"tool_centre_point.cast_m": _times(1.5, 2.5)}
        ),
        "new-controller": Ranged(
            "Another controller answers a control step later.", {"actuator_latency.steps": _more(1, 1)}
        ),
        "other-robot": Ranged(
            "Another robot of the same type has its own errors.",
            {
                "tool_centre_point.mean_m": _within(0.5e-3, 0.5e-3, 0.5e-3),
                "backlash.play_m": _more(0.02e-3, 0.05e-3),
            },
        ),
    },
    "assembly": {
        "fixture-clamped-anew": Ranged(
            "The fixture was clamped anew and stands elsewhere.",
            {
                "fixture_pose.mean_m": _within(2.5e-3, 2.5e-3, 1e-3),
                "fixture_pose.mean_yaw_rad": _within(0.035),
            },
        ),
        "tight-batch": Ranged(
            "The next parts fit tighter.", {"part_fit.clearance_factor": _times(0.85, 0.95)}
        ),
        "dry-batch": Ranged("The next parts are drier.", {"contact_friction.factor": _times(1.2, 1.8)}),
        "weak-light": Ranged(
            "Lamp and room give less light.",
            {"room_light.lamp_factor": _times(0.4, 0.8), "room_light.room_factor": _times(0.4, 0.8)},
        ),
        "camera-bumped": Ranged(
            "The camera on the hand was bumped and sits elsewhere.",
            {"hand_camera.mean_translation_m": _within(2e-3, 2e-3, 1e-3)},
        ),
        "camera-replaced": Ranged(
            "Another fixed camera of the same type sits elsewhere and is noisier.",
            {
                "fixed_camera.mean_translation_m": _within(2e-3, 2e-3, 2e-3),
                "sensor_noise.read_levels": _times(1.0, 2.0),
            },
        ),
        "worn-pads": Ranged("The pads of the fingers are worn.", {"grip_strength.factor": _times(0.5, 0.8)}),
        "new-controller": Ranged(
            "Another controller answers a control step later.", {"actuator_latency.steps": _more(1, 1)}
        ),
        "other-robot": Ranged(
            "Another robot of the same type has its own errors.",
            {
                "controller_gain.stiffness_factor": _times(0.8, 1.25),
                "controller_gain.motion_factor": _times(0.97, 1.03),
                "backlash.play_m": _more(0.02e-3, 0.05e-3),
                "arm_mass.factor": _times(0.8, 1.25),
            },
        ),
    },
}
