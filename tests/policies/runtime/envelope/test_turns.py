"""How far a tool may turn from where the robot was armed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellwright_assets.arithmetic import product
from cellwright_runtime.envelope.faults import Stage
from cellwright_runtime.envelope.limits import FREE_TURN_RAD
from cellwright_runtime.interface.rotation import rotation_rows, rotation_vector
from tests.policies.runtime.envelope.robots import HOME, HOME_RAD, LIMITS, make_space, tool_at


def about_its_axis(turn_rad: float) -> np.ndarray:
    """The tool where it was armed, with the last joint turned by so much."""
    return tool_at(HOME_RAD + np.array([0.0, 0.0, 0.0, 0.0, 0.0, turn_rad]))


def stages(kind: str, turn_rad: float, *, allowed_rad: float) -> set[Stage]:
    """What cut a target on the way to a turn."""
    tool = LIMITS.tool
    limits = replace(
        LIMITS,
        tool=replace(
            tool, low=(*tool.low[:3], *(-allowed_rad,) * 3), high=(*tool.high[:3], *(allowed_rad,) * 3)
        ),
        joints=replace(LIMITS.joints, low=(-7.0,) * 6, high=(7.0,) * 6),
    )
    space = make_space(kind, limits)
    space.begin(HOME.tolist(), HOME_RAD.tolist())
    cut: set[Stage] = set()
    for step in np.linspace(0.0, turn_rad, 3000):
        cut |= space.shape(about_its_axis(float(step)).tolist())[1]
    return cut


def test_a_turn_is_that_of_the_last_joint() -> None:
    first, last = (np.array(rotation_rows(*about_its_axis(at)[3:])) for at in (0.0, 0.5))
    rows: Any = product(last, first.T).tolist()
    assert np.linalg.norm(rotation_vector(rows)) == pytest.approx(0.5)


def test_joints_may_turn_the_tool_all_the_way_round_where_no_turn_is_declared() -> None:
    assert Stage.WORKSPACE not in stages("joints", 5.5, allowed_rad=FREE_TURN_RAD)
    assert Stage.WORKSPACE in stages("pose", 5.5, allowed_rad=FREE_TURN_RAD)


@pytest.mark.parametrize("kind", ["pose", "joints"])
def test_a_declared_turn_holds(kind: str) -> None:
    assert Stage.WORKSPACE in stages(kind, 0.5, allowed_rad=0.3)
    assert Stage.WORKSPACE not in stages(kind, 0.25, allowed_rad=0.3)
