"""Reward terms of insertions: bounded functions of what was measured."""

from __future__ import annotations


def alignment(lateral_m: float, yaw_error_rad: float) -> float:
    """Score alignment with the hole: 1 over it, 0.5 at 2 mm or turned by 0.1 rad, towards 0 beyond."""
    return 1.0 / (1.0 + (lateral_m / 2e-3) ** 2 + (yaw_error_rad / 0.1) ** 2)


def over_force(force_n: float, *, limit_n: float) -> float:
    """Penalise contact force: 0 up to 40 % of the limit, 1 at the limit and beyond."""
    return min(max((force_n / limit_n - 0.4) / 0.6, 0.0), 1.0)
