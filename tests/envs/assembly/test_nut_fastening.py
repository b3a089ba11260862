"""Nuts: bolts that fit, a spindle that turns them, torque windows that are met or missed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_assets.assembly_cell import BLOCK_HEIGHT_M, GRASP_HEIGHT_M, WASHER_M, Surface
from cellwright_envs.assembly.disturbances import AssemblyDisturbances
from cellwright_envs.assembly.disturbances.mechanics import ContactFriction
from cellwright_envs.assembly.nut_fastening import (
    SPINDLE_REV_S,
    NutFastening,
    NutFasteningConfig,
    NutScorecard,
    tightened,
)
from cellwright_envs.assembly.parts.nuts import NUTS, Nut
from cellwright_envs.assembly.parts.thread import TURN_RAD, Bite
from cellwright_envs.physics.world import Box, Cylinder

ALL = pytest.mark.parametrize("nut", NUTS.parts, ids=lambda nut: nut.name)


@pytest.fixture(scope="module")
def env() -> Iterator[NutFastening]:
    env = NutFastening(privileged=True, record_trace=True)
    yield env
    env.close()


@pytest.fixture(scope="module")
def patient() -> Iterator[NutFastening]:
    """An environment that lets a tight nut be worked on for longer, its nut-runner set too high."""
    config = NutFasteningConfig(hold_s=60.0, spindle_setting=(1.7, 1.7))
    env = NutFastening(privileged=True, config=config)
    yield env
    env.close()


def inside(solid: Box | Cylinder, point: NDArray[np.float64]) -> bool:
    away = point - solid.centre_body
    if isinstance(solid, Box):
        return bool(np.all(np.abs(solid.rotation_body.T @ away) <= solid.half_m))
    return bool(np.hypot(away[0], away[1]) <= solid.radius_m and abs(away[2]) <= 0.5 * solid.length_m)


def begin(env: NutFastening, name: str = "M16", **options: Any) -> None:
    env.reset(seed=1, options={"product": name, "disturbances": "none", **options})


def work(
    env: NutFastening, steps: int, *, rev_s: float = 0.0, lead_m: float = -3e-3, aside_m: float = 0.0
) -> dict[str, Any]:
    """Push by `lead_m` at `aside_m` off the bolt's axis while the spindle turns; the last info."""
    info: dict[str, Any] = {}
    for _ in range(steps):
        lead = env.interface.reference - env._state.tool
        action = np.zeros(7, dtype=np.float32)
        wanted = np.array([aside_m, 0.0]) - env._state.part_f[:2, 3]
        motion = np.array([*wanted, lead_m, *-env._state.tool[3:]]) - lead
        action[:6] = np.clip(motion / env.layout.reach[:6], -1.0, 1.0)
        action[6] = rev_s / SPINDLE_REV_S
        _, _, terminated, _, info = env.step(action)
        if terminated:
            break
    return info


def turn_until(env: NutFastening, fraction: float, *, rev_s: float = 1.0) -> dict[str, Any]:
    """Run the nut down until its torque is `fraction` of the window's middle, then stop."""
    info: dict[str, Any] = {}
    for _ in range(300):
        slow = env.runner.thread.clamp_n > 0.0
        info = work(env, 1, rev_s=0.1 if slow else rev_s)
        if any(info["scorecard"].values()) or env.runner.thread.tightness_n_m >= fraction * env._target_n_m:
            break
    return info


# Nuts and bolts


@ALL
def test_the_bolt_has_its_clearance_in_the_bore(nut: Nut) -> None:
    bore_m = min(
        solid.centre_body[:2] @ solid.rotation_body[:2, 0] - solid.half_m[0] for solid in nut.solids()
    )
    bolt = nut.fixture_solids(nut.clearance_m, nut.chamfer_m)
    radius_m = max(solid.radius_m for solid in bolt if isinstance(solid, Cylinder))
    assert bore_m == pytest.approx(0.5 * nut.form.minor_diameter_m)
    assert bore_m - radius_m == pytest.approx(nut.clearance_m)
    assert len(nut.solids()) <= 16


