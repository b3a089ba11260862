"""Joints measured in profiles of many columns: exact ones, scattered ones, and with something in the way."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_perception.seam.line_profile import ProfileSensor
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry

Array = NDArray[np.float64]
GEOMETRY = SeamSensorGeometry()
COLUMNS = 640
JOINTS = ("lap", "t_fillet", "butt")


@pytest.fixture(scope="module")
def sensor() -> ProfileSensor:
    return ProfileSensor(GEOMETRY, COLUMNS)


def profile_of(joint: Any) -> Array:
    """The nearest surface in each column's ray (columns, 2) [m], from the joint's surfaces in closed form."""
    turn = GEOMETRY.camera_from_tool
    eye_z = -(turn[2, 0] * GEOMETRY.look_ahead_m + turn[2, 3]) / turn[2, 2]
    slopes = (np.arange(COLUMNS) - 0.5 * (COLUMNS - 1)) * (25e-3 / COLUMNS) / eye_z
    profile = np.full((COLUMNS, 2), np.nan)
    for (y0, z0), (y1, z1) in joint.surfaces_t():
        # y = slope (eye - z) meets the segment where its parameter is within 0..1.
        from_ray_0, from_ray_1 = (y - slopes * (eye_z - z) for y, z in ((y0, z0), (y1, z1)))
        with np.errstate(divide="ignore", invalid="ignore"):
            part = from_ray_0 / (from_ray_0 - from_ray_1)
        z = z0 + part * (z1 - z0)
        nearer = (part >= 0.0) & (part <= 1.0) & ~(z <= profile[:, 1])
        profile[nearer, 0] = (slopes * (eye_z - z))[nearer]
        profile[nearer, 1] = z[nearer]
    return profile


def scattered(profile: Array, rng: np.random.Generator, *, sigma_m: float, missing: float = 0.02) -> Array:
    out = profile.copy()
    out[:, 1] += rng.normal(0.0, sigma_m, len(out))
    out[rng.random(len(out)) < missing] = np.nan
    return out


@pytest.mark.parametrize("gap_m", [0.0, 0.3e-3, 1.0e-3, 2.0e-3])
@pytest.mark.parametrize("kind", JOINTS)
@pytest.mark.parametrize("roll_rad", [0.0, 0.1])
def test_an_exact_profile_is_measured_to_a_column(
    laser: ModuleType, sensor: ProfileSensor, kind: str, gap_m: float, roll_rad: float
) -> None:
    joint = laser.Joint(kind=kind, gap_m=gap_m, roll_rad=roll_rad, lateral_m=1.2e-3, height_m=-0.7e-3)
    found = sensor.measure(profile_of(joint), kind)
    assert found.confidence > 0.5
    assert found.gap_confidence > 0.5
    assert found.lateral_m == pytest.approx(1.2e-3, abs=0.02e-3)
    assert found.height_m == pytest.approx(-0.7e-3, abs=0.02e-3)
    assert found.gap_m == pytest.approx(gap_m, abs=0.04e-3)


@pytest.mark.parametrize("mismatch_m", [-0.5e-3, 0.3e-3])
def test_mismatch_is_the_left_plate_above_the_right(
    laser: ModuleType, sensor: ProfileSensor, mismatch_m: float
) -> None:
    joint = laser.Joint(kind="butt", gap_m=0.8e-3, mismatch_m=mismatch_m)
    found = sensor.measure(profile_of(joint), "butt")
    assert found.mismatch_m == pytest.approx(mismatch_m, abs=0.01e-3)
    assert found.gap_m == pytest.approx(0.8e-3, abs=0.04e-3)


@pytest.mark.parametrize("kind", JOINTS)
def test_on_matt_steel_a_gap_is_known_to_a_tenth(laser: ModuleType, sensor: ProfileSensor, kind: str) -> None:
    rng = np.random.default_rng(3)
    errors, laterals = [], []
    for _ in range(80):
        gap_m = rng.uniform(0.3e-3, 1.5e-3)
        joint = laser.Joint(
            kind=kind, gap_m=gap_m, lateral_m=rng.uniform(-2e-3, 2e-3), roll_rad=rng.uniform(-0.1, 0.1)
        )
        found = sensor.measure(scattered(profile_of(joint), rng, sigma_m=0.06e-3), kind)
        assert found.confidence > 0.3
        errors.append(found.gap_m - gap_m)
        laterals.append(found.lateral_m - joint.lateral_m)
    assert np.sqrt(np.mean(np.square(errors))) < 0.1e-3
    assert np.sqrt(np.mean(np.square(laterals))) < 0.05e-3


@pytest.mark.parametrize("kind", ["lap", "t_fillet"])
def test_a_tack_hides_the_gap_and_leaves_the_seam(
    laser: ModuleType, sensor: ProfileSensor, kind: str
) -> None:
    joint = laser.Joint(kind=kind, gap_m=0.5e-3)
    clean = profile_of(joint)
    open_joint = sensor.measure(clean, kind)
    tacked = clean.copy()
    tacked[:, 1] = np.maximum(clean[:, 1], 0.8e-3)  # level from leg to leg
    found = sensor.measure(tacked, kind)
    assert open_joint.gap_confidence == open_joint.confidence
    assert found.gap_confidence == 0.0
    assert found.confidence > 0.5
    assert found.lateral_m == pytest.approx(0.0, abs=0.05e-3)


def test_a_groove_that_weld_metal_fills_is_not_measured(laser: ModuleType, sensor: ProfileSensor) -> None:
    filled = profile_of(laser.Joint(kind="butt", gap_m=0.5e-3))
    filled[:, 1] = np.where(np.abs(filled[:, 0]) < 1.5e-3, 0.3e-3, filled[:, 1])
    filled[:, 1] = np.where(np.isnan(filled[:, 1]), 0.3e-3, filled[:, 1])
    filled[:, 0] = np.where(np.isnan(filled[:, 0]), 0.0, filled[:, 0])
    assert sensor.measure(filled, "butt").confidence == 0.0


@pytest.mark.parametrize("kind", JOINTS)
def test_spatter_on_a_tenth_of_the_line_moves_nothing(
    laser: ModuleType, sensor: ProfileSensor, kind: str
) -> None:
    joint = laser.Joint(kind=kind, gap_m=0.8e-3)
    spoilt = profile_of(joint)
    spoilt[100:160, 1] += np.linspace(-3e-3, 3e-3, 60)
    found = sensor.measure(spoilt, kind)
    assert found.lateral_m == pytest.approx(0.0, abs=0.03e-3)
    assert found.gap_m == pytest.approx(0.8e-3, abs=0.05e-3)


@pytest.mark.parametrize("kind", JOINTS)
def test_what_is_no_joint_has_no_confidence(sensor: ProfileSensor, kind: str) -> None:
    rng = np.random.default_rng(2)
    nowhere = np.full((COLUMNS, 2), np.nan)
    noise = np.column_stack([np.linspace(-0.0125, 0.0125, COLUMNS), rng.uniform(-0.01, 0.01, COLUMNS)])
    for profile in (nowhere, noise):
        found = sensor.measure(profile, kind)
        assert found.confidence == found.gap_confidence == found.lateral_m == found.gap_m == 0.0


def test_a_joint_beyond_the_search_is_not_taken(laser: ModuleType, sensor: ProfileSensor) -> None:
    for kind in JOINTS:
        profile = profile_of(laser.Joint(kind=kind, gap_m=0.5e-3, lateral_m=3e-3))
        assert sensor.measure(profile, kind, search=(2e-3, 2e-3)).confidence > 0.5
        assert sensor.measure(profile, kind, search=(0.0, 2e-3)).confidence == 0.0


def test_a_gap_cut_aslant_is_given_across_the_seam(laser: ModuleType, sensor: ProfileSensor) -> None:
    for kind in ("lap", "t_fillet"):
        profile = profile_of(laser.Joint(kind=kind, gap_m=1.0e-3))
        assert sensor.measure(profile, kind, gap_fraction=0.8).gap_m == pytest.approx(0.8e-3, abs=0.04e-3)
    aslant = replace(laser.Joint(kind="butt"), gap_m=1.0e-3)
    # Seen aslant, gap and chamfers are wider by a quarter.
    wider = profile_of(aslant) * [1.25, 1.0]
    assert sensor.measure(wider, "butt", gap_fraction=0.8).gap_m == pytest.approx(1.0e-3, abs=0.05e-3)


@pytest.mark.parametrize(
    ("profile", "joint", "told"),
    [
        (np.zeros((COLUMNS, 2)), "edge", "unknown joint='edge', choose one of lap, t_fillet, butt"),
        (np.zeros((COLUMNS - 1, 2)), "lap", r"a profile is float64 \(640, 2\), got float64 \(639, 2\)"),
        (np.zeros((COLUMNS, 2), np.float32), "lap", "got float32"),
        (np.full((COLUMNS, 2), np.inf), "lap", "got an infinity"),
    ],
)
def test_profiles_that_cannot_be_are_refused(
    sensor: ProfileSensor, profile: Array, joint: str, told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        sensor.measure(profile, joint)
    with pytest.raises(ValueError, match="128 columns at least, got 64"):
        ProfileSensor(GEOMETRY, 64)
