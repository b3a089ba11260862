"""The scripted controllers on hand-made observations, and at a seam that is not where the drawing has it."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.welding.disturbances import NAMED
from cellwright_envs.welding.disturbances.fixture import FixtureOffset
from cellwright_envs.welding.disturbances.tool import ToolCentrePointError
from cellwright_envs.welding.weld_seam import WeldSeam
from cellwright_policies.experts import make_expert
from cellwright_policies.experts.welding import WELD_SEAM
from cellwright_policies.experts.welding.adaptive_tracker import AdaptiveGains, AdaptiveTracker
from cellwright_policies.experts.welding.base import PROFILE_POINTS
from cellwright_policies.experts.welding.oracle import IDEAL

ENV_ID = "cellwright/WeldSeam-v1"
LAP, TEE, BUTT = range(3)
NAMES = ("lateral_error_1_mm_ahead", "height_error_1_mm_ahead", *IDEAL)

Observations = dict[str, NDArray[np.float32]]


def observed(
    *,
    lateral_m: float = 0.0,
    height_m: float = 0.0,
    gap_m: float = 0.0,
    confidence: float = 1.0,
    joint: int = TEE,
) -> Observations:
    """One straight seam ahead, `lateral_m` to the left and `height_m` above the torch, 3.2 mm plate.

    The controller has followed the measured seam.
    """
    profile = np.repeat([lateral_m, height_m, gap_m, 0.0, confidence], PROFILE_POINTS)
    programme = np.zeros(14)
    programme[joint] = 1.0
    programme[3:7] = 3.2e-3, 0.08, 20.0, 8e-3
    return {
        "seam": np.append(profile, confidence)[None].astype(np.float32),
        "programme": programme[None].astype(np.float32),
        "tracking": np.array([[0.0, 0.0, 1.0]], dtype=np.float32),
        "privileged": np.array([[lateral_m, height_m, 0.3, -0.2, 0.1]], dtype=np.float32),
    }


def batch(*rows: Observations) -> Observations:
    return {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}


@pytest.mark.parametrize("name", WELD_SEAM)
def test_actions_stay_within_their_range(name: str) -> None:
    expert = make_expert(ENV_ID, name, NAMES)
    far = observed(lateral_m=-8e-3, height_m=8e-3, gap_m=3e-3)
    for _ in range(50):
        action = expert.act_batch(far)
        assert action.shape == (1, 5)
        assert action.dtype == np.float32
        assert np.abs(action).max() <= 1.0


@pytest.mark.parametrize("name", WELD_SEAM)
def test_cells_of_a_batch_do_not_mix(name: str) -> None:
    rows = [observed(lateral_m=1e-3, gap_m=1e-3), observed(height_m=-1e-3, joint=BUTT), observed(joint=LAP)]
    together, alone = make_expert(ENV_ID, name, NAMES), [make_expert(ENV_ID, name, NAMES) for _ in rows]
    together.reset(len(rows))
    for _ in range(5):
        expected = np.concatenate([own.act_batch(row) for own, row in zip(alone, rows, strict=True)])
        np.testing.assert_array_equal(together.act_batch(batch(*rows)), expected)


def test_the_oracle_leads_the_torch_from_the_measured_seam_to_the_true_one() -> None:
    row = observed(lateral_m=0.5e-3, height_m=-0.6e-3)
    expert = make_expert(ENV_ID, "oracle", NAMES)
    np.testing.assert_allclose(expert.act_batch(row)[0, :2], [0.5 / 1.5, -0.6 / 1.5], rtol=1e-5)
    row["tracking"][0, :2] = row["privileged"][0, :2]
    np.testing.assert_allclose(expert.act_batch(row)[0], [0.0, 0.0, 0.3, -0.2, 0.1], atol=1e-7)


def test_a_seam_tracker_leaves_all_to_the_controller() -> None:
    assert not make_expert(ENV_ID, "seam-tracker").act_batch(observed(lateral_m=3e-3, gap_m=1e-3)).any()


def test_an_adaptive_tracker_takes_the_drawings_gap_without_a_measurement() -> None:
    tracker = AdaptiveTracker()
    lost, closed = observed(gap_m=1.6e-3, confidence=0.0), observed()
    np.testing.assert_array_equal(tracker.act_batch(lost), tracker.act_batch(closed))
    assert not np.array_equal(tracker.act_batch(observed(gap_m=1.6e-3)), tracker.act_batch(closed))


@pytest.mark.parametrize("joint", [LAP, TEE, BUTT])
def test_an_adaptive_tracker_trims_each_joint_by_its_own_gains(joint: int) -> None:
    gains = AdaptiveGains(
        speed=(-0.1, -0.2, -0.3), wire=(0.1, 0.2, 0.3), voltage_v=(1.0, 2.0, 3.0),
        speed_offset=(0.0, 0.0, 0.0), wire_offset=(0.0, 0.0, 0.0), voltage_offset_v=(0.0, 0.0, 0.0),
    )  # fmt: skip
    tracker = AdaptiveTracker(gains)
    closed, open_ = (
        tracker.act_batch(observed(joint=joint))[0],
        tracker.act_batch(observed(gap_m=1.6e-3, joint=joint))[0],
    )
    assert not closed[2:].any()
    half = 0.5 * (joint + 1)  # a gap of half the plate's thickness, times the joint's gains
    np.testing.assert_allclose(open_[2:], [-0.1 * half / 0.30, 0.1 * half / 0.25, half / 3.0], rtol=1e-5)


def test_the_oracle_needs_to_be_told_the_truth() -> None:
    with pytest.raises(ValueError, match="privileged=True"):
        make_expert(ENV_ID, "oracle")
    blind = observed()
    del blind["privileged"]
    with pytest.raises(ValueError, match="privileged=True"):
        make_expert(ENV_ID, "oracle", NAMES).act_batch(blind)


def test_an_unknown_expert_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'seam-tracker'"):
        make_expert(ENV_ID, "seam-traker")


def test_an_expert_of_another_task_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="for cellwright/WeldSeam-v1; known: seam-tracker"):
        make_expert(ENV_ID, "spiral-search")
    with pytest.raises(ValueError, match="no experts for 'cellwright/Nothing-v0'"):
        make_expert("cellwright/Nothing-v0", "oracle")


def tracking_error_mean_m(env: WeldSeam, name: str) -> float:
    """Mean distance of the wire from the seam over one weld by an expert."""
    observation, _ = env.reset(seed=4)
    expert = make_expert(ENV_ID, name, env.privileged_names)
    expert.reset(1)
    terminated = truncated = False
    while not (terminated or truncated):
        action = expert.act_batch({key: group[None] for key, group in observation.items()})[0]
        observation, _, terminated, truncated, _ = env.step(action)
    return env.scorecard().tracking_error_mean_m


@pytest.mark.parametrize(("name", "most_m"), [("oracle", 0.2e-3), ("seam-tracker", 0.4e-3)])
def test_an_expert_brings_the_wire_to_a_seam_that_lies_elsewhere(name: str, most_m: float) -> None:
    env = WeldSeam(product="lap-straight-2.3", disturbances="fixture_offset", privileged=True)
    error_m = tracking_error_mean_m(env, name)
    seam = slice(env.cell.frames.index(0.0), env.cell.frames.index(env.cell.frames.length_m))
    env.close()
    assert np.abs(env.deviation.lateral_m[seam]).mean() > 0.6e-3
    assert error_m < most_m


def test_only_the_oracle_brings_a_bent_wire_to_a_seam_that_lies_elsewhere() -> None:
    bent = replace(
        NAMED["none"],
        fixture_offset=FixtureOffset(mean_m=(0.0, 1.0e-3, 0.0)),
        tool_centre_point=ToolCentrePointError(mean_m=(0.0, 0.8e-3, 0.0)),
    )
    env = WeldSeam(product="lap-straight-2.3", disturbances=bent, privileged=True)
    errors_m = {name: tracking_error_mean_m(env, name) for name in ("oracle", "seam-tracker")}
    env.close()
    assert errors_m["oracle"] < 0.2e-3
    assert errors_m["seam-tracker"] > 0.6e-3