@ALL
def test_a_seated_nut_overlaps_nothing(nut: Nut) -> None:
    bolt = nut.fixture_solids(nut.clearance_m, nut.chamfer_m)
    for angle in np.linspace(0.0, TURN_RAD, 24, endpoint=False):
        for radius_m in (1.001 * nut.bore_m, 0.5 * nut.across_flats_m):
            for height_m in (0.0, nut.height_m):
                out = radius_m * np.array([np.cos(angle), np.sin(angle)])
                point = np.array([*out, height_m - nut.depth_m])
                assert not any(inside(solid, point) for solid in bolt)


@ALL
def test_chamfer_of_the_point_is_at_45_degrees_and_stays_within_its_cone(nut: Nut) -> None:
    bolt = nut.fixture_solids(nut.clearance_m, nut.chamfer_m)
    radius_m = nut.bore_m - nut.clearance_m
    for fraction in (0.1, 0.5, 0.9):
        cone_m = radius_m - nut.chamfer_m * (1.0 - fraction)
        for angle in np.linspace(0.0, TURN_RAD, 12, endpoint=False):
            way = np.array([np.cos(angle), np.sin(angle), 0.0])
            below = np.array([0.0, 0.0, -fraction * nut.chamfer_m])
            assert any(inside(solid, (cone_m - 1e-5) * way + below) for solid in bolt)
            assert not any(inside(solid, (cone_m + 1e-5) * way + below) for solid in bolt)


@ALL
def test_pictures_show_nut_bolt_and_washer_where_they_are(nut: Nut) -> None:
    vertices, faces, surface = nut.fixture_shape(nut.clearance_m, nut.chamfer_m)
    block, washer, thread, point = (
        vertices[np.unique(faces[surface == kind])]
        for kind in (Surface.BLOCK, Surface.CHAMFER, Surface.WALL, Surface.PART)
    )
    assert block[:, 2].min() == pytest.approx(-BLOCK_HEIGHT_M)
    assert block[:, 2].max() == pytest.approx(-nut.depth_m - WASHER_M)
    assert washer[:, 2].max() == pytest.approx(-nut.depth_m)
    assert np.hypot(*thread[:, :2].T).max() == pytest.approx(0.5 * nut.size_m)
    assert point[:, 2].max() == pytest.approx(0.0)
    part = nut.shape()
    hexagon = part.vertices[np.unique(part.faces[part.surface == Surface.PART])]
    assert hexagon[:, 2].min() == pytest.approx(0.0)
    assert part.vertices[:, 2].max() > GRASP_HEIGHT_M


def test_held_out_are_a_size_and_a_pitch_that_training_never_sees_together() -> None:
    training = [NUTS.by_name[name] for name in NUTS.splits["train"]]
    assert {(nut.size_m, nut.pitch_m) for nut in training}.isdisjoint(
        (NUTS.by_name[name].size_m, NUTS.by_name[name].pitch_m) for name in NUTS.held_out
    )
    assert 14e-3 not in {nut.size_m for nut in training}
    assert 10e-3 in {nut.size_m for nut in training}


def test_impossible_nut_is_refused_with_its_value() -> None:
    m16 = NUTS.by_name["M16"]
    with pytest.raises(ValueError, match=r"M16: need 0 < self\.torque_window_n_m=\(1\.5, 1\.2\)"):
        replace(m16, torque_window_n_m=(1.5, 1.2))
    with pytest.raises(ValueError, match="leaves less than a turn"):
        replace(m16, depth_m=m16.point_m + 1e-3)
    with pytest.raises(ValueError, match=r"pitch_m=0\.005 is outside"):
        replace(m16, pitch_m=5e-3)


# Task


