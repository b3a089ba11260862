"""Measuring joints in exactly rendered stripe images."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from cellwright_perception.seam.measurement import JOINTS, SeamMeasurement, SeamSensor
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

GEOMETRY = SeamSensorGeometry()
NOTHING = SeamMeasurement(lateral_m=0.0, height_m=0.0, gap_m=0.0, mismatch_m=0.0, confidence=0.0)
BOUND_M = {
    "lap": (0.03e-3, 0.02e-3, 0.25e-3),
    "t_fillet": (0.03e-3, 0.02e-3, 0.25e-3),
    "butt": (0.10e-3, 0.04e-3, 0.20e-3),
}
"""Largest error of lateral, height and gap without glare, smoke or spatter."""


@pytest.fixture(scope="module")
def sensor() -> SeamSensor:
    return SeamSensor(GEOMETRY)


def seam_height_m(joint: Any) -> float:
    """The seam point of a butt joint is at the mean of both tops."""
    return float(joint.height_m + (0.5 * joint.mismatch_m if joint.kind == "butt" else 0.0))


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("kind", JOINTS)
def test_a_joint_anywhere_in_the_window_is_measured(
    sensor: SeamSensor, laser: ModuleType, kind: str, mirrored: bool
) -> None:
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        joint = laser.Joint(
            kind=kind,
            lateral_m=rng.uniform(-3e-3, 3e-3),
            height_m=rng.uniform(-2e-3, 2e-3),
            gap_m=rng.uniform(0.0, 1.0e-3),
            roll_rad=rng.uniform(-0.1, 0.1) if kind != "butt" else 0.0,
            mirrored=mirrored,
        )
        found = sensor.measure(laser.render(joint, rng), kind, mirrored=mirrored)
        assert found.confidence > 0.5
        errors.append(
            [
                found.lateral_m - joint.lateral_m,
                found.height_m - seam_height_m(joint),
                found.gap_m - joint.gap_m,
            ]
        )
    p95_m = np.percentile(np.abs(errors), 95, axis=0)
    assert np.all(p95_m <= BOUND_M[kind]), f"p95 of lateral, height, gap {(p95_m * 1e3).round(3)} mm"


@pytest.mark.parametrize("mismatch_m", [-0.4e-3, 0.0, 0.4e-3])
@pytest.mark.parametrize("mirrored", [False, True])
def test_the_step_of_a_butt_joint_is_measured_with_its_sign(
    sensor: SeamSensor, laser: ModuleType, mismatch_m: float, mirrored: bool
) -> None:
    joint = laser.Joint(kind="butt", gap_m=0.8e-3, mismatch_m=mismatch_m, mirrored=mirrored)
    found = sensor.measure(laser.render(joint, np.random.default_rng(1)), "butt", mirrored=mirrored)
    # The left plate over the right one; a mirrored joint has its plates swapped.
    expected_m = -mismatch_m if mirrored else mismatch_m
    assert found.mismatch_m == pytest.approx(expected_m, abs=0.05e-3)


@pytest.mark.parametrize("kind", JOINTS)
def test_a_wider_gap_measures_wider(sensor: SeamSensor, laser: ModuleType, kind: str) -> None:
    gaps = [
        sensor.measure(
            laser.render(laser.Joint(kind=kind, gap_m=gap_m), np.random.default_rng(2), samples=2), kind
        ).gap_m
        for gap_m in (0.0, 0.6e-3, 1.2e-3, 1.8e-3)
    ]
    np.testing.assert_allclose(gaps, [0.0, 0.6e-3, 1.2e-3, 1.8e-3], atol=0.25e-3)
    assert np.all(np.diff(gaps) > 0.3e-3)


@pytest.mark.parametrize("opening_deg", [70.0, 110.0])
def test_a_web_that_is_not_square_to_its_base_is_measured_once_the_angle_is_known(
    sensor: SeamSensor, laser: ModuleType, opening_deg: float
) -> None:
    opening_rad = float(np.deg2rad(opening_deg))
    joint = laser.Joint(kind="t_fillet", lateral_m=0.5e-3, opening_rad=opening_rad)
    image = laser.render(joint, np.random.default_rng(8))
    known = sensor.measure(image, "t_fillet", opening_rad=opening_rad)
    assert known.lateral_m == pytest.approx(joint.lateral_m, abs=0.05e-3)
    assert known.height_m == pytest.approx(0.0, abs=0.05e-3)
    taken_for_square = sensor.measure(image, "t_fillet")
    assert abs(taken_for_square.height_m) > 0.3e-3


@pytest.mark.parametrize("kind", JOINTS)
def test_an_image_without_a_line_measures_nothing(sensor: SeamSensor, kind: str) -> None:
    assert sensor.measure(np.zeros((64, 64), np.uint8), kind) == NOTHING
    assert sensor.measure(np.full((64, 64), 255, np.uint8), kind) == NOTHING


@pytest.mark.parametrize("kind", JOINTS)
def test_noise_alone_is_not_believed(sensor: SeamSensor, kind: str) -> None:
    rng = np.random.default_rng(3)
    believed = [
        sensor.measure(rng.integers(0, 256, (64, 64), dtype=np.uint8), kind).confidence for _ in range(40)
    ]
    assert np.mean(np.array(believed) > 0.2) <= 0.05


def test_a_plain_plate_shows_no_butt_joint(sensor: SeamSensor, laser: ModuleType) -> None:
    plate = laser.Joint(kind="butt", lateral_m=-30e-3)
    assert sensor.measure(laser.render(plate, np.random.default_rng(4)), "butt").confidence == 0.0


@pytest.mark.parametrize("kind", JOINTS)
def test_one_image_is_one_measurement_whatever_was_measured_before(
    sensor: SeamSensor, laser: ModuleType, kind: str
) -> None:
    image = laser.render(laser.Joint(kind=kind, gap_m=0.5e-3), np.random.default_rng(5))
    first = sensor.measure(image, kind)
    for other in JOINTS:
        sensor.measure(laser.render(laser.Joint(kind=other, lateral_m=2e-3), np.random.default_rng(6)), other)
    assert sensor.measure(image, kind) == first == SeamSensor(GEOMETRY).measure(image, kind)


@pytest.mark.parametrize("kind", JOINTS)
@pytest.mark.parametrize("window_px", [(8.0, 0.0), (-5.0, 6.0)])
def test_a_moved_window_measures_the_same_joint(
    sensor: SeamSensor, laser: ModuleType, kind: str, window_px: tuple[float, float]
) -> None:
    joint = laser.Joint(kind=kind, gap_m=0.5e-3, lateral_m=0.5e-3)
    still = sensor.measure(laser.render(joint, np.random.default_rng(7)), kind)
    columns, rows = (int(shift) for shift in window_px)
    # Beyond the edge there is only dark: the moved read-out sees part of the same image.
    image = np.roll(laser.render(joint, np.random.default_rng(7)), (-rows, -columns), axis=(0, 1))
    moved = sensor.measure(image, kind, window_px=window_px)
    for name in ("lateral_m", "height_m", "gap_m"):
        assert getattr(moved, name) == pytest.approx(getattr(still, name), abs=0.1e-3)


@pytest.mark.parametrize("joint", ["fillet", "", "LAP"])
def test_an_unknown_joint_is_refused_with_those_there_are(sensor: SeamSensor, joint: str) -> None:
    with pytest.raises(ValueError, match="choose one of lap, t_fillet, butt"):
        sensor.measure(np.zeros((64, 64), np.uint8), joint)


def test_an_image_of_another_size_is_refused(sensor: SeamSensor) -> None:
    with pytest.raises(ValueError, match=r"\(64, 64\), got \(32, 64\)"):
        sensor.measure(np.zeros((32, 64), np.uint8), "lap")
    larger = SeamSensor(replace(GEOMETRY, image_size_px=80))
    assert larger.measure(np.zeros((80, 80), np.uint8), "lap") == NOTHING
