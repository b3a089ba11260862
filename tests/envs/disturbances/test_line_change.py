"""Lasting changes of a line, as data, on the disturbances of either family."""

import re
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly import disturbances as assembly
from cellwright_envs.disturbances.line_change import LineChange, Operation, plus, times, to
from cellwright_envs.welding import disturbances as welding

FAMILIES = [welding, assembly]


def change(**changes: Operation) -> LineChange:
    """A line change of fields whose dot is written as two underscores."""
    return LineChange(
        description="", changes={name.replace("__", "."): each for name, each in changes.items()}
    )


@pytest.mark.parametrize("base", ["none", "train", "hard"])
@pytest.mark.parametrize(
    ("family", "name"), [(family, name) for family in FAMILIES for name in family.LINE_CHANGES]
)
def test_line_change_changes_the_line_and_leaves_the_base(family: Any, name: str, base: str) -> None:
    before = family.resolve(base)
    after = family.LINE_CHANGES[name].apply(before)
    assert after != before
    assert before == family.resolve(base)
    after.draw(np.random.default_rng(0))


@pytest.mark.parametrize("family", FAMILIES)
def test_no_change_changes_nothing(family: Any) -> None:
    assert change().apply(family.resolve("train")) == family.resolve("train")


def test_changes_of_a_weld_add_up_on_top_of_the_drawn_values() -> None:
    everything = change(
        fixture_offset__mean_m=plus((1e-3, 2e-3, 3e-3)),
        fixture_offset__mean_yaw_rad=plus(0.02),
        thickness_batch__mean_deviation=plus(-0.05),
        tool_centre_point__mean_m=plus((0.0, 1e-3, 0.0)),
        exposure__mean_gain=times(0.5),
        reflectance__mean_albedo=times(0.8),
    )
    plain = welding.resolve("train").draw(np.random.default_rng(5))
    changed = welding.resolve("train")
    for count in (1, 2):
        changed = everything.apply(changed)
        state = changed.draw(np.random.default_rng(5))
        shift_w = state.fixture_offset.pose()[0] - plain.fixture_offset.pose()[0]
        np.testing.assert_allclose(shift_w, np.array([1e-3, 2e-3, 3e-3]) * count)
        assert state.fixture_offset.yaw_rad == pytest.approx(plain.fixture_offset.yaw_rad + 0.02 * count)
        assert state.thickness_batch.scale == pytest.approx(plain.thickness_batch.scale - 0.05 * count)
        assert state.exposure.gain(1.0) == pytest.approx(plain.exposure.gain(1.0) * 0.5**count)
        assert state.reflectance.albedo == pytest.approx(plain.reflectance.albedo * 0.8**count)
        moved_t = state.tool_centre_point.offset_t(3.0) - plain.tool_centre_point.offset_t(3.0)
        np.testing.assert_allclose(moved_t, [0.0, 1e-3 * count, 0.0], atol=1e-15)


def test_changes_of_an_insertion_add_up_on_top_of_the_drawn_values() -> None:
    everything = change(
        fixture_pose__mean_m=plus((1e-3, 2e-3, 3e-3)),
        fixture_pose__mean_yaw_rad=plus(0.02),
        hand_camera__mean_translation_m=plus((0.0, 1e-3, 0.0)),
        part_fit__clearance_factor=times(0.9),
        contact_friction__factor=times(1.5),
        grip_strength__factor=times(0.5),
        room_light__lamp_factor=times(0.8),
        room_light__room_factor=times(0.7),
    )
    plain = assembly.resolve("train").draw(np.random.default_rng(5))
    changed = assembly.resolve("train")
    for count in (1, 2):
        changed = everything.apply(changed)
        state = changed.draw(np.random.default_rng(5))
        moved = np.subtract(state.fixture_pose.offset, plain.fixture_pose.offset)
        np.testing.assert_allclose(moved, np.array([1e-3, 2e-3, 3e-3, 0.0, 0.0, 0.02]) * count, atol=1e-15)
        seen_m = np.subtract(state.hand_camera.translation_m, plain.hand_camera.translation_m)
        np.testing.assert_allclose(seen_m, [0.0, 1e-3 * count, 0.0], atol=1e-15)
        assert state.part_fit.factor == pytest.approx(plain.part_fit.factor * 0.9**count)
        assert state.contact_friction.factor == pytest.approx(plain.contact_friction.factor * 1.5**count)
        assert state.grip_strength.grip.along_n == pytest.approx(
            plain.grip_strength.grip.along_n * 0.5**count
        )
        assert state.room_light.lamp_factor == pytest.approx(plain.room_light.lamp_factor * 0.8**count)
        assert state.room_light.room_factor == pytest.approx(plain.room_light.room_factor * 0.7**count)


