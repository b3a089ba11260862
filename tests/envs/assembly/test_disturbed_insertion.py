"""Whatever is drawn happens in the cell: each disturbance by itself, in what is seen, felt and measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from cellwright_assets.gripper import SENSOR_NOISE_N, SENSOR_NOISE_N_M
from cellwright_envs.assembly.disturbances import NAMED, AssemblyDisturbances
from cellwright_envs.assembly.disturbances.fixture import ConveyorCreep, FixtureBump, FixturePose
from cellwright_envs.assembly.disturbances.mechanics import (
    AS_SET_GRIP,
    ChamferDamage,
    ContactFriction,
    ControllerGain,
    ForceSensor,
    GraspOffset,
    GripStrength,
    PartFit,
)
from cellwright_envs.assembly.disturbances.optics import Glare, RoomLight
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_envs.cell_env import Observation
from cellwright_envs.disturbances.actuation import ActuatorLatency, Backlash
from cellwright_envs.disturbances.camera import CameraCalibration, FrameDelivery
from cellwright_envs.disturbances.exposure import Exposure, SensorNoise

NAMES = [each.name for each in fields(AssemblyDisturbances)]
DOWN = np.array([0.0, 0.0, -0.6, 0.0, 0.0, 0.0], dtype=np.float32)
ASIDE = np.array([0.25, 0.0, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
REST = np.zeros(6, dtype=np.float32)
SURE = {
    "fixture_bump": FixtureBump(probability=1.0),
    "grip_strength": GripStrength(factor=(0.05, 0.05)),
    "chamfer_damage": ChamferDamage(probability=1.0, remaining=(0.0, 0.0)),
    "glare": Glare(probability=1.0),
    "frame_delivery": FrameDelivery(drop_probability=0.2, late_probability=0.6, late_frames=6),
}
"""Instead of those of `hard` that may leave an episode or this test's insertion alone."""


@pytest.fixture(scope="module")
def env() -> Iterator[PegInsertion]:
    env = PegInsertion(product="round-4-0.3-chamfer", disturbances="none", record_trace=True)
    yield env
    env.close()


def begin(env: PegInsertion, seed: int = 3, **disturbances: object) -> Observation:
    return env.reset(seed=seed, options={"disturbances": AssemblyDisturbances(**disturbances)})[0]  # type: ignore[arg-type]


def play(env: PegInsertion, action: np.ndarray, steps: int) -> list[Observation]:
    return [env.step(action)[0] for _ in range(steps)]


def insert(env: PegInsertion) -> list[Observation]:
    """Down onto the chamfer, in, and against the wall and the floor; the same whatever is seen and felt."""
    seen = []
    for step in range(160):
        action = DOWN.copy()
        tip_m = env._state.part_f[:2, 3]
        action[0] = np.clip(-400.0 * (tip_m[0] - 0.5e-3), -1.0, 1.0) if step < 50 else 0.2
        action[1] = np.clip(-400.0 * tip_m[1], -1.0, 1.0)
        seen.append(env.step(action)[0])
    return seen


@pytest.mark.parametrize("name", NAMES)
def test_every_disturbance_changes_what_is_seen_or_felt(env: PegInsertion, name: str) -> None:
    first = [begin(env), *insert(env)]
    again = [begin(env), *insert(env)]
    disturbed = [begin(env, **{name: SURE.get(name, getattr(NAMED["hard"], name))}), *insert(env)]

    def differ(some: list[Observation], others: list[Observation]) -> bool:
        return any(not np.array_equal(a[key], b[key]) for a, b in zip(some, others, strict=True) for key in a)

    assert not differ(first, again)
    assert differ(first, disturbed)


def test_part_hole_grip_and_controller_are_those_that_were_drawn(env: PegInsertion) -> None:
    begin(env)
    usual = env.conditions
    begin(
        env,
        grasp_offset=GraspOffset(sigma_m=1e-3, turn_sigma_rad=0.01),
        grip_strength=GripStrength(factor=(0.5, 0.5)),
        part_fit=PartFit(clearance_factor=(0.8, 0.8)),
        contact_friction=ContactFriction(factor=(2.0, 2.0)),
        chamfer_damage=ChamferDamage(probability=1.0, remaining=(0.25, 0.25)),
        controller_gain=ControllerGain(stiffness_factor=(1.5, 1.5), extra_dead_band_n=2.0),
    )
    conditions = env.conditions
    assert usual.clearance_m == pytest.approx(0.3e-3)
    assert conditions.clearance_m == pytest.approx(0.24e-3)
    assert conditions.chamfer_m == pytest.approx(0.25 * usual.chamfer_m)
    assert conditions.friction == pytest.approx(2.0 * usual.friction)
    assert usual.grip == AS_SET_GRIP
    assert conditions.grip.along_n == pytest.approx(0.5 * AS_SET_GRIP.along_n)
    assert conditions.stiffness_scale == pytest.approx(1.5 * usual.stiffness_scale)
    assert usual.dead_band_n < conditions.dead_band_n <= usual.dead_band_n + 2.0
    assert conditions.grasp == env.disturbed.grasp_offset.grasp != usual.grasp


