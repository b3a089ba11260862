"""Seam tracking plus fill and heat adapted to the measured gap, as the better commercial systems do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellwright_assets.weld_cell import SPEED_TRIM, VOLTAGE_TRIM_V, WIRE_TRIM
from cellwright_perception.seam.line_tracker import PROFILE_POINTS
from cellwright_policies.experts.expert import Actions, Observations
from cellwright_policies.experts.welding.base import Programme, profile_at


@dataclass(frozen=True, kw_only=True)
class AdaptiveGains:
    """Tuned by `python -m cellwright_train.experts.tuning` on training seeds; per joint.

    Trims per gap deviation over plate thickness, in the order lap, T-fillet, butt.
    """

    speed: tuple[float, float, float] = (1.03, -0.44, 0.66)
    wire: tuple[float, float, float] = (1.30, 0.39, -0.54)
    voltage_v: tuple[float, float, float] = (3.48, 5.68, 1.37)
    speed_offset: tuple[float, float, float] = (0.142, -0.004, -0.055)
    """Constant trims: a shop also improves on the table for each joint type."""
    wire_offset: tuple[float, float, float] = (0.150, 0.098, 0.112)
    voltage_offset_v: tuple[float, float, float] = (1.50, 0.53, 1.15)
    preview_s: float = 0.3
    """How far ahead of the wire the gap is read, to cover the slew of wire feed and speed."""
    smallest_confidence: float = 0.35
    """Confidence of the seam below which the gap counts as the drawing's."""


class AdaptiveTracker:
    """A seam tracker that also changes speed, wire feed and voltage with the gap."""

    def __init__(self, gains: AdaptiveGains = AdaptiveGains()) -> None:
        self.gains = gains

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        """Nothing to forget: the controller itself follows the seam."""

    def act_batch(self, observations: Observations) -> Actions:
        actions = np.zeros((len(observations["seam"]), 5), dtype=np.float32)
        programme, gains = Programme(observations), self.gains
        gap_m = profile_at(
            observations["seam"][:, 2 * PROFILE_POINTS :], gains.preview_s * programme.travel_speed_m_s
        )
        seen = observations["seam"][:, -1] >= gains.smallest_confidence
        deviation = np.where(seen, (gap_m - programme.gap_m) / programme.thickness_m, 0.0)
        for column, (per_gap, offset, full_scale) in enumerate(
            (
                (gains.speed, gains.speed_offset, SPEED_TRIM),
                (gains.wire, gains.wire_offset, WIRE_TRIM),
                (gains.voltage_v, gains.voltage_offset_v, VOLTAGE_TRIM_V),
            )
        ):
            trim = np.array(per_gap)[programme.joint] * deviation + np.array(offset)[programme.joint]
            actions[:, 2 + column] = np.clip(trim / full_scale, -1.0, 1.0)
        return actions