def test_worse_batch_has_wider_gaps() -> None:
    position_m = np.linspace(0.0, 0.3, 100)

    def mean_gap_m(config: welding.WeldDisturbances) -> float:
        state = config.draw(np.random.default_rng(2))
        return float(state.gap_profile.gap_m(position_m, 1e-3, 3e-3).mean())

    worse = welding.LINE_CHANGES["new-batch"].apply(welding.resolve("train"))
    assert mean_gap_m(worse) > mean_gap_m(welding.resolve("train"))


def test_each_operation_does_what_it_says_to_numbers_ranges_and_whole_numbers() -> None:
    train = welding.resolve("train")
    after = change(
        heat_drift__lag_s=to(5),
        wire_feed_slip__slip=times((1.0, 0.5)),
        smoke__contrast_loss=plus((0.1, 0.2)),
        actuator_latency__steps=plus((1, 1.0)),
        frame_delivery__late_frames=times(2),
    ).apply(train)
    assert after.heat_drift.lag_s == 5.0
    assert after.wire_feed_slip.slip == (0.0, 0.04)
    assert after.smoke.contrast_loss == (0.1, 0.5)
    assert after.actuator_latency.steps == (1, 3)
    assert after.frame_delivery.late_frames == 4
    assert after.draw(np.random.default_rng(1)).actuator_latency.steps in (1, 2, 3)


def test_fields_that_are_checked_together_change_together() -> None:
    base = change(thickness_batch__deviation=to(0.9)).apply(welding.resolve("none"))
    for changes in (
        {"thickness_batch__deviation": to(0.1), "thickness_batch__mean_deviation": to(-0.5)},
        {"thickness_batch__mean_deviation": to(-0.5), "thickness_batch__deviation": to(0.1)},
    ):
        assert change(**changes).apply(base).thickness_batch.mean_deviation == -0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exposur__mean_gain": times(2)}, "unknown disturbance 'exposur'. Did you mean 'exposure'"),
        ({"exposure__meangain": times(2)}, "unknown field 'meangain'. Did you mean 'mean_gain'"),
        ({"exposure": times(2)}, "unknown field ''"),
        ({"exposure__mean_gain": times(0.0)}, "line change of exposure: Exposure: need mean_gain > 0"),
        ({"exposure__mean_gain": times(float("nan"))}, "line change of exposure.mean_gain: times nan"),
        ({"exposure__mean_gain": plus((0.1, 0.1))}, "it is one number"),
        ({"fixture_offset__mean_m": plus(1e-3)}, "it is 3 numbers"),
        ({"fixture_offset__mean_m": to((1e-3, 0.0))}, "it is 3 numbers"),
        ({"actuator_latency__steps": times(0.7)}, "it is a whole number"),
        ({"smoke__contrast_loss": to((0.4, 0.2))}, "line change of smoke"),
    ],
)
def test_what_cannot_change_is_refused_in_one_line(changes: dict[str, Operation], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as refused:
        change(**changes).apply(welding.resolve("train"))
    assert "\n" not in str(refused.value)
