"""`python -m tools.seam_time`: how long one stripe window takes, of 64 and of 640 columns, and one profile.

Prints processor time, which other programs on the machine hardly change. `--without-numba` hides numba.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS, REPEATS = 64, 50


def main() -> None:
    """Print the best time [ms] of each joint and width."""
    parser = argparse.ArgumentParser(prog="python -m tools.seam_time", description=__doc__)
    parser.add_argument("--without-numba", action="store_true")
    if parser.parse_args().without_numba:
        sys.modules["numba"] = None  # type: ignore[assignment]  # importing it fails
    from cellwright_perception.seam.line_profile import ProfileSensor
    from cellwright_perception.seam.measurement import JOINTS, SeamSensor
    from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

    for columns in (ROWS, 640):
        geometry = SeamSensorGeometry()
        wider = columns / ROWS
        stripe = replace(
            geometry.stripe,
            width=columns,
            fx=geometry.stripe.fx * wider,
            cx=(geometry.stripe.cx + 0.5) * wider - 0.5,
        )
        geometry.__dict__["stripe"] = stripe  # a sensor whose columns are finer than its rows
        sensor = SeamSensor(geometry)
        for joint in JOINTS:
            image = _image(joint, columns)
            _report(f"{columns} columns, {joint}", lambda: sensor.measure(image, joint))  # noqa: B023
    line = ProfileSensor(SeamSensorGeometry(), 640)
    for joint in JOINTS:
        profile = _profile(joint, 640)
        _report(f"profile of 640 points, {joint}", lambda: line.measure(profile, joint))  # noqa: B023


def _report(name: str, measure: Callable[[], Any]) -> None:
    found, best_s = measure(), np.inf
    for _ in range(REPEATS):
        begin_s = time.process_time()
        measure()
        best_s = min(best_s, time.process_time() - begin_s)
    print(f"{name}: {best_s * 1e3:.3f} ms, confidence {found.confidence:.2f}")


def _profile(joint: str, columns: int) -> NDArray[np.float64]:
    """Points of a joint with a gap, of 0.5 mm, and some scatter."""
    across = np.linspace(-0.0125, 0.0125, columns)
    up = abs(across)
    if joint == "butt":
        up = np.clip((abs(across) - 0.55e-3) / 0.6, -0.5e-3, 0.0)
        up[abs(across) < 0.25e-3] = np.nan
    else:
        under = (across > 0.0) & (across < 0.35e-3)
        up = np.where(under, -across, up)
    if joint == "lap":
        up = np.where(across > 4e-3, 8e-3 - across, up)
    scatter = np.random.default_rng(1).normal(0.0, 0.05e-3, columns)
    return np.column_stack([across, up + scatter])


def _image(joint: str, columns: int) -> NDArray[np.uint8]:
    """The laser line on a joint with a gap of some columns, as a sensor without noise sees it."""
    along = np.linspace(-1.0, 1.0, columns)
    if joint == "butt":
        line_px, dark = np.full(columns, 31.0), abs(along) < 0.06
    elif joint == "t_fillet":
        line_px, dark = 44.0 - 32.0 * abs(along), np.zeros(columns, dtype=bool)
    else:
        face = (along > 0.0) & (along < 0.25)
        line_px = np.where(
            face, 40.0 - 24.0 * along, np.where(along > 0.0, 28.0 + 24.0 * along, 40.0 + 24.0 * along)
        )
        dark = (along > 0.0) & (along < 0.03)
    light = 150.0 * np.exp(-0.5 * (np.arange(ROWS)[:, None] - line_px) ** 2) * ~dark
    return (20.0 + light).astype(np.uint8)


if __name__ == "__main__":
    main()
