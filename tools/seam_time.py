"""`python -m tools.seam_time`: how long one seam profile takes, of 64 and of 640 columns.

Prints processor time, which other programs on the machine hardly change. `--without-numba` hides numba.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

ROWS, REPEATS = 64, 50


def main() -> None:
    """Print the best time [ms] of each joint and width."""
    parser = argparse.ArgumentParser(prog="python -m tools.seam_time", description=__doc__)
    parser.add_argument("--without-numba", action="store_true")
    if parser.parse_args().without_numba:
        sys.modules["numba"] = None  # type: ignore[assignment]  # importing it fails
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
            found, best_s = sensor.measure(image, joint), np.inf
            for _ in range(REPEATS):
                begin_s = time.process_time()
                sensor.measure(image, joint)
                best_s = min(best_s, time.process_time() - begin_s)
            print(f"{columns} columns, {joint}: {best_s * 1e3:.3f} ms, confidence {found.confidence:.2f}")


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
