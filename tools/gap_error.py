"""`python -m tools.gap_error`: how well the seam sensor knows gap and place of the seam at the wire.

Welds episodes with an expert and prints the rms error [mm] of what the group `seam` says at the wire, for
each joint and for closed and open gaps, and the error of the gap against its confidence.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.part.product import JOINTS
from cellwright_envs.welding.privileged import NAMES
from cellwright_envs.welding.weld_seam import WeldSeam
from cellwright_perception.seam.line_tracker import PROFILE_POINTS
from cellwright_perception.seam.taught_path import along
from cellwright_policies.experts.welding.oracle import Oracle
from cellwright_policies.experts.welding.seam_tracker import SeamTracker

CLOSED_M = 0.2e-3
"""Gaps below this are reported as closed: heads on the market do not tell them from nothing."""
BANDS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FIRST_SEED = 500_000


class Errors(NamedTuple):
    """One row for each control step with the arc on; said minus true [m]."""

    joint: NDArray[np.int64]
    gap_m: NDArray[np.float64]
    """The true one."""
    gap_error_m: NDArray[np.float64]
    lateral_error_m: NDArray[np.float64]
    height_error_m: NDArray[np.float64]
    confidence: NDArray[np.float64]
    """Of the gap at the wire."""


def measured(
    *, product: str, disturbances: str, episodes: int, oracle: bool, first_seed: int = FIRST_SEED
) -> Errors:
    """Weld `episodes` and compare what the sensor says at the wire with the part."""
    env = WeldSeam(product=product, disturbances=disturbances, privileged=oracle)
    expert = Oracle(NAMES) if oracle else SeamTracker()
    rows = []
    for seed in range(first_seed, first_seed + episodes):
        observation, _ = env.reset(seed=seed)
        expert.reset(1)
        ended = False
        while not ended:
            action = expert.act_batch({name: group[None] for name, group in observation.items()})[0]
            observation, _, terminated, truncated, _ = env.step(action)
            ended = terminated or truncated
            if env.measurement.arc_on:
                rows.append(_row(env, observation["seam"]))
    env.close()
    joint, *columns = np.array(rows).T
    return Errors(joint.astype(np.int64), *columns)


def _row(env: WeldSeam, seam: NDArray[np.float32]) -> tuple[float, ...]:
    at_m, lateral_m, height_m = env.wire.torch
    part, shift_m = env.deviation, env.wire.seam_shift_m
    gap_m = along(part.gap_m, at_m)
    lateral, height, gap, _, confidence = seam[:-1:PROFILE_POINTS]
    return (
        JOINTS.index(env.product.joint),
        gap_m,
        float(gap) - gap_m,
        float(lateral) - (along(part.lateral_m, at_m) + shift_m[0] - lateral_m),
        float(height) - (along(part.height_m, at_m) + shift_m[1] - height_m),
        float(confidence),
    )


def rms_mm(error_m: NDArray[np.float64]) -> float:
    """Root of the mean square [mm]; NaN of nothing."""
    return float(np.sqrt(np.mean(error_m**2)) * 1e3) if len(error_m) else float("nan")


def table(errors: Errors) -> list[str]:
    """Lines of the report."""
    lines = [f"{'':24}{'steps':>8}{'gap':>8}{'lateral':>9}{'height':>8}  rms error [mm]"]
    is_closed = errors.gap_m < CLOSED_M
    everything = np.ones(len(errors.joint), dtype=bool)
    groups = [("all", everything), ("closed gaps", is_closed), ("open gaps", ~is_closed)]
    for number, joint in enumerate(JOINTS):
        of_joint = errors.joint == number
        groups += [
            (joint, of_joint),
            (f"{joint}, closed", of_joint & is_closed),
            (f"{joint}, open", of_joint & ~is_closed),
        ]
    for name, rows in groups:
        if rows.any():
            figures = [rms_mm(each[rows]) for each in errors[2:5]]
            lines.append(
                f"{name:24}{rows.sum():8d}{figures[0]:8.3f}{figures[1]:9.3f}{figures[2]:8.3f}"
                f"  95 % of gaps within {np.percentile(abs(errors.gap_error_m[rows]), 95) * 1e3:.3f}"
            )
    lines.append("confidence of the gap     share     gap  rms error [mm]")
    for low, high in pairwise(BANDS):
        rows = (errors.confidence >= low) & ((errors.confidence < high) | (high == BANDS[-1]))
        lines.append(
            f"{low:.1f} to {high:.1f}              {rows.mean():8.3f}{rms_mm(errors.gap_error_m[rows]):8.3f}"
        )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m tools.gap_error", description=__doc__)
    parser.add_argument("--product", default="all", help="a split or a product")
    parser.add_argument("--disturbances", default="train", help="a named set, or several joined by +")
    parser.add_argument("--episodes", type=int, default=60)
    parser.add_argument("--oracle", action="store_true", help="steer by the true seam, not by the measured")
    given = parser.parse_args()
    found = measured(
        product=given.product,
        disturbances=given.disturbances,
        episodes=given.episodes,
        oracle=given.oracle,
    )
    print(f"{given.disturbances}, {given.product}, {given.episodes} seeds from {FIRST_SEED}")
    print("\n".join(table(found)))


if __name__ == "__main__":
    main()
