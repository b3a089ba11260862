from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellwright_envs.disturbances.camera import CameraCalibration, FrameDelivery

SEEDS = st.integers(0, 2**32 - 1)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_frames_all_arrive_when_delivery_is_off() -> None:
    state = FrameDelivery().draw(generator(0))
    assert [state.delivered(frame) for frame in range(50)] == list(range(50))


@given(SEEDS)
def test_delivered_frames_never_come_from_the_future_nor_go_back(seed: int) -> None:
    state = FrameDelivery(drop_probability=0.2, late_probability=0.3, late_frames=2).draw(generator(seed))
    delivered = [state.delivered(frame) for frame in range(60)]
    assert delivered[0] == 0
    assert all(max(frame - 8, 0) <= newest <= frame for frame, newest in enumerate(delivered))
    assert all(after >= before for before, after in pairwise(delivered))


def test_frames_are_lost_as_often_as_configured() -> None:
    state = FrameDelivery(drop_probability=0.1).draw(generator(0))
    assert np.mean([state.delivered(frame) < frame for frame in range(8000)]) == pytest.approx(0.1, abs=0.01)


@given(SEEDS)
def test_calibration_error_is_a_small_rigid_motion(seed: int) -> None:
    config = CameraCalibration(translation_sigma_m=0.3e-3, rotation_sigma_rad=0.005)
    transform = config.draw(generator(seed)).true_from_calibrated()
    np.testing.assert_allclose(transform[:3, :3] @ transform[:3, :3].T, np.eye(3), atol=1e-12)
    assert np.abs(transform[:3, 3]).max() <= 0.6e-3 + 1e-12
    angle_rad = np.arccos(np.clip((np.trace(transform[:3, :3]) - 1.0) / 2.0, -1.0, 1.0))
    assert angle_rad <= np.sqrt(3.0) * 0.01 + 1e-7


def test_perfect_calibration_is_the_identity() -> None:
    np.testing.assert_array_equal(CameraCalibration().draw(generator(0)).true_from_calibrated(), np.eye(4))


@pytest.mark.parametrize(
    ("config", "arguments"),
    [
        (FrameDelivery, {"drop_probability": 2.0}),
        (CameraCalibration, {"rotation_sigma_rad": float("inf")}),
    ],
)
def test_impossible_settings_are_refused_by_name(config: type, arguments: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        config(**arguments)
