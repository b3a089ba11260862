"""What of the weld pool's inside shows on its top."""

import numpy as np
import pytest

from cellwright_envs.welding.process.columns import Constant, State
from cellwright_envs.welding.process.pool import PoolShape, pool_shape

BUTT, FILLET = 2.0, 1.0
USUAL = {"length_m_w": 4e-6, "widening": 0.1, "lengthening": 0.2, "sag_m": 0.4e-3}


def shape(root_index: float, *, joint: float = BUTT, depth_m: float = 1e-3, **other: float) -> PoolShape:
    """Of 150 A and 20 V, 6 mm wide, with a cap of 1 mm; open from an index of 0.5, through from 1.08 on."""
    state, constants = np.zeros(len(State)), np.zeros(len(Constant))
    state[State.ROOT_INDEX], state[State.BEAD_PENETRATION_M] = root_index, depth_m
    state[State.CURRENT_A], state[State.VOLTAGE_V] = 150.0, 20.0
    state[State.BEAD_WIDTH_M], state[State.CAP_HEIGHT_M] = 6e-3, 1e-3
    constants[Constant.JOINT] = joint
    constants[Constant.LACK_OF_PENETRATION_INDEX] = 0.5
    constants[Constant.BURN_THROUGH_INDEX] = 1.08
    return pool_shape(state, constants, **(USUAL | other))


def test_a_closed_root_leaves_the_pool_as_wide_as_the_bead() -> None:
    closed = shape(0.4)
    assert closed.width_m == pytest.approx(6e-3)
    assert closed.length_m == pytest.approx(4e-6 * 0.8 * 150.0 * 20.0)
    assert closed.height_m == pytest.approx(0.5e-3)


def test_an_open_root_widens_and_lengthens_it() -> None:
    closed, half, opened = shape(0.4), shape(0.5), shape(0.6)
    assert opened.width_m == pytest.approx(1.1 * closed.width_m)
    assert half.width_m == pytest.approx(1.05 * closed.width_m)
    assert opened.length_m == pytest.approx(1.2 * closed.length_m)
    assert half.length_m == pytest.approx(1.1 * closed.length_m)


def test_a_fillet_has_no_root_that_opens() -> None:
    assert shape(0.4, joint=FILLET)[:2] == shape(0.6, joint=FILLET)[:2]


@pytest.mark.parametrize(
    ("index", "height_mm"), [(0.84, 0.5), (0.925, 0.25), (1.0, 0.0), (1.05, -0.2), (1.1, -0.4), (1.4, -0.8)]
)
def test_the_surface_sinks_before_it_falls_through(index: float, height_mm: float) -> None:
    assert 1e3 * shape(index).height_m == pytest.approx(height_mm, abs=0.005)
    assert 1e3 * shape(index, sag_m=0.2e-3).height_m == pytest.approx(
        height_mm if height_mm > 0 else 0.5 * height_mm, abs=0.005
    )


def test_depth_does_not_show_between_the_two() -> None:
    """Open and still convex: the same pool, whatever lies beneath."""
    assert shape(0.56, depth_m=0.9e-3) == shape(0.84, depth_m=1.4e-3)
