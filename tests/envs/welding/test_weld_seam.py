"""The weld task: how episodes end, limits of actions, what it observes, what it refuses, what it rewards."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_assets import ur10e
from cellwright_envs.disturbances.actuation import ActuatorLatency
from cellwright_envs.welding.config import WeldSeamConfig
from cellwright_envs.welding.disturbances import NAMED, WeldDisturbances
from cellwright_envs.welding.disturbances.events import ProcedureChange
from cellwright_envs.welding.inspection.quality import Feature
from cellwright_envs.welding.observation import MOTION
from cellwright_envs.welding.part.paths import arc, straight
from cellwright_envs.welding.part.product import PRODUCTS, WeldProcedure, WeldProduct
from cellwright_envs.welding.reward import grade_score, on_seam
from cellwright_envs.welding.weld_cell import ORIGIN_W
from cellwright_envs.welding.weld_seam import WeldSeam
from cellwright_perception.seam.line_tracker import PROFILE_POINTS
from cellwright_perception.seam.taught_path import TorchPlace
from cellwright_runtime.interface.path_correction import COMMANDS, SensorFrame

STILL = np.zeros(5, np.float32)
BUTT = "butt-straight-2.3"
MOTION_NAMES = [component.name for component in MOTION]


@pytest.fixture(scope="module")
def cell() -> Iterator[WeldSeam]:
    """A cell without disturbances, shared: every test resets it."""
    env = WeldSeam(product="all", disturbances="none", privileged=True)
    yield env
    env.close()


@pytest.fixture(scope="module")
def roomy_cell() -> Iterator[WeldSeam]:
    """A cell in which no placement error ends the episode."""
    env = WeldSeam(product=BUTT, disturbances="none", config=WeldSeamConfig(scrap_m=1.0))
    yield env
    env.close()


def act(**values: float) -> np.ndarray:
    """An action that leaves everything alone but the named components."""
    return np.array([values.get(name, 0.0) for name in COMMANDS], np.float32)


def run(env: WeldSeam, action: np.ndarray, steps: int = 2000) -> tuple[dict[str, Any], float, int]:
    """Repeat one action until the episode ends: last info, last reward and the steps taken."""
    for step in range(steps):
        _, reward, terminated, _, info = env.step(action)
        if terminated:
            return info, reward, step + 1
    raise AssertionError(f"the episode did not end within {steps} steps")


def privileged(env: WeldSeam, observation: dict[str, np.ndarray], name: str) -> float:
    return float(observation["privileged"][env.privileged_names.index(name)])


def motion(observation: dict[str, np.ndarray], name: str) -> float:
    return float(observation["motion"][MOTION_NAMES.index(name)])


# How episodes end


@pytest.mark.parametrize("name", PRODUCTS)
def test_the_taught_program_welds_every_undisturbed_product_to_level_c(cell: WeldSeam, name: str) -> None:
    cell.reset(seed=1, options={"product": name})
    info, _, _ = run(cell, STILL)
    scorecard = cell.scorecard()
    assert info["is_success"], scorecard.defect_length_by_code_m
    assert scorecard.unwelded_length_m == 0.0
    assert scorecard.tracking_error_p95_m < 0.1e-3
    assert info["product"] == name


def test_a_product_of_ones_own_can_be_welded(cell: WeldSeam) -> None:
    procedure = WeldProcedure(current_a=140, voltage_v=20.0, travel_speed_m_s=8.6e-3)
    bracket = WeldProduct(
        name="bracket", joint="lap", path=arc(0.2, 0.3), thickness_m=2.6e-3, procedure=procedure
    )
    cell.reset(seed=1, options={"product": bracket})
    info, _, _ = run(cell, STILL)
    assert info["product"] == "bracket"
    assert info["is_success"]


@pytest.mark.parametrize(("name", "raise_m"), [("part", 0.02), ("fixture", 0.10)])
def test_touching_something_ends_the_episode_as_a_crash(cell: WeldSeam, name: str, raise_m: float) -> None:
    cell.reset(seed=1, options={"product": BUTT})
    cell.cell.world.place_static(name, np.array([0.0, 0.0, raise_m]), 0.0, ORIGIN_W)
    info, reward, steps = run(cell, STILL)
    cell.cell.world.place_static("fixture", np.zeros(3), 0.0, ORIGIN_W)
    assert steps == 1
    assert info["touching"] == name
    assert info["scorecard"]["crashed"] == 1.0
    assert not info["is_success"]
    assert info["reward_terms"]["crash"] == -50.0
    assert reward < -45.0


@pytest.mark.parametrize("name", ["lap-straight-2.3", "tee-flange-3.2"])
def test_the_part_can_be_touched_all_along_its_seam(cell: WeldSeam, name: str) -> None:
    for fraction in (0.1, 0.5, 0.9):
        cell.reset(seed=1, options={"product": name})
        while cell.wire.wire_m < fraction * cell.cell.frames.length_m:
            cell.step(STILL)
        cell.cell.world.place_static("part", np.array([0.0, 0.0, 0.02]), 0.0, ORIGIN_W)
        *_, terminated, _, info = cell.step(STILL)
        assert terminated
        assert info["touching"] == "part"


@pytest.fixture
def narrow_cell() -> Iterator[WeldSeam]:
    """A cell in which less than a policy may command makes scrap."""
    config = WeldSeamConfig(scrap_m=1.0e-3)
    env = WeldSeam(product=BUTT, disturbances="none", privileged=True, config=config)
    yield env
    env.close()


def test_a_wire_too_far_from_the_seam_makes_scrap(narrow_cell: WeldSeam) -> None:
    cell = narrow_cell
    cell.reset(seed=1)
    while not cell.measurement.arc_on:
        cell.step(STILL)
    info, _, _ = run(cell, act(lateral_offset=1.0))
    assert info["touching"] == ""
    assert info["reward_terms"]["crash"] == -50.0
    assert info["scorecard"]["crashed"] == 1.0
    observation = cell._observe()
    assert abs(privileged(cell, observation, "lateral_error_0_mm_ahead")) == pytest.approx(
        cell.config.scrap_m, abs=0.3e-3
    )


def test_before_the_arc_burns_no_distance_makes_scrap(narrow_cell: WeldSeam) -> None:
    cell = narrow_cell
    cell.reset(seed=1)
    for _ in range(29):
        observation, _, terminated, _, info = cell.step(act(lateral_offset=1.0))
        assert not terminated
    assert motion(observation, "lateral_correction") > cell.config.scrap_m
    assert info["reward_terms"]["grade"] == 0.0


# Actions


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_corrections_keep_to_rate_and_range(sign: float) -> None:
    config = WeldSeamConfig(scrap_m=1.0, lateral_range_m=1.2e-3, height_range_m=0.9e-3)
    env, dt = WeldSeam(product=BUTT, disturbances="none", config=config), config.control_period_s
    observation, _ = env.reset(seed=1)
    for _ in range(60):
        before = observation
        # Beyond the action space: a policy that asks for more gets no more.
        observation, *_ = env.step(act(lateral_offset=3.0 * sign, height_offset=3.0 * sign))
        for name, range_m in (
            ("lateral_correction", config.lateral_range_m),
            ("height_correction", config.height_range_m),
        ):
            moved_m = motion(observation, name) - motion(before, name)
            assert abs(moved_m) <= config.tracking.rate_m_s * dt * (1.0 + 1e-4)
            assert abs(motion(observation, name)) <= range_m * (1.0 + 1e-6)
    env.close()
    assert motion(observation, "lateral_correction") == pytest.approx(sign * config.lateral_range_m)
    assert motion(observation, "height_correction") == pytest.approx(sign * config.height_range_m)


def test_an_offset_beyond_the_action_space_is_that_of_a_full_action(roomy_cell: WeldSeam) -> None:
    roomy_cell.reset(seed=1)
    for _ in range(90):
        observation, *_ = roomy_cell.step(act(lateral_offset=3.0))
    assert motion(observation, "lateral_correction") == pytest.approx(roomy_cell.config.offset_m, abs=0.05e-3)


@pytest.mark.parametrize(
    ("action", "column", "full"),
    [
        ("travel_speed_trim", "travel_speed_trim", WeldSeamConfig().speed_trim),
        ("wire_feed_trim", "wire_feed_trim", WeldSeamConfig().wire_trim),
        ("voltage_trim", "voltage_trim", WeldSeamConfig().voltage_trim_v),
    ],
)
def test_trims_slew_to_what_is_asked(roomy_cell: WeldSeam, action: str, column: str, full: float) -> None:
    roomy_cell.reset(seed=1)
    slew = roomy_cell.config.trim_slew_1_s * roomy_cell.config.control_period_s
    seen = [motion(roomy_cell.step(act(**{action: -1.0}))[0], column) / full for _ in range(20)]
    np.testing.assert_allclose(seen, -np.minimum(slew * np.arange(1, 21), 1.0), atol=1e-6)


def test_joints_keep_to_their_speed_limits_and_ranges(roomy_cell: WeldSeam) -> None:
    roomy_cell.reset(seed=1)
    rng, before = np.random.default_rng(0), roomy_cell.cell.world.joints_rad()
    fastest = np.zeros(6)
    for _ in range(150):
        roomy_cell.step(np.sign(rng.normal(size=5)).astype(np.float32))
        after = roomy_cell.cell.joints_rad
        fastest = np.maximum(fastest, np.abs(after - before) / roomy_cell.config.control_period_s)
        before = after
        assert np.all(after > ur10e.LOWER_LIMIT_RAD)
        assert np.all(after < ur10e.UPPER_LIMIT_RAD)
    assert np.all(fastest <= ur10e.SPEED_LIMIT_RAD_S)
    assert np.all(fastest > 0.0)


@pytest.mark.parametrize("name", ["lap-straight-2.3", "tee-arc-4.5", BUTT])
def test_a_correction_moves_torch_and_measurements_as_named(cell: WeldSeam, name: str) -> None:
    """Left and up are positive: after a millimetre of each, the seam is a millimetre right and below."""
    cell.reset(seed=1, options={"product": name})
    for _ in range(60):
        observation, *_ = cell.step(act(lateral_offset=1e-3 / 1.5e-3, height_offset=1e-3 / 1.5e-3))
    for axis, first in (("lateral", 0), ("height", PROFILE_POINTS)):
        corrected_m = motion(observation, f"{axis}_correction")
        assert corrected_m == pytest.approx(1e-3, abs=0.1e-3)
        error_m = privileged(cell, observation, f"{axis}_error_0_mm_ahead")
        assert error_m == pytest.approx(-corrected_m, abs=0.05e-3)
        assert observation["seam"][first] == pytest.approx(-corrected_m, abs=0.1e-3)


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_latency_delays_commands_by_whole_steps(roomy_cell: WeldSeam, steps: int) -> None:
    late = WeldDisturbances(actuator_latency=ActuatorLatency(steps=(steps, steps)))
    roomy_cell.reset(seed=1, options={"disturbances": late})
    seen = [motion(roomy_cell.step(act(wire_feed_trim=1.0))[0], "wire_feed_trim") for _ in range(6)]
    assert np.flatnonzero(seen)[0] == steps


def test_a_faster_torch_ends_sooner(roomy_cell: WeldSeam) -> None:
    times_s = []
    for trim in (-1.0, 0.0, 1.0):
        roomy_cell.reset(seed=1)
        times_s.append(run(roomy_cell, act(travel_speed_trim=trim))[0]["scorecard"]["cycle_time_s"])
    assert times_s[0] > 1.2 * times_s[1] > 1.4 * times_s[2]


# Observations


@pytest.mark.parametrize("name", PRODUCTS)
def test_observations_stay_within_their_space_whatever_happens(cell: WeldSeam, name: str) -> None:
    rng = np.random.default_rng(0)
    observation, _ = cell.reset(seed=2, options={"product": name, "disturbances": "hard"})
    assert observation in cell.observation_space
    for _ in range(70):
        observation, reward, terminated, _, _ = cell.step(rng.uniform(-1, 1, 5).astype(np.float32))
        assert observation in cell.observation_space
        assert np.isfinite(reward)
        assert all(np.isfinite(group).all() for group in observation.values())
        if terminated:
            break


@pytest.mark.parametrize(
    "off", ["fixture_offset", "gap_profile", "process_spread", "smoke", "frame_delivery", "procedure_change"]
)
def test_switching_one_disturbance_off_leaves_the_others_draws(cell: WeldSeam, off: str) -> None:
    without = dataclasses.replace(NAMED["train"], **{off: getattr(NAMED["none"], off)})
    seen = []
    for disturbances in (NAMED["train"], without):
        cell.reset(seed=4, options={"disturbances": disturbances})
        disturbed = {each.name: getattr(cell.disturbed, each.name) for each in dataclasses.fields(without)}
        del disturbed[off]
        seen.append(
            (cell.product.name, cell.process.constants.copy(), repr(disturbed), cell._sensor_rng.random())
        )
    assert seen[0][0] == seen[1][0]
    assert (off == "process_spread") != np.array_equal(seen[0][1], seen[1][1])
    assert seen[0][2] == seen[1][2]
    assert seen[0][3] == seen[1][3]


def test_disturbances_set_from_outside_hold_from_the_next_reset_on() -> None:
    env = WeldSeam(product=BUTT, disturbances="none")
    env.reset(seed=1)
    env.set_disturbances("fixture_offset")
    assert not np.any(env.deviation.translation_w)
    env.reset(seed=1)
    assert np.any(env.deviation.translation_w)
    env.close()


def test_options_of_a_reset_hold_for_one_episode(cell: WeldSeam) -> None:
    names = set()
    cell.reset(seed=1, options={"product": BUTT, "disturbances": "fixture_offset"})
    assert np.any(cell.deviation.translation_w)
    for _ in range(6):
        cell.reset()
        names.add(cell.product.name)
        assert not np.any(cell.deviation.translation_w)
    assert len(names) > 1


# What is refused


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"product": "lap-strait-2.3"}, "did you mean 'lap-straight-2.3'"),
        ({"disturbances": "tain"}, "Did you mean 'train'"),
        ({"render_mode": "human"}, "rgb_array"),
    ],
)
def test_an_argument_that_is_unknown_is_refused_with_the_nearest(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        WeldSeam(**arguments)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"product": "buttstraight-2.3"}, "did you mean 'butt-straight-2.3'"),
        ({"disturbances": "fixture_ofset"}, "Did you mean 'fixture_offset'"),
        ({"products": "all"}, r"\['products'\]; known: product, disturbances"),
    ],
)
def test_a_reset_option_that_is_unknown_is_refused_with_the_nearest(
    cell: WeldSeam, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        cell.reset(seed=1, options=options)


@pytest.mark.parametrize(
    ("field", "value"),
    [("control_period_s", 0.042), ("control_period_s", 0.001), ("approach_m", 0.05), ("scrap_m", 0.0001),
     ("iso_edition", "2007")],
)  # fmt: skip
def test_a_configuration_that_cannot_work_is_refused(field: str, value: float | str) -> None:
    with pytest.raises(ValueError, match=str(value)):
        WeldSeamConfig(**{field: value})  # type: ignore[arg-type]


def test_a_trace_that_was_not_recorded_is_refused(cell: WeldSeam) -> None:
    with pytest.raises(ValueError, match="record_trace=True"):
        cell.trace()


# Reward terms


def test_placement_scores_one_on_the_seam_and_a_tenth_at_the_tolerance() -> None:
    assert on_seam(0.0, tolerance_m=0.5e-3) == 1.0
    assert on_seam(-0.5e-3, tolerance_m=0.5e-3) == pytest.approx(0.1)
    assert on_seam(5e-3, tolerance_m=0.5e-3) < 1e-6


def test_a_worse_grade_never_scores_more() -> None:
    scores = [grade_score(masks) for masks in ((0, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 1))]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 4


def test_a_sound_weld_is_worth_more_than_one_beside_the_seam(cell: WeldSeam) -> None:
    returns = []
    for action in (STILL, act(lateral_offset=1.0)):
        cell.reset(seed=1, options={"product": BUTT})
        total, terminated = 0.0, False
        while not terminated:
            _, reward, terminated, _, _ = cell.step(action)
            total += reward
        returns.append(total)
    assert returns[0] > 0.0 > returns[1], returns


# The edition of ISO 5817


def beside_the_corner(edition: str | None) -> tuple[WeldSeam, list[float], dict[str, Any]]:
    """A T-fillet whose legs the wire, beside the seam, makes unequal: cell, terms `margin` and last info."""
    config = WeldSeamConfig() if edition is None else WeldSeamConfig(iso_edition=edition)
    env = WeldSeam(product="tee-straight-3.2", disturbances="none", config=config)
    env.reset(seed=1)
    margins: list[float] = []
    for _ in range(300):
        *_, info = env.step(act(lateral_offset=0.8))
        margins.append(info["reward_terms"]["margin"])
    return env, margins, info


def test_the_newest_edition_grades_where_none_is_named() -> None:
    env, margins, info = beside_the_corner(None)
    again, same, _ = beside_the_corner("2023")
    assert env.config.iso_edition == env.scorecard().iso_edition == again.scorecard().iso_edition == "2023"
    assert margins == same
    assert "defect_length_505_m" in info["scorecard"]
    assert dataclasses.asdict(env.scorecard()) == dataclasses.asdict(again.scorecard())
    env.close()
    again.close()


def test_another_edition_reaches_reward_and_inspection() -> None:
    """1.2 mm beside the corner a toe is too steep for level B of 2023, and nothing else is wrong.

    Level C wants 100 degrees, which the margin sees coming in units of 0.05 rad.
    """
    old, old_margins, _ = beside_the_corner("2023-en1090")
    new, new_margins, info = beside_the_corner("2023")
    bad_m = [env.scorecard().defect_length_m["B"] - env.scorecard().unwelded_length_m for env in (old, new)]
    assert bad_m[0] == pytest.approx(0.0, abs=1e-9)
    assert bad_m[1] > 0.02
    assert (old.measurement.violations, new.measurement.violations) == ((0, 0, 0), (1 << 17, 0, 0))
    rise_rad = new.process.features[0, Feature.TOE_RISE_RAD]
    added = np.exp(-(np.deg2rad(80.0) - rise_rad) / 0.05)
    assert new_margins[-1] / old_margins[-1] == pytest.approx(np.exp(-added), rel=1e-9)
    assert added > 0.01
    assert info["scorecard"].keys() >= {"defect_length_505_m"}
    old.close()
    new.close()


def test_the_teacher_searches_for_the_edition_of_its_cell() -> None:
    for edition in ("2023-en1090", "2023"):
        env = WeldSeam(
            product=BUTT, disturbances="none", privileged=True, config=WeldSeamConfig(iso_edition=edition)
        )
        assert env.ideal is not None
        assert env.ideal.iso_edition == edition
        env.close()


# Time


def published(length_m: float = 0.45, speed_m_s: float = 4.33e-3) -> WeldProduct:
    """A fillet on 6 mm plate at the speed of a published procedure, which takes 104 s at the set speed."""
    procedure = WeldProcedure(current_a=230, voltage_v=25.0, travel_speed_m_s=speed_m_s)
    return WeldProduct(
        name="published", joint="t_fillet", path=straight(length_m), thickness_m=6e-3, procedure=procedure
    )


def test_a_slow_part_is_finished_before_it_is_cut_off() -> None:
    env = gymnasium.make("cellwright/WeldSeam-v1", product=published(), disturbances="none")
    env.reset(seed=1)
    terminated = truncated = False
    while not (terminated or truncated):
        *_, terminated, truncated, _ = env.step(STILL)
    card = env.unwrapped.scorecard()  # type: ignore[attr-defined]
    env.close()
    assert (terminated, truncated) == (True, False)
    assert card.cycle_time_s > 100.0
    assert card.unwelded_length_m == 0.0


@pytest.mark.parametrize(
    ("product", "limit_s"),
    # The slowest trim is 0.7 of the set speed; a tenth is in reserve. The last is the slowest part allowed.
    [
        (published(0.45, 4.33e-3), 1.1 * 0.45 / (0.7 * 4.33e-3)),
        (published(0.1, 9e-3), 100.0),
        (published(0.6, 2e-3), 1.1 * 0.6 / (0.7 * 2e-3)),
    ],
)
def test_the_limit_follows_from_the_part(cell: WeldSeam, product: WeldProduct, limit_s: float) -> None:
    cell.reset(seed=1, options={"product": product})
    assert cell.limit_steps * cell.config.control_period_s == pytest.approx(limit_s, abs=3.0)


def test_the_slowest_weld_that_is_allowed_is_finished_before_it_is_cut_off() -> None:
    """2 mm/s, slowed to 0.7 of it by the policy, with no other limit in reach: 30 mm take 21 s."""
    config = WeldSeamConfig(time_limit_s=1.0)
    env = WeldSeam(product=published(0.03, 2e-3), disturbances="none", config=config)
    env.reset(seed=1)
    terminated = truncated = False
    while not (terminated or truncated):
        *_, terminated, truncated, _ = env.step(act(travel_speed_trim=-1.0))
    card, limit_s = env.scorecard(), env.limit_steps * config.control_period_s
    env.close()
    assert (terminated, truncated) == (True, False)
    assert card.unwelded_length_m == 0.0
    assert 0.85 * limit_s < card.cycle_time_s < limit_s


def test_an_operator_who_welds_slower_gets_more_time_and_one_who_welds_faster_no_less() -> None:
    changes = ProcedureChange(probability=1.0, travel_speed=0.2)
    disturbances = dataclasses.replace(NAMED["none"], procedure_change=changes)
    env = WeldSeam(product=published(), disturbances=disturbances)
    slower, faster = [], []
    for seed in range(8):
        env.reset(seed=seed)
        factor = env.disturbed.procedure_change.after.travel_speed_factor
        limit_s = env.limit_steps * env.config.control_period_s
        assert limit_s == pytest.approx(1.1 * 0.45 / (0.7 * 4.33e-3 * min(factor, 1.0)), abs=4.0)
        (slower if factor < 1.0 else faster).append(limit_s)
    env.close()
    assert min(slower) > max(faster)


def test_at_the_limit_an_episode_is_truncated_and_not_terminated(cell: WeldSeam) -> None:
    cell.reset(seed=1, options={"product": BUTT})
    cell.limit_steps = 5
    *_, last = [cell.step(STILL) for _ in range(5)]
    assert last[2:4] == (False, True)
    assert not last[4]["is_success"]
    assert last[4]["scorecard"]["unwelded_length_m"] > 0.0


# The guard


@pytest.mark.parametrize(
    ("command", "error"), [("lateral_offset", "lateral_error_m"), ("height_offset", "height_error_m")]
)
@pytest.mark.parametrize("direction", [-1.0, 1.0])
def test_a_guard_keeps_a_policy_that_leaves_the_seam_near_it(
    command: str, error: str, direction: float
) -> None:
    """The commanded path stays within the guard's distance of where the seam really is."""
    config = WeldSeamConfig(guard_m=1e-3, scrap_m=1.0)
    env = WeldSeam(product="lap-straight-2.3", disturbances="fixture_offset", config=config)
    env.reset(seed=3)
    away_m = []
    for _ in range(80):
        env.step(act(**{command: direction}))
        if env.measurement.path_position_m > 5e-3:
            away_m.append(-getattr(env.measurement, error))
    env.close()
    assert len(away_m) > 20
    assert direction * np.median(away_m) == pytest.approx(1e-3, abs=0.05e-3)
    assert np.abs(away_m).max() < 1.2e-3


