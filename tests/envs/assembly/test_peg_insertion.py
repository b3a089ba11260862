"""The insertion task: what it observes, what it rewards, how it ends."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from cellwright_envs.assembly.cell import NOMINAL_FIXTURE_W
from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.disturbances import AssemblyDisturbances, resolve
from cellwright_envs.assembly.disturbances.mechanics import ControllerGain, GripStrength
from cellwright_envs.assembly.measurement import InsertionScorecard
from cellwright_envs.assembly.observation import HISTORY_LAGS
from cellwright_envs.assembly.parts.pegs import PEGS, Peg
from cellwright_envs.assembly.peg_insertion import PegInsertion
from cellwright_envs.assembly.reward import alignment, over_force
from cellwright_runtime.interface.force_loop import FORCE_SHARE

DOWN = np.array([0.0, 0.0, -0.6, 0.0, 0.0, 0.0], dtype=np.float32)


@pytest.fixture(scope="module")
def env() -> Iterator[PegInsertion]:
    env = PegInsertion(privileged=True, record_trace=True, render_mode="rgb_array")
    yield env
    env.close()


def begin(env: PegInsertion, product: str | Peg, disturbances: str = "none", seed: int = 0) -> Any:
    return env.reset(seed=seed, options={"product": product, "disturbances": disturbances})[0]


def insert(env: PegInsertion, steps: int = 320) -> tuple[list[dict[str, float]], dict[str, Any] | None]:
    """Lower the part while keeping its tip over the hole; the reward terms, and the info of the end."""
    terms: list[dict[str, float]] = []
    for _ in range(steps):
        names = env.privileged_names
        state = dict(zip(names, env._privileged(), strict=True))
        action = DOWN.copy()
        action[0], action[1] = (np.clip(-400.0 * state[f"tip_{axis}"], -1, 1) for axis in "xy")
        action[5] = np.clip(-40.0 * state["yaw_error"], -1, 1)
        _, _, terminated, _, info = env.step(action)
        terms.append(info["reward_terms"])
        if terminated:
            return terms, info
    return terms, None


def test_gymnasium_finds_no_fault(env: PegInsertion) -> None:
    check_env(env, skip_render_check=True)  # which needs an environment from the registry


def test_stable_baselines_finds_no_fault(env: PegInsertion) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing the checker imports torch, which may warn
        from stable_baselines3.common.env_checker import check_env as check_for_sb3
    check_for_sb3(env)


@pytest.mark.parametrize("name", ["round-8-0.5", "square-8-0.3", "keyed-16-0.3", "hexagonal-8-0.5-chamfer"])
def test_a_part_that_goes_in_and_stays_is_a_success(env: PegInsertion, name: str) -> None:
    begin(env, name)
    terms, info = insert(env)
    assert info is not None
    assert info["is_success"]
    assert info["product"] == name
    card: InsertionScorecard = env.scorecard()
    assert card.success
    assert not card.broken
    assert card.depth_share >= 0.95
    assert card.lateral_m <= PEGS.by_name[name].clearance_m + 0.1e-3
    assert card.peak_force_n < PEGS.by_name[name].force_limit_n
    assert [term["success"] for term in terms[:-1]] == [0.0] * (len(terms) - 1)
    assert terms[-1]["success"] > 0.0
    seated = [term["seated"] > 0.0 for term in terms]
    assert seated[-6:] == [True] * 6  # 0.25 s in whole periods of 48 ms
    assert not seated[-7]


def test_depth_and_alignment_pay_for_what_was_gained(env: PegInsertion) -> None:
    begin(env, "round-8-0.5")
    terms, info = insert(env)
    assert info is not None
    assert sum(term["depth"] for term in terms) == pytest.approx(10.0 * info["scorecard"]["depth_share"])
    assert max(abs(term["alignment"]) for term in terms) <= 3.0


def test_breaking_the_force_limit_ends_the_part() -> None:
    """On an arm twice as stiff as set: its leash alone is more than the part bears."""
    fragile = Peg(name="glass", family="round", size_m=8e-3, clearance_m=0.5e-3, force_limit_n=13.0)
    stiff = AssemblyDisturbances(controller_gain=ControllerGain(stiffness_factor=(2.0, 2.0)))
    env = PegInsertion(product=fragile, disturbances=stiff)
    assert env.reset(seed=0)[0]["limit"] == 13.0
    aside = DOWN + np.array([1.0, 0, 0, 0, 0, 0], dtype=np.float32)
    for step in range(500):
        _, reward, terminated, _, info = env.step(aside if step < 50 else DOWN)
        if terminated:
            break
    assert terminated
    assert not info["is_success"]
    assert info["scorecard"]["broken"] == 1.0
    assert info["scorecard"]["peak_force_n"] > 13.0
    assert info["reward_terms"]["broken"] == -10.0
    assert reward < -9.0
    env.close()


def test_the_largest_force_of_an_insertion_is_remembered(env: PegInsertion) -> None:
    begin(env, "square-16-1")
    for step in range(120):
        env.step(DOWN + np.array([1.0 if step < 20 else 0.0, 0, 0, 0, 0, 0], dtype=np.float32))
    pressed_n = env.scorecard().peak_force_n
    assert pressed_n > 4.0
    for _ in range(40):
        env.step(-DOWN)
    assert env.measurement.force_n < 0.5
    assert env.scorecard().peak_force_n == max(env.trace()["peak_force_n"]) >= pressed_n


def test_overlap_is_no_progress(env: PegInsertion) -> None:
    begin(env, "square-8-0.3")
    shallow = env.measurement
    sunk = env._state._replace(part_f=np.diag([1.0, 1.0, 1.0, 1.0]), overlap_m=0.15e-3)
    sunk.part_f[2, 3] = -0.0249
    assert env._measure_state(sunk, before=shallow).depth_m == shallow.depth_m
    clean = sunk._replace(overlap_m=0.05e-3)
    assert env._measure_state(clean, before=shallow).depth_m == pytest.approx(0.0249)
    assert env._measure_state(clean, before=shallow).held_s > 0.0
    assert env._measure_state(sunk, before=shallow).held_s == 0.0


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("depth_m", 0.951 * 0.025, 0.949 * 0.025),
        ("lateral_m", 0.80e-3, 0.82e-3),  # sqrt(2) clearances of 0.5 mm, and 0.1 mm
        ("tilt_rad", np.deg2rad(1.9), np.deg2rad(2.1)),
        ("overlap_m", 0.09e-3, 0.11e-3),
    ],
)
def test_a_part_is_seated_when_deep_central_upright_and_clear(
    env: PegInsertion, field: str, good: float, bad: float
) -> None:
    begin(env, "round-8-0.5")
    seated = replace(env.measurement, depth_m=0.025, lateral_m=0.0, tilt_rad=0.0, overlap_m=0.0)
    assert env._seated(replace(seated, **{field: good}))
    assert not env._seated(replace(seated, **{field: bad}))


def test_a_part_that_was_broken_on_its_way_is_no_success(env: PegInsertion) -> None:
    begin(env, "round-8-0.5")
    held = replace(env.measurement, held_s=1.0)
    assert env._succeeded(held)
    assert not env._succeeded(replace(held, peak_force_n=env.product.force_limit_n + 0.1))


def test_a_part_that_is_pushed_out_of_the_fingers_is_lost(env: PegInsertion) -> None:
    weak = AssemblyDisturbances(grip_strength=GripStrength(factor=(0.05, 0.05)))
    env.reset(seed=0, options={"product": "round-8-0.5", "disturbances": weak})
    beside = np.array([1.0, 0, 0, 0, 0, 0], dtype=np.float32)
    for step in range(300):
        _, _, terminated, *_ = env.step(beside if step < 14 else DOWN)
        if terminated:
            break
    card: InsertionScorecard = env.scorecard()
    assert terminated
    assert card.lost
    assert not card.success
    assert not card.broken
    assert card.slip_m > env.config.lost_m


def test_loosely_a_part_counts_until_it_is_a_centimetre_off(env: PegInsertion) -> None:
    begin(env, "round-8-0.5")
    assert env.scorecard().loose_success
    for _ in range(40):
        env.step(np.array([1.0, 0, 0, 0, 0, 0], dtype=np.float32))
    assert env.scorecard().lateral_m > 0.01
    assert not env.scorecard().loose_success


def test_actions_move_along_the_axes_of_the_tool(env: PegInsertion) -> None:
    begin(env, "round-8-0.5")
    for _ in range(16):
        turned = env.step(np.array([0, 0, 0, 0, 0, 1.0], dtype=np.float32))[0]
    yaw_rad = turned["pose"][5]
    for _ in range(20):
        moved = env.step(np.array([0.5, 0, 0, 0, 0, 0], dtype=np.float32))[0]
    along_m = (moved["pose"] - turned["pose"])[:2]
    assert yaw_rad > 0.1
    assert np.arctan2(along_m[1], along_m[0]) == pytest.approx(yaw_rad, abs=0.02)


@pytest.mark.parametrize(
    ("family", "turn_rad", "error_rad"),
    [("square", np.pi / 2 + 0.1, 0.1), ("keyed", np.pi / 2, np.pi / 2), ("round", 1.0, 0.0)],
)
def test_yaw_error_is_to_the_nearest_turn_that_fits(
    env: PegInsertion, family: str, turn_rad: float, error_rad: float
) -> None:
    begin(env, next(name for name in PEGS.splits["train"] if name.startswith(family)))
    turned = np.eye(4)
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    turned[:2, :2] = [[c, -s], [s, c]]
    measured = env._measure_state(env._state._replace(part_f=turned), before=None)
    assert measured.yaw_error_rad == pytest.approx(error_rad)


def test_leash_holds_the_reference_near_the_tool(env: PegInsertion) -> None:
    begin(env, "square-16-1")
    leash = env.config.compliance
    furthest = 0.0
    for _ in range(200):
        observation, *_ = env.step(DOWN + np.array([1.0, 0, 0, 0, 0, 0.5], dtype=np.float32))
        furthest = max(furthest, float(np.linalg.norm(observation["leash"][:3])))
    assert 0.9 * leash.leash_m < furthest <= 1.2 * leash.leash_m
    assert env.scorecard().peak_force_n < FORCE_SHARE * env.product.force_limit_n


def test_pose_is_told_relative_to_the_nominal_fixture(env: PegInsertion) -> None:
    observation = begin(env, "round-8-0.5", "fixture_pose", seed=5)
    expected = env.tool_w[:3, 3] - NOMINAL_FIXTURE_W
    np.testing.assert_allclose(observation["pose"][:3], expected, atol=1e-7)
    np.testing.assert_allclose(expected, [0.0, 0.0, 0.012], atol=1.01e-3)
    true = dict(zip(env.privileged_names, observation["privileged"], strict=True))
    assert np.hypot(true["fixture_x"], true["fixture_y"]) > 1e-4


def test_wrench_is_tared_and_feels_the_rim(env: PegInsertion) -> None:
    observation = begin(env, "square-16-1")
    np.testing.assert_array_equal(observation["wrench"], 0.0)
    for step in range(120):
        observation, *_ = env.step(
            DOWN + np.array([1.0 if step < 20 else 0.0, 0, 0, 0, 0, 0], dtype=np.float32)
        )
    assert observation["wrench"][2] > 4.0


def test_history_tells_what_was_observed(env: PegInsertion) -> None:
    observation = begin(env, "round-8-0.5", "train", seed=4)
    seen = [observation]
    for step in range(HISTORY_LAGS[-1] + 4):
        action = np.full(6, 0.02 * step, dtype=np.float32)
        seen.append(env.step(action)[0])
    lagged = seen[-1]["history"].reshape(len(HISTORY_LAGS), -1)
    for row, lag in enumerate(HISTORY_LAGS):
        past = seen[-1 - lag]
        np.testing.assert_array_equal(
            lagged[row], np.concatenate([past["pose"], past["wrench"], past["last_action"]])
        )


def test_one_disturbance_leaves_the_draws_of_the_others(env: PegInsertion) -> None:
    begin(env, "round-8-0.5", "train", seed=9)
    train = env.disturbed
    begin(env, "round-8-0.5", "hand_camera+grasp_offset", seed=9)
    assert env.disturbed.hand_camera == train.hand_camera
    assert env.disturbed.grasp_offset == train.grasp_offset
    assert env.disturbed.fixture_pose.offset == (0.0,) * 6


def test_a_knocked_camera_changes_its_own_view_only(env: PegInsertion) -> None:
    for seed in range(3, 30):
        knocked = begin(env, "round-8-0.5", "fixture_pose+camera_knock", seed=seed)["image"].astype(int)
        if any(env.disturbed.camera_knock.translation_m):
            break
    straight = begin(env, "round-8-0.5", "fixture_pose", seed=seed)["image"].astype(int)
    assert env.disturbed.camera_knock.translation_m == (0.0, 0.0, 0.0)
    assert np.abs(knocked[0] - straight[0]).mean() > 1.0
    np.testing.assert_array_equal(knocked[1], straight[1])


def test_rendering_shows_the_cell_and_what_the_cameras_see(env: PegInsertion) -> None:
    begin(env, "keyed-16-0.3", "train")
    picture = env.render()
    assert picture.shape == (480, 640, 3)
    assert picture.dtype == np.uint8
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 300
    assert np.array_equal(picture[342:470:2, 10:138:2, 0], env.delivered_frame[0])


def test_trace_follows_depth_and_force(env: PegInsertion) -> None:
    begin(env, "round-8-0.5")
    terms, info = insert(env)
    assert info is not None
    trace = env.trace()
    assert len(trace["depth_m"]) == len(terms)
    assert trace["wrench_t"].shape == (len(terms), 6)
    assert trace["depth_m"][-1] == pytest.approx(0.025, abs=1e-4)
    assert trace["peak_force_n"][-1] == info["scorecard"]["peak_force_n"]


def test_trace_that_was_not_recorded_is_refused() -> None:
    env = PegInsertion()
    with pytest.raises(ValueError, match="record_trace=True"):
        env.trace()
    env.close()


def test_one_seed_is_one_episode_also_after_others_and_in_a_pickle(env: PegInsertion) -> None:
    def play(cell: PegInsertion) -> list[np.ndarray]:
        seen = [*cell.reset(seed=3)[0].values()]
        for _ in range(25):
            seen += [*cell.step(DOWN)[0].values()]
        return seen

    first = play(env)
    begin(env, "square-12-0.1-chamfer", "hard", seed=8)
    restored = pickle.loads(pickle.dumps(env))
    for again in (play(env), play(restored)):
        assert all(map(np.array_equal, first, again))
    restored.close()


def test_training_parts_are_drawn_and_held_out_ones_never(env: PegInsertion) -> None:
    drawn = set()
    for seed in range(60):
        env.reset(seed=seed)
        drawn.add(env.product.name)
    assert drawn.isdisjoint(PEGS.held_out)
    assert len(drawn) > 8


def test_unknown_option_is_refused(env: PegInsertion) -> None:
    with pytest.raises(ValueError, match="known: product, disturbances"):
        env.reset(options={"part": "round-8-0.5"})


def test_alignment_and_force_terms_are_bounded() -> None:
    assert alignment(0.0, 0.0) == 1.0
    assert alignment(2e-3, 0.0) == pytest.approx(0.5)
    assert alignment(0.0, 0.1) == pytest.approx(0.5)
    assert over_force(11.9, limit_n=30.0) == 0.0
    assert over_force(30.0, limit_n=30.0) == 1.0
    assert over_force(1e3, limit_n=30.0) == 1.0


def test_a_part_too_fragile_to_be_approached_is_refused_before_its_episode(env: PegInsertion) -> None:
    begin(env, "round-8-0.5")
    fragile = replace(env.product, name="glass", force_limit_n=12.0)
    with pytest.raises(ValueError, match="glass: a part that bears 12 N cannot be approached"):
        PegInsertion(product=fragile)
    with pytest.raises(ValueError, match="glass"):
        env.reset(options={"product": fragile})
    env.step(np.zeros(6, np.float32))  # its episode goes on


def test_impossible_configuration_is_refused_with_its_value() -> None:
    with pytest.raises(ValueError, match=r"sensor_low_pass <= 1, got 1\.5"):
        InsertionConfig(sensor_low_pass=1.5)


def test_disturbances_can_be_narrowed_one_by_one() -> None:
    env = PegInsertion(disturbances="none")
    assert "fixture_pose" in env.disturbance_names("train")
    assert env.disturbance_names("fixture_pose") == ("fixture_pose",)
    assert env.disturbances == resolve("none")
    env.narrow_disturbances("train", {"fixture_pose": 0.5})
    assert env.disturbances.fixture_pose.sigma_m == pytest.approx(0.5 * resolve("train").fixture_pose.sigma_m)
    assert env.disturbances.backlash == resolve("train").backlash
    env.close()
