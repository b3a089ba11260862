"""`python -m tools.interface_time`: time of the robot's side of a control step, without policy and cell."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.interface.compliant_reference import InsertionInterface

STEPS = 4000


def main() -> None:
    """Print milliseconds a step, the median and what one in a hundred exceeds."""
    layout = Bundle.load(zoo.path("peg-insertion")).spec.layout
    interface = InsertionInterface(layout)
    tool = np.array([1e-3, -1e-3, 5e-3, 0.01, 0.02, 0.03])
    wrench, frames = np.array([1.0, 2.0, 3.0, 0.1, 0.2, 0.3]), np.zeros((2, 64, 64), np.uint8)
    action = np.array([0.5, -0.5, -1.0, 0.1, 0.2, 0.3], np.float32)
    interface.begin(tool, wrench)

    def step() -> None:
        interface.observe(tool, wrench, frames, force_limit_n=30.0)
        interface.move(tool, interface.command(action))

    median_ms, rare_ms = np.percentile(_taken_ms(step), [50, 99])
    print(f"insertion: {median_ms:.3f} ms a step, one of a hundred over {rare_ms:.3f} ms")


def _taken_ms(step: Callable[[], None]) -> list[float]:
    taken_ms = []
    for _ in range(STEPS):
        begin_s = time.perf_counter()
        step()
        taken_ms.append(1e3 * (time.perf_counter() - begin_s))
    return taken_ms


if __name__ == "__main__":
    main()
