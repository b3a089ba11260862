"""What the map of the seam ahead makes of many measurements, some of them wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cellwright_perception.seam.line_profile import LineMeasurement
from cellwright_perception.seam.seam_map import SeamMap

STEP_M = 0.25e-3


def measurement(**fields: Any) -> LineMeasurement:
    values = {"lateral_m": 0.0, "height_m": 0.0, "gap_m": 0.5e-3, "mismatch_m": 0.0}
    return LineMeasurement(**{**values, "confidence": 1.0, "gap_confidence": 1.0, **fields})


def filled(count: int = 100, **fields: Any) -> SeamMap:
    """A map with a measurement every `STEP_M`; a field may be a function of the measurement's number."""
    seam = SeamMap()
    for number in range(count):
        values = {name: each(number) if callable(each) else each for name, each in fields.items()}
        seam.push(number * STEP_M, measurement(**values))
    return seam


def at(seam: SeamMap, position_m: float) -> tuple[list[float], list[float]]:
    found = seam.sample(np.array([position_m]))
    return found.values_m[0].tolist(), found.confidence[0].tolist()


def test_straight_courses_are_given_back() -> None:
    seam = filled(
        lateral_m=lambda n: 1e-3 + 0.1 * n * STEP_M,
        height_m=lambda n: -0.05 * n * STEP_M,
        gap_m=lambda n: 0.4e-3 + 0.02 * n * STEP_M,
        mismatch_m=0.2e-3,
    )
    values, confidence = at(seam, 12e-3)
    np.testing.assert_allclose(values, [2.2e-3, -0.6e-3, 0.64e-3, 0.2e-3], atol=1e-6)
    assert min(confidence) > 0.99


def test_scatter_is_averaged() -> None:
    rng = np.random.default_rng(1)
    noise_m = rng.normal(0.0, 0.1e-3, 400)
    seam = filled(400, gap_m=lambda n: 0.5e-3 + noise_m[n])
    gaps = seam.sample(np.linspace(3e-3, 95e-3, 200)).values_m[:, 2]
    assert gaps.std() < 0.04e-3
    assert gaps.mean() == pytest.approx(0.5e-3 + noise_m.mean(), abs=0.005e-3)


def test_a_profile_with_spatter_in_it_is_outvoted() -> None:
    seam = filled(gap_m=lambda n: 2.5e-3 if n % 5 == 0 else 0.5e-3)
    (_, _, gap_m, _), (_, sure) = at(seam, 12e-3)
    assert gap_m == pytest.approx(0.5e-3, abs=0.01e-3)
    assert sure > 0.8


def test_confidence_tells_measurements_that_do_not_agree() -> None:
    rng = np.random.default_rng(1)
    wild_m = rng.uniform(0.0, 2e-3, 100)
    _, agreed = at(filled(), 12e-3)
    _, torn = at(filled(gap_m=lambda n: wild_m[n]), 12e-3)
    assert torn[1] < 0.6 * agreed[1]
    assert torn[0] == agreed[0]


def test_a_gap_under_a_tack_is_that_beside_it_with_less_confidence() -> None:
    seam = filled(
        160,
        gap_m=lambda n: 0.0 if 60 <= n < 110 else 0.3e-3 + 0.01 * n * STEP_M,
        gap_confidence=lambda n: 0.0 if 60 <= n < 110 else 1.0,
    )
    (_, _, gap_m, _), (place, sure) = at(seam, 85 * STEP_M)
    assert gap_m == pytest.approx(0.3e-3 + 0.01 * 85 * STEP_M, abs=0.02e-3)
    assert place > 0.99
    assert 0.1 < sure < 0.7


def test_beyond_what_was_measured_the_end_is_held_and_doubted() -> None:
    seam = filled(gap_m=0.7e-3)
    end_m = 99 * STEP_M
    (_, _, gap_m, _), confidence = at(seam, end_m + 4e-3)
    assert gap_m == pytest.approx(0.7e-3, abs=1e-6)
    assert 0.0 < max(confidence) < 0.3
    assert at(seam, end_m + 6e-3)[1] == [0.0, 0.0]


def test_nothing_is_known_before_the_first_measurement() -> None:
    assert at(SeamMap(), 0.0) == ([0.0] * 4, [0.0, 0.0])
    seam = filled()
    seam.reset()
    assert (len(seam), at(seam, 0.0)) == (0, ([0.0] * 4, [0.0, 0.0]))


def test_what_was_measured_moves_with_the_part() -> None:
    seam = filled(lateral_m=0.3e-3, height_m=0.1e-3)
    seam.move(1.5e-3, -0.5e-3)
    (lateral_m, height_m, gap_m, _), _ = at(seam, 12e-3)
    assert (lateral_m, height_m, gap_m) == pytest.approx((1.8e-3, -0.4e-3, 0.5e-3))


def test_a_torch_that_goes_back_measures_anew() -> None:
    seam = filled(gap_m=0.5e-3)
    for number in range(40, 100):
        seam.push(number * STEP_M, measurement(gap_m=0.9e-3))
    assert at(seam, 20e-3)[0][2] == pytest.approx(0.9e-3, abs=1e-6)
    assert at(seam, 5e-3)[0][2] == pytest.approx(0.5e-3, abs=1e-6)


def test_the_oldest_measurements_are_overwritten() -> None:
    seam = SeamMap(capacity=16)
    for number in range(50):
        seam.push(number * STEP_M, measurement(gap_m=1e-5 * number))
    assert len(seam) == 16
    assert at(seam, 47 * STEP_M)[0][2] == pytest.approx(47e-5, abs=2e-5)
    with pytest.raises(ValueError, match="capacity=2"):
        SeamMap(capacity=2)


def test_what_measures_nothing_is_not_kept() -> None:
    seam = SeamMap()
    seam.push(0.0, measurement(confidence=0.0))
    seam.push(0.0, measurement(gap_m=float("nan")))
    assert len(seam) == 0
    with pytest.raises(ValueError, match=r"must have shape \(N,\)"):
        seam.sample(np.zeros((2, 2)))
