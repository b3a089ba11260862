"""Products, lengths and functions are what mathematics says; their order of summation is fixed."""

import numpy as np
import pytest

from cellwright_assets import arithmetic
from cellwright_envs.physics import transforms

RNG = np.random.default_rng(2)


def rigid() -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3] = np.linalg.qr(RNG.normal(size=(3, 3)))[0]
    pose[:3, 3] = RNG.normal(size=3)
    return pose


@pytest.mark.parametrize(("first", "second"), [((4, 4), (4, 4)), ((2, 3), (3, 5)), ((7, 3, 3), (3, 3))])
def test_products_are_those_of_linear_algebra(first: tuple[int, ...], second: tuple[int, ...]) -> None:
    a, b = RNG.normal(size=first), RNG.normal(size=second)
    np.testing.assert_allclose(arithmetic.product(a, b), a @ b, atol=1e-14)


def test_points_are_turned_and_moved() -> None:
    pose, points = rigid(), RNG.normal(size=(5, 3))
    np.testing.assert_allclose(arithmetic.moved(pose, points), points @ pose[:3, :3].T + pose[:3, 3])
    turns = np.array([rigid()[:3, :3] for _ in points])
    np.testing.assert_allclose(arithmetic.turned(turns, points), np.einsum("nij,nj->ni", turns, points))


def test_lengths_and_directions() -> None:
    vectors = RNG.normal(size=(5, 3))
    np.testing.assert_allclose(arithmetic.length(vectors), np.linalg.norm(vectors, axis=1))
    np.testing.assert_allclose(arithmetic.length(arithmetic.unit(vectors)), 1.0)
    np.testing.assert_allclose(arithmetic.inner(vectors, vectors[::-1]), (vectors * vectors[::-1]).sum(1))


@pytest.mark.parametrize("rows", [2, 3])
def test_inverses_undo(rows: int) -> None:
    matrices = RNG.normal(size=(6, rows, rows))
    undone = arithmetic.product(arithmetic.inverse(matrices), matrices)
    np.testing.assert_allclose(undone, np.tile(np.eye(rows), (6, 1, 1)), atol=1e-9)
    with pytest.raises(ValueError, match="2 or 3 rows"):
        arithmetic.inverse(np.eye(4))


def test_a_sum_runs_from_the_first_to_the_last() -> None:
    row = np.array([[1e16, 1.0, -1e16]])
    assert arithmetic.product(row, np.ones((3, 1))).item() == 0.0
    assert arithmetic.turned(row, np.ones(3)).item() == 0.0
    assert float(arithmetic.inner(row[0], np.ones(3))) == 0.0


@pytest.mark.parametrize("name", ["sin", "cos", "tan", "exp"])
def test_functions_are_those_of_the_c_library(name: str) -> None:
    values = RNG.normal(size=(3, 4))
    np.testing.assert_allclose(getattr(arithmetic, name)(values), getattr(np, name)(values), rtol=1e-15)


def test_angles_come_back() -> None:
    angles_rad = np.linspace(-3.0, 3.0, 13)
    x, y = arithmetic.circle_points(angles_rad).T
    np.testing.assert_allclose(arithmetic.arctan2(y, x), angles_rad, rtol=1e-14)
    np.testing.assert_allclose(arithmetic.arccos(x), np.abs(angles_rad), rtol=1e-14)


def test_compiled_transforms_agree_to_the_last_bit() -> None:
    first, second, point = rigid(), rigid(), RNG.normal(size=3)
    np.testing.assert_array_equal(transforms.product(first, second), arithmetic.product(first, second))
    each = np.array([first, second])
    np.testing.assert_array_equal(transforms.products(first, each), arithmetic.product(first, each))
    np.testing.assert_array_equal(transforms.moved(first, point), arithmetic.moved(first, point))
    np.testing.assert_allclose(arithmetic.product(transforms.inverted(first), first), np.eye(4), atol=1e-15)
    np.testing.assert_array_equal(transforms.inverted(first), arithmetic.inverted(first))
