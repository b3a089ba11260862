"""Rotation vectors and matrices say the same."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.assembly.compliance import rotation_matrix
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector

COORDINATE = st.floats(-1.7, 1.7)


@given(st.tuples(COORDINATE, COORDINATE, COORDINATE))
def test_a_rotation_is_a_rotation_and_turns_back_into_its_vector(vector: tuple[float, float, float]) -> None:
    rows = rotation_rows(*vector)
    np.testing.assert_allclose(np.array(rows) @ np.array(rows).T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.array(rows) @ vector, vector, atol=1e-12)
    np.testing.assert_allclose(rotation_vector(rows), vector, atol=1e-7)


@pytest.mark.parametrize("axis", [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.6, -0.8)])
def test_half_a_turn_has_an_axis(axis: tuple[float, float, float]) -> None:
    half_turn = math.pi * np.array(axis)
    found = np.array(rotation_vector(rotation_rows(*half_turn.tolist())))
    np.testing.assert_allclose(found * np.sign(found @ half_turn), half_turn, atol=1e-7)


def test_a_quarter_turn_about_z_takes_x_to_y() -> None:
    np.testing.assert_allclose(
        np.array(rotation_rows(0.0, 0.0, math.pi / 2)) @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-15
    )


def test_compiled_and_plain_have_the_same_bits() -> None:
    vectors = np.random.default_rng(3).uniform(-1.0, 1.0, (500, 3)) * np.logspace(-14, 0, 500)[:, None]
    for vector in vectors:
        np.testing.assert_array_equal(rotation_matrix(vector), rotation_rows(*vector.tolist()))