def test_a_clear_nut_feels_no_force_while_its_spindle_turns(env: NutFastening) -> None:
    begin(env)
    work(env, 20, rev_s=2.0, lead_m=0.0)
    assert env.measurement.height_m > 5e-3
    assert env.measurement.peak_force_n < 0.1  # what tool and part do to each other in the air
    assert env.measurement.spindle_torque_n_m == pytest.approx(0.0, abs=1e-9)
    assert env.runner.spindle_rad > TURN_RAD


def test_success_is_a_nut_in_its_torque_window(env: NutFastening) -> None:
    begin(env)
    turn_until(env, 1.0)
    info = work(env, 20)
    assert info["is_success"]
    card: NutScorecard = env.scorecard()
    low, high = env.product.torque_window_n_m
    assert low <= card.tightness_n_m <= high
    assert low <= card.peak_torque_n_m <= high
    assert card.engaged
    assert not card.cross_threaded
    assert card.turns == pytest.approx(3.25, abs=0.1)
    assert card.depth_share == pytest.approx(1.0, abs=0.02)
    assert env.trace()["tightness_n_m"][-1] == pytest.approx(card.tightness_n_m)


def test_a_nut_goes_down_by_its_pitch_per_turn(env: NutFastening) -> None:
    begin(env, "M12")
    work(env, 90, rev_s=0.8)
    assert env.measurement.engaged
    before = env.measurement
    work(env, 20, rev_s=0.8)
    led_m = before.height_m - env.measurement.height_m
    assert env.runner.thread.clamp_n == 0.0
    assert led_m == pytest.approx((env.measurement.turns - before.turns) * 1.75e-3, abs=0.03e-3)
    assert led_m > 1e-3


def test_a_nut_turned_the_wrong_way_does_not_go_down(env: NutFastening) -> None:
    begin(env)
    work(env, 120, rev_s=-1.0)
    assert not env.measurement.engaged
    assert env.measurement.height_m > -env.product.point_m - 0.3e-3
    assert env.runner.spindle_rad < -3.0 * TURN_RAD


def test_a_nut_that_is_only_pushed_does_not_go_down(env: NutFastening) -> None:
    begin(env)
    work(env, 80, lead_m=-4.5e-3)
    assert not env.measurement.engaged
    assert env.measurement.height_m > -env.product.point_m - 0.5e-3


def test_a_nut_beside_the_point_does_not_catch(env: NutFastening) -> None:
    begin(env)
    nut = env.product
    work(env, 15, lead_m=0.0, aside_m=nut.clearance_m + nut.chamfer_m + 0.5e-3)
    work(env, 60, rev_s=1.0, aside_m=nut.clearance_m + nut.chamfer_m + 0.5e-3)
    assert env.measurement.force_n > 1.0
    assert env.measurement.height_m > -0.1e-3
    assert not env.measurement.engaged


def test_a_nut_held_off_the_axis_does_not_catch(env: NutFastening) -> None:
    """The bolt's point fits its bore with 0.9 mm to spare: at the thread it can still be off by that."""
    begin(env)
    work(env, 40, rev_s=0.0, lead_m=-1e-3)
    work(env, 60, rev_s=1.0, lead_m=-1e-3, aside_m=4e-3)
    assert env.measurement.lateral_m > env.product.form.lateral_limit_m
    assert not env.measurement.engaged


def test_a_nut_below_or_above_its_window_is_no_success(patient: NutFastening) -> None:
    begin(patient)
    turn_until(patient, 0.7)
    work(patient, 10)
    assert patient.measurement.engaged
    assert patient.measurement.held_s == 0.0
    turn_until(patient, 1.0)
    work(patient, 10)
    assert patient.measurement.held_s > 0.25
    turn_until(patient, 1.3)
    work(patient, 5)
    assert patient.measurement.tightness_n_m > patient.product.torque_window_n_m[1]
    assert patient.measurement.held_s == 0.0
    assert not patient._failed(patient.measurement)