def test_part_hangs_in_the_fingers_where_the_grasp_says(env: PegInsertion) -> None:
    begin(env)
    straight_t = np.linalg.inv(env.tool_w) @ env.part_w
    begin(env, grasp_offset=GraspOffset(sigma_m=1e-3))
    _, x_m, z_m = env.disturbed.grasp_offset.grasp
    moved_m = (np.linalg.inv(env.tool_w) @ env.part_w - straight_t)[:3, 3]
    assert abs(x_m) > 1e-4
    np.testing.assert_allclose(moved_m, [x_m, 0.0, z_m], atol=1e-5)


@pytest.mark.parametrize("steps", [1, 3])
def test_latency_holds_the_first_commands_back(env: PegInsertion, steps: int) -> None:
    begin(env)
    prompt = [seen["leash"][0] for seen in play(env, ASIDE, 6)]
    begin(env, actuator_latency=ActuatorLatency(steps=(steps, steps)))
    late = [seen["leash"][0] for seen in play(env, ASIDE, 6 + steps)]
    assert min(prompt) > 1e-4  # the reference leads the tool
    np.testing.assert_allclose(late[:steps], 0.0, atol=1e-5)
    np.testing.assert_allclose(late[steps:], prompt, atol=1e-5)


def test_motion_and_play_differ_from_the_commands_by_as_much_as_drawn(env: PegInsertion) -> None:
    def moved_m(**disturbances: object) -> float:
        before = begin(env, **disturbances)["pose"][0]
        play(env, ASIDE, 12)
        return float(play(env, REST, 8)[-1]["pose"][0] - before)

    usual_m = moved_m()
    assert usual_m == pytest.approx(12 * 0.25 * env.config.step_m, rel=0.05)
    assert moved_m(controller_gain=ControllerGain(motion_factor=(1.1, 1.1))) == pytest.approx(
        1.1 * usual_m, rel=0.01
    )
    assert usual_m - moved_m(backlash=Backlash(play_m=(0.4e-3, 0.4e-3))) == pytest.approx(0.2e-3, rel=0.1)


def test_fixture_stands_creeps_and_is_bumped_as_drawn(env: PegInsertion) -> None:
    begin(env)
    nominal_m = env.cell.fixture_w[:3, 3].copy()
    begin(env, fixture_pose=FixturePose(sigma_m=2e-3, height_sigma_m=1e-3))
    np.testing.assert_allclose(
        env.cell.fixture_w[:3, 3] - nominal_m, env.disturbed.fixture_pose.offset[:3], atol=1e-12
    )
    assert np.linalg.norm(env.disturbed.fixture_pose.offset[:2]) > 1e-4

    begin(env, conveyor_creep=ConveyorCreep(speed_m_s=1e-3))
    play(env, REST, 20)
    velocity = np.array(env.disturbed.conveyor_creep.velocity_m_s)
    assert np.linalg.norm(velocity) > 1e-4
    np.testing.assert_allclose((env.cell.fixture_w[:3, 3] - nominal_m)[:2], env._time_s * velocity, rtol=1e-6)

    begin(env, fixture_bump=FixtureBump(probability=1.0, jump_m=(0.6e-3, 0.6e-3), at_depth=(-0.2, -0.2)))
    while env.measurement.height_m > 0.2 * env.product.depth_m:
        np.testing.assert_array_equal(env.cell.fixture_w[:3, 3], nominal_m)
        env.step(DOWN)
    play(env, REST, 4)
    assert np.linalg.norm(env.cell.fixture_w[:3, 3] - nominal_m) == pytest.approx(0.6e-3)


def test_wrist_sensor_is_off_drifts_and_is_noisy_by_as_much_as_drawn(env: PegInsertion) -> None:
    begin(env, force_sensor=ForceSensor(bias_n=0.5, drift_n_s=0.2))
    last = play(env, REST, 60)[-1]
    low_pass, period_s = env.config.sensor_low_pass, env.config.control_period_s
    lag_s = (1.0 - low_pass) / low_pass * period_s
    expected = env.disturbed.force_sensor.error(60 * period_s - lag_s)
    assert max(map(abs, env.disturbed.force_sensor.drift_1_s)) > 0.05
    np.testing.assert_allclose(last["wrench"], expected, atol=0.03)

    begin(env, force_sensor=ForceSensor(noise_factor=2.0))
    spread = np.std([seen["wrench"] for seen in play(env, REST, 300)], axis=0)
    smoothed = np.sqrt(low_pass / (2.0 - low_pass))
    data_sheet = np.array([SENSOR_NOISE_N] * 3 + [SENSOR_NOISE_N_M] * 3)
    np.testing.assert_allclose(spread, 2.0 * smoothed * data_sheet, rtol=0.2)


