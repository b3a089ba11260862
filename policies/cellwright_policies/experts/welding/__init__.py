"""Scripted weld experts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cellwright_policies.experts.expert import Expert
from cellwright_policies.experts.welding.adaptive_tracker import AdaptiveTracker
from cellwright_policies.experts.welding.oracle import Oracle
from cellwright_policies.experts.welding.seam_tracker import SeamTracker

WELD_SEAM: dict[str, Callable[[Sequence[str]], Expert]] = {
    "seam-tracker": lambda _: SeamTracker(),
    "adaptive-tracker": lambda _: AdaptiveTracker(),
    "oracle": Oracle,
}

__all__ = ["WELD_SEAM"]