def test_a_nut_runner_holds_at_the_torque_that_it_is_set_to(env: NutFastening) -> None:
    """However fast it comes to the flange, and for as long as it is asked to turn."""
    for product in ("M10", "M16"):
        begin(env, product)
        assert work(env, 300, rev_s=2.0)["is_success"]
        card: NutScorecard = env.scorecard()
        assert card.peak_torque_n_m == pytest.approx(env._target_n_m, rel=0.05)
        assert card.tightness_n_m == pytest.approx(env._target_n_m, rel=0.06)
    held = []
    for seed in range(24):
        env.reset(seed=seed, options={"product": "M12", "disturbances": "none"})
        held.append(env.runner._limit_n_m / env._target_n_m)
    assert 0.95 <= min(held) < 0.97
    assert 1.03 < max(held) <= 1.05


def test_a_nut_runner_that_is_set_too_high_breaks_the_part(patient: NutFastening) -> None:
    env = patient
    begin(env)
    info = work(env, 300, rev_s=2.0)
    card: NutScorecard = env.scorecard()
    assert card.broken
    assert not info["is_success"]
    assert card.peak_torque_n_m > env.product.torque_limit_n_m
    assert card.peak_force_n < env.product.force_limit_n
    assert info["reward_terms"]["broken"] == -10.0


def test_the_wrist_feels_the_spindles_torque_and_the_housing_holds(patient: NutFastening) -> None:
    begin(patient)
    turn_until(patient, 0.9)
    work(patient, 3, rev_s=0.05)
    torque = patient.runner.torque_n_m
    assert torque > 0.8
    assert patient._state.wrench_t[5] - patient._tare[5] == pytest.approx(torque, rel=0.1)
    assert abs(patient._state.tool[5]) < 0.1


def test_a_crossed_nut_is_no_success_and_costs_until_it_is_free(env: NutFastening) -> None:
    begin(env)
    thread = env.runner.thread
    paid = []
    for bite in (Bite.FREE, Bite.CROSSED, Bite.ENGAGED):
        thread.bite, thread.caught_rad = bite, thread.nut_rad
        env.measurement = env._measure_state(env._state, before=env.measurement)
        terms = env._reward_terms(env.measurement)
        paid.append((terms["crossed"], terms["engaged"]))
        env._before = env.measurement
    assert paid == [(0.0, 0.0), (-0.2, 0.0), (0.0, 2.0)]
    seated = np.eye(4)
    seated[2, 3] = -env.product.depth_m
    thread.bite, thread.caught_rad = Bite.CROSSED, thread.nut_rad - 20.0
    m = env._measure_state(env._state._replace(part_f=seated), before=env.measurement)
    assert (m.tightness_n_m, m.held_s) == (0.0, 0.0)


def test_tightening_pays_up_to_the_window_and_is_paid_back_towards_the_limit() -> None:
    nut = NUTS.by_name["M16"]
    (low, high), limit = nut.torque_window_n_m, nut.torque_limit_n_m
    assert [tightened(x, nut) for x in (0.0, 0.5 * low, low, high)] == [0.0, 0.5, 1.0, 1.0]
    assert tightened(0.5 * (high + limit), nut) == pytest.approx(0.5)
    assert tightened(limit, nut) == tightened(2.0 * limit, nut) == 0.0


def test_a_policy_is_told_what_a_nut_runner_shows(patient: NutFastening) -> None:
    begin(patient)
    turn_until(patient, 0.9)
    turn_rad, speed_rad_s, torque, low, high = patient._observe_own()["spindle"].tolist()
    assert turn_rad == patient.runner.spindle_rad
    assert speed_rad_s == pytest.approx(TURN_RAD * patient.runner.speed_rev_s)
    assert torque == pytest.approx(patient.runner.torque_n_m, abs=0.05)
    assert (low, high) == patient.product.torque_window_n_m
    assert patient.observation_space["last_action"].shape == (7,)
    assert patient.observation_space["history"].shape == (6 * (6 + 6 + 7),)


