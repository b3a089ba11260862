"""`python -m tools.seam_time`: how long the measurement of one profile of the laser line takes.

Prints processor time, which other programs on the machine hardly change. `--without-numba` hides numba.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

COLUMNS, REPEATS = 640, 50


def main() -> None:
    """Print the best time [ms] of each joint."""
    parser = argparse.ArgumentParser(prog="python -m tools.seam_time", description=__doc__)
    parser.add_argument("--without-numba", action="store_true")
    if parser.parse_args().without_numba:
        sys.modules["numba"] = None  # type: ignore[assignment]  # importing it fails
    from cellwright_perception.seam.cross_section import JOINTS
    from cellwright_perception.seam.line_profile import ProfileSensor
    from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

    sensor = ProfileSensor(SeamSensorGeometry(), COLUMNS)
    for joint in JOINTS:
        profile = _profile(joint)
        _report(f"profile of {COLUMNS} points, {joint}", lambda: sensor.measure(profile, joint))  # noqa: B023


def _report(name: str, measure: Callable[[], Any]) -> None:
    found, best_s = measure(), np.inf
    for _ in range(REPEATS):
        begin_s = time.process_time()
        measure()
        best_s = min(best_s, time.process_time() - begin_s)
    print(f"{name}: {best_s * 1e3:.3f} ms, confidence {found.confidence:.2f}")


def _profile(joint: str) -> NDArray[np.float64]:
    """Points of a joint with a gap, of 0.5 mm, and some scatter."""
    across = np.linspace(-0.0125, 0.0125, COLUMNS)
    up = abs(across)
    if joint == "butt":
        up = np.clip((abs(across) - 0.55e-3) / 0.6, -0.5e-3, 0.0)
        up[abs(across) < 0.25e-3] = np.nan
    else:
        under = (across > 0.0) & (across < 0.35e-3)
        up = np.where(under, -across, up)
    if joint == "lap":
        up = np.where(across > 4e-3, 8e-3 - across, up)
    scatter = np.random.default_rng(1).normal(0.0, 0.05e-3, COLUMNS)
    return np.column_stack([across, up + scatter])


if __name__ == "__main__":
    main()
