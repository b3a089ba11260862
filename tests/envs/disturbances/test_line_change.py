from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly import disturbances as assembly
from cellwright_envs.welding import disturbances as welding
from cellwright_envs.welding.disturbances import LINE_CHANGES, LineChange, WeldDisturbances, resolve

FAMILIES = [welding, assembly]


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
    unchanged = family.LineChange(description="nothing").apply(family.resolve("train"))
    assert unchanged == family.resolve("train")


def test_changes_add_up_on_top_of_the_drawn_values() -> None:
    change = LineChange(
        description="everything",
        fixture_shift_m=(1e-3, 2e-3, 3e-3),
        fixture_turn_rad=0.02,
        thickness_change=-0.05,
        tool_shift_m=(0.0, 1e-3, 0.0),
        light_factor=0.5,
        albedo_factor=0.8,
    )
    once, twice = (
        config.draw(np.random.default_rng(5))
        for config in (change.apply(resolve("train")), change.apply(change.apply(resolve("train"))))
    )
    plain = resolve("train").draw(np.random.default_rng(5))
    for state, times in ((once, 1), (twice, 2)):
        shift_w = state.fixture_offset.pose()[0] - plain.fixture_offset.pose()[0]
        np.testing.assert_allclose(shift_w, np.array([1e-3, 2e-3, 3e-3]) * times)
        assert state.fixture_offset.yaw_rad == pytest.approx(plain.fixture_offset.yaw_rad + 0.02 * times)
        assert state.thickness_batch.scale == pytest.approx(plain.thickness_batch.scale - 0.05 * times)
        assert state.exposure.gain(1.0) == pytest.approx(plain.exposure.gain(1.0) * 0.5**times)
        assert state.reflectance.albedo == pytest.approx(plain.reflectance.albedo * 0.8**times)
        moved_t = state.tool_centre_point.offset_t(3.0) - plain.tool_centre_point.offset_t(3.0)
        np.testing.assert_allclose(moved_t, [0.0, 1e-3 * times, 0.0], atol=1e-15)


def test_worse_batch_has_wider_gaps() -> None:
    position_m = np.linspace(0.0, 0.3, 100)

    def mean_gap_m(config: WeldDisturbances) -> float:
        state = config.draw(np.random.default_rng(2))
        return float(state.gap_profile.gap_m(position_m, 1e-3, 3e-3).mean())

    assert mean_gap_m(LINE_CHANGES["new-batch"].apply(resolve("train"))) > mean_gap_m(resolve("train"))