def test_a_guard_goes_back_to_the_seam_no_faster_than_the_path_correction() -> None:
    env = WeldSeam(product=BUTT, disturbances="none", config=WeldSeamConfig(guard_m=0.5e-3, scrap_m=1.0))
    env.reset(seed=0)
    for _ in range(30):
        env.step(STILL)
    env.interface._correction_m[0] = 3e-3
    lateral_m = [env.interface.correct([1.0, 0.0, 0.0, 0.0, 0.0]).lateral_m for _ in range(12)]
    env.close()
    np.testing.assert_allclose(np.diff([3e-3, *lateral_m[:6]]), -0.4e-3, atol=1e-9)
    assert lateral_m[-1] == pytest.approx(0.5e-3, abs=0.15e-3)


def test_without_a_confident_sensor_the_guard_leaves_the_policy_alone() -> None:
    env = WeldSeam(product=BUTT, disturbances="none", config=WeldSeamConfig(guard_m=0.5e-3))
    env.reset(seed=0)
    place = TorchPlace(0.05, 0.0, 0.0)  # nothing has been measured there
    nothing = np.full((env.config.line.columns, 2), np.nan)
    frame = SensorFrame(999, np.zeros((2, 64, 64), np.uint8), place, (0.0, 0.0), nothing)
    env.interface.observe(place, frame, np.zeros(7), pool=np.zeros((64, 64), np.uint8))
    moved = [env.interface.correct([1.0, 0.0, 0.0, 0.0, 0.0]).lateral_m for _ in range(10)]
    env.close()
    assert moved[-1] == pytest.approx(4e-3)
