"""Lasting changes of an assembly line."""

import numpy as np
import pytest

from cellwright_envs.assembly.disturbances import LineChange, resolve


def test_changes_add_up_on_top_of_the_drawn_values() -> None:
    change = LineChange(
        description="everything",
        fixture_shift_m=(1e-3, 2e-3, 3e-3),
        fixture_turn_rad=0.02,
        hand_camera_shift_m=(0.0, 1e-3, 0.0),
        clearance_factor=0.9,
        friction_factor=1.5,
        grip_factor=0.5,
        light_factor=0.8,
    )
    plain = resolve("train").draw(np.random.default_rng(5))
    changed = resolve("train")
    for times in (1, 2):
        changed = change.apply(changed)
        state = changed.draw(np.random.default_rng(5))
        moved = np.subtract(state.fixture_pose.offset, plain.fixture_pose.offset)
        np.testing.assert_allclose(moved, np.array([1e-3, 2e-3, 3e-3, 0.0, 0.0, 0.02]) * times, atol=1e-15)
        seen_m = np.subtract(state.hand_camera.translation_m, plain.hand_camera.translation_m)
        np.testing.assert_allclose(seen_m, [0.0, 1e-3 * times, 0.0], atol=1e-15)
        assert state.part_fit.factor == pytest.approx(plain.part_fit.factor * 0.9**times)
        assert state.contact_friction.factor == pytest.approx(plain.contact_friction.factor * 1.5**times)
        assert state.grip_strength.grip.along_n == pytest.approx(
            plain.grip_strength.grip.along_n * 0.5**times
        )
        assert state.room_light.lamp_factor == pytest.approx(plain.room_light.lamp_factor * 0.8**times)
        assert state.room_light.room_factor == pytest.approx(plain.room_light.room_factor * 0.8**times)
