"""Disturbances of an insertion, each without the simulator."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from cellwright_assets.gripper import GRIP_FORCE_N
from cellwright_envs.assembly.disturbances import LINE_CHANGES, NAMED, AssemblyDisturbances, resolve
from cellwright_envs.assembly.disturbances.fixture import (
    ConveyorCreep,
    FixtureBump,
    FixturePose,
    shifted,
)
from cellwright_envs.assembly.disturbances.mechanics import (
    AS_SET_GRIP,
    GRIP_N,
    ChamferDamage,
    ContactFriction,
    ControllerGain,
    ForceSensor,
    GraspOffset,
    GripStrength,
    PartFit,
)
from cellwright_envs.assembly.disturbances.optics import CameraKnock, Glare, LensDirt, RoomLight

NAMES = [each.name for each in fields(AssemblyDisturbances)]


def draws(disturbance: Any, count: int = 200) -> list[Any]:
    return [disturbance.draw(np.random.default_rng(seed)) for seed in range(count)]


def grey(level: int = 120) -> np.ndarray:
    return np.full((2, 32, 32), level, dtype=np.uint8)


def test_nothing_is_disturbed_unless_asked_for() -> None:
    state = AssemblyDisturbances().draw(np.random.default_rng(0))
    assert state.fixture_pose.offset == (0.0,) * 6
    assert state.grasp_offset.grasp == (0.0,) * 3
    assert state.grip_strength.grip == AS_SET_GRIP
    assert state.part_fit.clearance_m(0.4e-3) == 0.4e-3
    assert state.chamfer_damage.chamfer_m(1e-3) == 1e-3
    assert state.contact_friction.friction(0.2) == 0.2
    assert state.actuator_latency.steps == 0
    assert state.force_sensor.error(10.0) == (0.0,) * 6
    assert not state.fixture_bump.starts(1.0)
    assert state.conveyor_creep.offset_m(10.0) == (0.0, 0.0)
    assert state.lens_dirt.transmission(32) is None
    clean = state.corrupt(grey(), None, time_s=1.0, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(clean, grey())


@pytest.mark.parametrize("name", NAMES)
def test_every_disturbance_disturbs_at_training_strength(name: str) -> None:
    assert getattr(NAMED["train"], name) != getattr(AssemblyDisturbances(), name)
    assert getattr(NAMED["hard"], name) != getattr(NAMED["train"], name)
    assert getattr(NAMED[name], name) == getattr(NAMED["train"], name)


def test_switching_one_off_leaves_the_draws_of_the_others() -> None:
    train = NAMED["train"].draw(np.random.default_rng(3))
    few = resolve("fixture_pose + glare").draw(np.random.default_rng(3))
    assert few.fixture_pose == train.fixture_pose
    assert few.glare == train.glare
    assert few.grasp_offset.grasp == (0.0,) * 3


def test_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean 'grasp_offset'"):
        resolve("none+grasp_ofset")


def test_fixture_stays_within_two_sigma_and_uses_them() -> None:
    offsets = np.array([state.offset for state in draws(FixturePose(sigma_m=1e-3, yaw_sigma_rad=0.02))])
    assert 1.5e-3 < np.abs(offsets[:, :2]).max() <= 2e-3
    assert 0.03 < np.abs(offsets[:, 5]).max() <= 0.04
    np.testing.assert_array_equal(offsets[:, 2:5], 0.0)


def test_bump_moves_the_fixture_once_and_for_good() -> None:
    state = FixtureBump(probability=1.0, jump_m=(1e-3, 1e-3), at_depth=(0.5, 0.5)).draw(
        np.random.default_rng(0)
    )
    assert not state.starts(0.49)
    assert state.starts(0.5)
    assert state.offset_m(-np.inf) == (0.0, 0.0)
    assert np.hypot(*state.offset_m(0.05)) == pytest.approx(0.5e-3)
    assert np.hypot(*state.offset_m(1.0)) == pytest.approx(1e-3)


def test_bump_happens_as_often_as_asked() -> None:
    happened = [state.starts(1.0) for state in draws(FixtureBump(probability=0.3))]
    assert np.mean(happened) == pytest.approx(0.3, abs=0.08)


def test_creep_is_steady_and_shifts_the_fixture() -> None:
    state = ConveyorCreep(speed_m_s=1e-3).draw(np.random.default_rng(0))
    np.testing.assert_allclose(state.offset_m(4.0), 4.0 * np.array(state.offset_m(1.0)))
    moved = shifted(np.eye(4), state.offset_m(1.0), (0.0, 2e-3))
    np.testing.assert_allclose(moved[:2, 3], np.add(state.offset_m(1.0), (0.0, 2e-3)))
    assert moved[2, 3] == 0.0


def test_set_grip_is_within_what_the_gripper_does() -> None:
    assert GRIP_FORCE_N[0] <= GRIP_N <= GRIP_FORCE_N[1]
    assert AS_SET_GRIP.along_n < 2.0 * GRIP_N


def test_weak_grip_holds_less_of_everything() -> None:
    for state in draws(GripStrength(factor=(0.2, 0.5)), 20):
        fraction = state.grip.along_n / AS_SET_GRIP.along_n
        assert 0.2 <= fraction <= 0.5
        assert state.grip.twist_n_m / AS_SET_GRIP.twist_n_m == pytest.approx(fraction)
        assert state.grip.across_n / AS_SET_GRIP.across_n == pytest.approx(fraction)


def test_grasp_offset_varies_turn_and_both_slides() -> None:
    grasps = np.array([s.grasp for s in draws(GraspOffset(sigma_m=1e-3, turn_sigma_rad=0.01))])
    np.testing.assert_allclose(np.abs(grasps).max(axis=0), [0.02, 2e-3, 2e-3], rtol=0.15)


def test_wear_only_widens_and_tolerance_scales() -> None:
    worn = [state.clearance_m(0.1e-3) for state in draws(PartFit(wear_m=0.05e-3))]
    assert min(worn) >= 0.1e-3
    assert 0.14e-3 < max(worn) <= 0.15e-3
    scaled = [state.clearance_m(0.1e-3) for state in draws(PartFit(clearance_factor=(0.8, 1.2)))]
    assert 0.08e-3 <= min(scaled) < 0.09e-3
    assert 0.11e-3 < max(scaled) <= 0.12e-3


def test_friction_is_as_often_halved_as_doubled() -> None:
    values = np.array([state.friction(0.2) for state in draws(ContactFriction(factor=(0.5, 2.0)))])
    assert values.min() >= 0.1 - 1e-12
    assert values.max() <= 0.4 + 1e-12
    assert np.mean(values < 0.2) == pytest.approx(0.5, abs=0.1)


def test_damaged_chamfer_is_smaller() -> None:
    left = [state.chamfer_m(1e-3) for state in draws(ChamferDamage(probability=0.5, remaining=(0.3, 0.8)))]
    assert np.mean(np.array(left) < 1e-3) == pytest.approx(0.5, abs=0.1)
    assert min(left) >= 0.3e-3


def test_controller_is_off_within_its_limits() -> None:
    for state in draws(ControllerGain(stiffness_factor=(0.7, 1.4), extra_dead_band_n=2.0), 50):
        assert 0.7 <= state.stiffness_factor <= 1.4
        assert 0.0 <= state.extra_dead_band_n <= 2.0
        assert state.motion_factor == 1.0


def test_force_sensor_drifts_from_its_bias() -> None:
    state = ForceSensor(bias_n=1.0, drift_n_s=0.1).draw(np.random.default_rng(0))
    np.testing.assert_allclose(state.error(0.0), state.bias)
    np.testing.assert_allclose(np.subtract(state.error(2.0), state.bias), 2.0 * np.array(state.drift_1_s))
    assert np.abs(state.bias[3:]).max() < 0.07 < np.abs(state.bias[:3]).max()


def test_lamp_leans_no_further_than_asked() -> None:
    usual = (-0.4, 0.3, -1.0)
    for state in draws(RoomLight(direction_rad=0.5), 50):
        direction = np.array(state.direction_w(usual))
        cosine = direction @ usual / np.linalg.norm(direction) / np.linalg.norm(usual)
        assert cosine >= np.cos(0.5) - 1e-9
        assert state.lamp_factor == 1.0


def test_a_knocked_camera_is_off_by_just_that_much_in_any_direction() -> None:
    states = draws(CameraKnock(probability=0.5, distance_m=3e-3, angle_rad=0.1))
    moved = np.array([state.translation_m for state in states])
    turned = np.linalg.norm([state.rotation_rad for state in states], axis=1)
    knocked = turned > 0.0
    assert np.mean(knocked) == pytest.approx(0.5, abs=0.1)
    np.testing.assert_allclose(turned[knocked], 0.1)
    np.testing.assert_allclose(np.linalg.norm(moved[knocked], axis=1), 3e-3)
    assert not moved[~knocked].any()
    assert np.all(np.abs(moved[knocked].mean(axis=0)) < 0.6e-3)


def test_astray_is_hard_with_the_fixture_further_away() -> None:
    for seed in range(50):
        hard, astray = (NAMED[name].draw(np.random.default_rng(seed)) for name in ("hard", "astray"))
        np.testing.assert_allclose(
            astray.fixture_pose.offset[:2], np.multiply(5.0 / 3.0, hard.fixture_pose.offset[:2])
        )
        assert astray.fixture_pose.offset[2:] == hard.fixture_pose.offset[2:]
        for field in fields(hard):
            if field.name not in ("fixture_pose", "exposure"):  # the exposure's drift holds arrays
                assert getattr(astray, field.name) == getattr(hard, field.name)


def test_wide_leaves_room_for_moved_fixtures_other_light_and_late_robots() -> None:
    draws = {
        name: [NAMED[name].draw(np.random.default_rng(i)) for i in range(200)] for name in ("train", "wide")
    }
    train, wide = draws["train"], draws["wide"]
    for old, new in zip(train, wide, strict=True):
        further = np.abs(new.fixture_pose.offset) >= np.abs(old.fixture_pose.offset)
        assert further[[0, 1, 5]].all()
        assert new.hand_camera == old.hand_camera
        assert new.part_fit == old.part_fit
    assert {state.actuator_latency.steps for state in train} == {0, 1, 2}
    assert {state.actuator_latency.steps for state in wide} == {0, 1, 2, 3}
    halved = LINE_CHANGES["dim-light"].apply(NAMED["train"]).room_light
    darkest, brightest = NAMED["wide"].room_light.lamp_factor
    assert darkest <= halved.lamp_factor[0]
    assert brightest >= NAMED["train"].room_light.lamp_factor[1]


def test_named_worst_cases_are_training_with_one_factor_at_its_worst() -> None:
    for name, moved_m, turned_rad, steps in (
        ("moved_camera", 3e-3, 0.0, None),
        ("turned_camera", 0.0, np.radians(5.0), None),
        ("late", None, None, 3),
    ):
        state, train = (NAMED[each].draw(np.random.default_rng(5)) for each in (name, "train"))
        if steps is None:
            assert np.linalg.norm(state.camera_knock.translation_m) == pytest.approx(moved_m)
            assert np.linalg.norm(state.camera_knock.rotation_rad) == pytest.approx(turned_rad)
        else:
            assert state.actuator_latency.steps == steps
        assert state.fixture_pose == train.fixture_pose
        assert state.hand_camera == train.hand_camera


def test_glare_saturates_where_it_is_and_nowhere_else() -> None:
    disturbed = AssemblyDisturbances(glare=Glare(probability=1.0, radius_px=(3.0, 3.0), halo_px=1.0))
    state = disturbed.draw(np.random.default_rng(4))
    seen = state.corrupt(grey(), None, time_s=0.0, rng=np.random.default_rng(0))
    for view, (column, row) in enumerate(state.glare.centres_px(32)):
        far = np.hypot(*(np.indices((32, 32))[::-1] - np.array([column, row])[:, None, None])) > 25.0
        np.testing.assert_array_equal(seen[view][far], 120)
        assert seen[view].max() == 255


def test_dirt_takes_contrast_where_it_sits_and_stays_there() -> None:
    disturbed = AssemblyDisturbances(
        lens_dirt=LensDirt(spots=(1, 1), radius_px=(4.0, 4.0), opacity=(0.5, 0.5), veil_levels=60.0)
    )
    state = disturbed.draw(np.random.default_rng(1))
    clear = state.lens_dirt.transmission(32)
    assert clear is not None
    assert clear.min() == pytest.approx(0.5, abs=0.02)
    assert clear.max() == 1.0
    seen = [
        state.corrupt(grey(200), clear, time_s=time_s, rng=np.random.default_rng(7)) for time_s in (0.0, 3.0)
    ]
    np.testing.assert_array_equal(*seen)
    assert seen[0].min() == pytest.approx(130, abs=3)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: FixturePose(sigma_m=-1.0), "need sigma_m >= 0, got -1.0"),
        (lambda: GripStrength(factor=(0.0, 1.0)), r"factor, got \(0.0, 1.0\)"),
        (lambda: LensDirt(opacity=(0.2, 1.5)), r"opacity, got \(0.2, 1.5\)"),
        (lambda: FixtureBump(probability=2.0), "probability <= 1, got 2.0"),
    ],
)
def test_impossible_settings_are_refused_with_their_value(make: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make()
