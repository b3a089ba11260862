"""Scripted weld experts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cellwright_policies.experts.expert import Expert
from cellwright_policies.experts.welding.adaptive_tracker import AdaptiveTracker
from cellwright_policies.experts.welding.oracle import Oracle, TrackedOracle
from cellwright_policies.experts.welding.seam_tracker import SeamTracker
from cellwright_policies.experts.welding.taught_program import TaughtProgram

WELD_SEAM: dict[str, Callable[[Sequence[str]], Expert]] = {
    "taught-program": lambda _: TaughtProgram(),
    "seam-tracker": lambda _: SeamTracker(),
    "adaptive-tracker": lambda _: AdaptiveTracker(),
    "oracle": Oracle,
}

NEXT_WELD_SEAM: dict[str, Callable[[Sequence[str]], Expert]] = {
    "taught-program": lambda _: TaughtProgram(),
    "seam-tracker": lambda _: SeamTracker(controller_tracks=True),
    "adaptive-tracker": lambda _: AdaptiveTracker(controller_tracks=True),
    "oracle": TrackedOracle,
}
"""Those of WeldSeam-v1, whose controller follows the measured seam itself."""

__all__ = ["NEXT_WELD_SEAM", "WELD_SEAM"]