def test_the_critic_knows_thread_and_turns_to_go(patient: NutFastening) -> None:
    begin(patient)
    told = dict(zip(patient.privileged_names, patient._privileged().tolist(), strict=True))
    assert (told["engaged"], told["crossed"], told["tightness"]) == (0.0, 0.0, 0.0)
    assert (told["pitch"], told["point"]) == (2e-3, 4e-3)
    assert 3.2 < told["turns_left"] < 4.4
    turn_until(patient, 0.9)
    told = dict(zip(patient.privileged_names, patient._privileged().tolist(), strict=True))
    assert told["engaged"] == 1.0
    assert told["turns_left"] == pytest.approx(0.1 * 0.25, abs=0.02)
    assert told["tightness"] == pytest.approx(0.9 * 1.2, abs=0.1)


def test_joints_differ_from_episode_to_episode(env: NutFastening) -> None:
    joints = []
    for seed in range(12):
        env.reset(seed=seed, options={"product": "M16", "disturbances": "none"})
        joints.append(env.runner.thread.joint)
    rates = [joint.torque_rate_n_m_rad for joint in joints]
    # A quarter turn from the flange as drawn, from 0.8 to 1.25 times as stiff.
    assert 0.8 * 1.2 / (np.pi / 2) <= min(rates) < 0.9 * 1.2 / (np.pi / 2)
    assert 1.1 * 1.2 / (np.pi / 2) < max(rates) <= 1.25 * 1.2 / (np.pi / 2)
    assert np.ptp([joint.start_rad for joint in joints]) > 3.0
    assert all(0.02 * 1.2 <= joint.prevailing_n_m <= 0.08 * 1.2 for joint in joints)


def test_a_dry_joint_reaches_its_torque_at_less_preload(env: NutFastening) -> None:
    """The clamped parts are as stiff as drawn, whatever the friction."""
    joints = []
    for factor in (2.0 / 3.0, 4.0 / 3.0):
        fixed = AssemblyDisturbances(contact_friction=ContactFriction(factor=(factor, factor)))
        begin(env, disturbances=fixed)
        joints.append(env.runner.thread.joint)
    oiled, dry = joints
    assert (oiled.friction, dry.friction) == (pytest.approx(0.08), pytest.approx(0.16))
    assert oiled.stiffness_n_m == dry.stiffness_n_m
    assert dry.tightening_arm_m > 1.6 * oiled.tightening_arm_m


def test_a_new_episode_begins_with_a_free_nut(env: NutFastening) -> None:
    begin(env)
    turn_until(env, 1.0)
    assert env.measurement.engaged
    begin(env)
    assert not env.measurement.engaged
    assert env.runner.spindle_rad == 0.0
    assert env.scorecard().peak_torque_n_m == 0.0


def test_a_new_nut_is_data(env: NutFastening) -> None:
    m8 = replace(
        NUTS.by_name["M10"],
        name="M8",
        size_m=8e-3,
        pitch_m=1.25e-3,
        across_flats_m=13e-3,
        height_m=6.8e-3,
        clearance_m=0.4e-3,
        torque_window_n_m=(0.3, 0.45),
        torque_limit_n_m=0.6,
    )
    begin(env, m8)  # type: ignore[arg-type]
    turn_until(env, 1.0)
    info = work(env, 20)
    assert info["is_success"]
    assert info["product"] == "M8"


def test_the_nut_is_seen_turning(env: NutFastening) -> None:
    begin(env)
    upright = env.part_w
    work(env, 5, rev_s=1.0, lead_m=0.0)
    turned_rad = env.runner.spindle_rad
    x_axis = (np.linalg.inv(upright) @ env.part_w)[:3, 0]
    assert np.arctan2(x_axis[1], x_axis[0]) == pytest.approx(-turned_rad, abs=1e-2)