@pytest.mark.parametrize(
    "moved",
    [
        {"grasp_offset": GraspOffset(sigma_m=2e-3)},
        {"fixture_pose": FixturePose(sigma_m=2e-3)},
    ],
    ids=["part", "fixture"],
)
def test_both_cameras_see_where_part_and_fixture_are(env: PegInsertion, moved: dict[str, object]) -> None:
    straight = begin(env)["image"].astype(int)
    assert np.all(np.abs(begin(env, **moved)["image"] - straight).mean(axis=(1, 2)) > 0.1)


@pytest.mark.parametrize("view", [0, 1])
def test_a_camera_that_is_off_changes_its_own_view_only(env: PegInsertion, view: int) -> None:
    straight = begin(env)["image"].astype(int)
    off = CameraCalibration(translation_sigma_m=2e-3, rotation_sigma_rad=0.05)
    image = begin(env, **{("hand_camera", "fixed_camera")[view]: off})["image"].astype(int)
    assert np.abs(image[view] - straight[view]).mean() > 1.0
    np.testing.assert_array_equal(image[1 - view], straight[1 - view])


def test_pictures_are_as_bright_and_as_noisy_as_drawn(env: PegInsertion) -> None:
    usual = begin(env)["image"].astype(float)
    inside = (usual > 30) & (usual < 150)

    def change(**disturbances: object) -> np.ndarray:
        return begin(env, **disturbances)["image"].astype(float) - usual

    assert np.all(change(room_light=RoomLight(lamp_factor=(1.4, 1.4))).mean(axis=(1, 2)) > 3.0)
    assert np.all(change(room_light=RoomLight(room_factor=(1.4, 1.4))).mean(axis=(1, 2)) > 3.0)
    assert np.all(np.abs(change(room_light=RoomLight(direction_rad=0.8))).mean(axis=(1, 2)) > 0.5)
    gained = change(exposure=Exposure(mean_gain=1.3))
    np.testing.assert_allclose(gained[inside], 0.3 * usual[inside], atol=1.0)
    offset = change(exposure=Exposure(offset_levels=30.0))
    assert env.disturbed.exposure.offset_levels > 3.0
    np.testing.assert_allclose(offset[inside], env.disturbed.exposure.offset_levels, atol=1.0)
    noise = change(sensor_noise=SensorNoise(read_levels=6.0))
    assert np.std(noise[inside]) == pytest.approx(env.disturbed.sensor_noise.read_levels, rel=0.1)


def test_a_dropped_frame_is_the_one_before(env: PegInsertion) -> None:
    fresh = [begin(env)["image"], *(seen["image"] for seen in play(env, DOWN, 30))]
    drops = FrameDelivery(drop_probability=0.5)
    seen = [begin(env, frame_delivery=drops)["image"], *(each["image"] for each in play(env, DOWN, 30))]
    stale = 0
    for number in range(1, len(seen)):
        repeated = np.array_equal(seen[number], seen[number - 1])
        stale += repeated
        assert repeated or np.array_equal(seen[number], fresh[number])
    assert 5 < stale < 25


def test_named_factors_are_added_to_training(env: PegInsertion) -> None:
    env.reset(seed=5, options={"disturbances": "late"})
    assert env.disturbed.actuator_latency.steps == 3
    assert len(env._pending) == 3
    env.reset(seed=5, options={"disturbances": "moved_camera"})
    knock = env.disturbed.camera_knock
    assert np.linalg.norm(knock.translation_m) == pytest.approx(3e-3)
    assert not any(knock.rotation_rad)
    assert replace(NAMED["moved_camera"], camera_knock=NAMED["train"].camera_knock) == NAMED["train"]


def other(disturbance: Any, field: str) -> Any:
    """The disturbance with another value of a field: the one that switches it off, or half of it."""
    value, off = getattr(disturbance, field), getattr(type(disturbance)(), field)
    if value == off:
        half = 0.5 * np.array(value) + 1e-4
        off = tuple(half.tolist()) if isinstance(value, tuple) else float(half)
    return replace(disturbance, **{field: off})


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_disturbance_changes_what_is_seen_or_felt(env: PegInsertion, name: str) -> None:
    disturbance = SURE.get(name, getattr(NAMED["hard"], name))
    full = [begin(env, **{name: disturbance}), *insert(env)]
    for each in fields(disturbance):
        changed = [begin(env, **{name: other(disturbance, each.name)}), *insert(env)]
        assert any(
            not np.array_equal(a[key], b[key]) for a, b in zip(full, changed, strict=True) for key in a
        ), each.name
