"""What is compared of two parts of a family, and how much worse is still no regression."""

from __future__ import annotations

from collections.abc import Mapping

from cellwright_train.regression.measure import Measure
from cellwright_train.results.result import EpisodeResult

SUCCESS_MARGIN = 0.1
"""Drop of the fraction of good parts: what about a hundred pairs can exclude."""
MEASURES: dict[str, tuple[Measure, ...]] = {
    "welding": (
        # A hundredth of a seam of 160 to 380 mm, and a tenth of the wire's diameter.
        Measure(name="defect_mm", unit="mm", margin=2.0, worse="more"),
        Measure(name="tracking_mean_mm", unit="mm", margin=0.1, worse="more"),
        # 2 % of a part that takes 20 s.
        Measure(name="cycle_time_s", unit="s", margin=0.4, worse="more"),
    ),
    "assembly": (
        # A third of the usual clearance, a thirtieth of the usual force limit.
        Measure(name="lateral_mm", unit="mm", margin=0.1, worse="more"),
        Measure(name="peak_force_n", unit="N", margin=1.0, worse="more"),
        Measure(name="cycle_time_s", unit="s", margin=0.2, worse="more"),
    ),
}
"""By `CellEnv.family`; the names are those of the results' fields."""


def values(result: EpisodeResult, measures: tuple[Measure, ...]) -> Mapping[str, float | None]:
    """The measures of a part. A part that is not good has no cycle time: it may have ended early."""
    return {
        measure.name: None
        if measure.name == "cycle_time_s" and not result.good
        else float(getattr(result, measure.name))
        for measure in measures
    }
