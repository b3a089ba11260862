"""Reward terms of welds: bounded functions of what was measured."""

from __future__ import annotations


def on_seam(lateral_m: float, *, tolerance_m: float) -> float:
    """Score wire placement: 1 on the seam, 0.1 at `tolerance_m`, towards 0 beyond."""
    return float(10.0 ** -((lateral_m / tolerance_m) ** 2))


def grade_score(violations: tuple[int, int, int]) -> float:
    """Score the bead laid now: 1 at level B, 0.7 at C, -3 at D, -4 below: one bad millimetre fails a part."""
    level_b, level_c, level_d = violations
    if level_d:
        return -4.0
    if level_c:
        return -3.0
    return 0.7 if level_b else 1.0
