"""Laser seam tracking: the measured seam, delayed by the look-ahead, drives a PI correction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cellwright_assets.weld_cell import CONTROL_PERIOD_S, CORRECTION_RATE_M_S
from cellwright_perception.seam.tracker import PROFILE_POINTS
from cellwright_policies.experts.expert import Actions, Observations
from cellwright_policies.experts.welding.base import Programme, profile_at


@dataclass(frozen=True, kw_only=True)
class TrackerGains:
    """Tuned by `python -m cellwright_train.experts.tuning seam-tracker` on training seeds."""

    proportional_1_s: float = 2.8
    """Correction rate per error."""
    integral_1_s2: float = 0.0
    preview_s: float = 0.165
    """How far ahead of the wire the profile is read, to cover servo lag and latency."""
    smallest_confidence: float = 0.35
    """Confidence below which the correction holds still."""


class SeamTracker:
    """The usual controller with a laser seam sensor: follows the joint sideways and in height."""

    def __init__(self, gains: TrackerGains = TrackerGains(), *, controller_tracks: bool = False) -> None:
        """`controller_tracks` says that the controller below follows the measured seam itself."""
        self.gains = gains
        self._controller_tracks = controller_tracks
        self._integral_m_s = np.zeros((0, 2))

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        if indices is None or len(self._integral_m_s) != cells:
            self._integral_m_s = np.zeros((cells, 2))
        else:
            self._integral_m_s[list(indices)] = 0.0

    def act_batch(self, observations: Observations) -> Actions:
        seam, programme = observations["seam"], Programme(observations)
        if len(self._integral_m_s) != len(seam):
            self.reset(len(seam))
        gains = self.gains
        ahead_m = gains.preview_s * programme.travel_speed_m_s
        errors = np.stack(
            [
                profile_at(seam, ahead_m),
                profile_at(seam[:, PROFILE_POINTS:], ahead_m),
            ],
            axis=1,
        )
        errors[seam[:, -1] < gains.smallest_confidence] = 0.0
        self._integral_m_s += gains.integral_1_s2 * errors * CONTROL_PERIOD_S
        limit = 0.2 * CORRECTION_RATE_M_S
        np.clip(self._integral_m_s, -limit, limit, out=self._integral_m_s)
        rates = gains.proportional_1_s * errors + self._integral_m_s
        actions = np.zeros((len(seam), 5), dtype=np.float32)
        if self._controller_tracks:
            return actions
        actions[:, :2] = np.clip(rates / CORRECTION_RATE_M_S, -1.0, 1.0)
        return actions
