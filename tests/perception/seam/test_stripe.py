"""Finding the laser line: sub-pixel rows of what is a line, and nothing of what is none."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_perception.seam.measurement import SeamSensor
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_perception.seam.stripe import CANDIDATES, find_ridges, smooth


def image_of_lines(
    *lines: tuple[NDArray[np.float64] | float, float], noise: float = 0.0
) -> NDArray[np.uint8]:
    """A 64 x 64 image with gaussian lines of sigma 1 px, given as (rows per column, counts)."""
    rows = np.arange(64)[:, None]
    image = np.full((64, 64), 20.0)
    for row_px, counts in lines:
        image += counts * np.exp(-0.5 * (rows - row_px) ** 2)
    image += np.random.default_rng(0).normal(0.0, noise, image.shape)
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


class Seen(NamedTuple):
    """The lines of an image, strongest first in each column, and the contrast of a typical one."""

    row_px: NDArray[np.float64]
    strength: NDArray[np.float64]
    typical_strength: float


def lines_in(image: NDArray[np.uint8]) -> Seen:
    smoothed, ridge, crests = np.empty((3, *image.shape), np.float32)
    row_px, strength = np.empty((2, CANDIDATES, image.shape[1]))
    smooth(image, False, smoothed)
    typical = find_ridges(smoothed, ridge, crests, row_px, strength)
    return Seen(row_px.T, strength.T, typical)


@pytest.mark.parametrize(("noise", "bound_px"), [(0.0, 0.05), (3.0, 0.12), (6.0, 0.25)])
def test_a_slanted_line_is_found_to_a_fraction_of_a_pixel(noise: float, bound_px: float) -> None:
    true_px = 20.0 + 0.31 * np.arange(64)
    seen = lines_in(image_of_lines((true_px, 150.0), noise=noise))
    error_px = np.abs(seen.row_px[:, 0] - true_px)
    assert (seen.strength[:, 0] > 0.0).all()
    assert np.percentile(error_px, 95) < bound_px, f"p95 {np.percentile(error_px, 95):.3f} px"


def test_lines_come_strongest_first_and_the_rest_is_empty() -> None:
    seen = lines_in(image_of_lines((18.0, 80.0), (40.0, 160.0)))
    np.testing.assert_allclose(seen.row_px[:, :2], np.tile([40.0, 18.0], (64, 1)), atol=0.05)
    assert np.all(seen.strength[:, 0] > seen.strength[:, 1])
    assert np.all(seen.row_px[:, 2:] == -1.0)
    assert np.all(seen.strength[:, 2:] == 0.0)


def test_no_more_lines_are_kept_than_there_is_room_for() -> None:
    seen = lines_in(image_of_lines(*((8.0 + 11.0 * k, 60.0 + 20.0 * k) for k in range(5))))
    np.testing.assert_allclose(seen.row_px[30], [52.0, 41.0, 30.0][:CANDIDATES], atol=0.05)


@pytest.mark.parametrize("noise", [0.0, 1.5])
def test_an_image_without_a_line_shows_none(noise: float) -> None:
    seen = lines_in(image_of_lines(noise=noise))
    assert not seen.strength.any()
    assert seen.typical_strength == 0.0


def test_a_saturated_blob_is_no_line() -> None:
    image = image_of_lines((45.0, 150.0))
    rows, columns = np.mgrid[0:64, 0:64]
    image[np.hypot(rows - 18, columns - 30) < 9] = 255
    seen = lines_in(image)
    np.testing.assert_allclose(seen.row_px[:, 0], 45.0, atol=0.05)


def test_the_slope_of_arc_light_is_no_line() -> None:
    image = np.broadcast_to(np.linspace(250, 10, 64).astype(np.uint8)[:, None], (64, 64))
    assert not lines_in(np.ascontiguousarray(image)).strength.any()


def test_what_is_far_weaker_than_the_line_is_dropped() -> None:
    seen = lines_in(image_of_lines((20.0, 15.0), (40.0, 200.0)))
    assert np.all(seen.strength[:, 1] == 0.0)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((64, 64), np.float32), "uint8 array, got float32"),
        ([[0]], "uint8 array, got list"),
        (np.zeros((64, 64, 3), np.uint8), "shape"),
        (np.zeros((8, 64), np.uint8), "16 px"),
    ],
)
def test_what_is_no_stripe_image_is_refused(image: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SeamSensor(SeamSensorGeometry()).measure(image, "butt")
