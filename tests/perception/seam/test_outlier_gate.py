import math

import numpy as np
import pytest

from cellwright_perception.seam.outlier_gate import OutlierGate

HERE = (1.0e-3, -0.2e-3, 0.3e-3)
THERE = (3.0e-3, -0.2e-3, 0.3e-3)


def settled() -> OutlierGate:
    gate = OutlierGate()
    for _ in range(20):
        gate.passes(*HERE)
    return gate


def test_the_third_measurement_that_agrees_is_the_first_to_pass() -> None:
    gate = OutlierGate()
    assert [gate.passes(*HERE) for _ in range(4)] == [False, False, True, True]


def test_first_measurements_that_disagree_do_not_pass() -> None:
    gate = OutlierGate()
    assert not any(gate.passes(step * 1.0e-3, 0.0, 0.0) for step in range(6))


def test_a_burst_is_held_back_and_the_joint_passes_again_at_once() -> None:
    gate = settled()
    assert not any(gate.passes(*THERE) for _ in range(9))
    assert gate.passes(*HERE)


def test_a_joint_that_moved_passes_once_it_has_stayed() -> None:
    gate = settled()
    assert [gate.passes(*THERE) for _ in range(12)] == [False] * 9 + [True] * 3
    assert not gate.passes(*HERE)


def test_scattered_outliers_never_take_over() -> None:
    gate, rng = settled(), np.random.default_rng(0)
    assert not any(gate.passes(3.0e-3 + rng.uniform(0.0, 4.0e-3), 0.0, 0.0) for _ in range(200))


def test_slow_drift_passes() -> None:
    gate = settled()
    drifting = ((HERE[0] + 20e-6 * step, HERE[1], HERE[2]) for step in range(200))
    assert all(gate.passes(*values) for values in drifting)


@pytest.mark.parametrize("axis", range(3))
def test_each_of_lateral_height_and_gap_is_watched(axis: int) -> None:
    values = list(HERE)
    values[axis] += 1.0e-3
    assert not settled().passes(*values)


def test_what_is_not_a_number_never_passes() -> None:
    gate = settled()
    assert not any(gate.passes(math.nan, 0.0, 0.0) for _ in range(30))
    assert gate.passes(*HERE)


def test_a_reset_gate_believes_another_joint() -> None:
    gate = settled()
    gate.reset()
    assert [gate.passes(*THERE) for _ in range(3)] == [False, False, True]


def test_persistence_beyond_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="persistence=20"):
        OutlierGate(persistence=20)
