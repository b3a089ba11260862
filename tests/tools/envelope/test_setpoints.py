"""No setpoint of an adversary is outside of what was declared; the check would see one."""

from dataclasses import replace

import pytest

from tools.envelope.adversaries import POLICIES
from tools.envelope.setpoints import Count, attack, limits


def after(kind: str, setpoints: int, **declared: object) -> Count:
    *_, count = attack(kind, setpoints, 7, **declared)  # type: ignore[arg-type]
    return count


@pytest.mark.parametrize(("kind", "setpoints"), [("pose", 24_000), ("joints", 16_000)])
def test_adversaries_stay_inside(kind: str, setpoints: int) -> None:
    count = after(kind, setpoints)
    assert count.setpoints == setpoints
    assert not any(count.outside.values()), count
    assert set(count.runs) <= set(POLICIES)
    assert len(count.runs) > 3
    assert count.interventions > setpoints // 2
    for name in ("position", "acceleration", "jerk", "workspace"):
        assert count.largest[name] > 0.9, (name, count.largest)


@pytest.mark.parametrize("name", ["velocity", "jerk"])
def test_a_setpoint_outside_would_be_counted(name: str) -> None:
    allowed = limits()
    stricter = replace(allowed.tool, **{name: tuple(0.9 * each for each in getattr(allowed.tool, name))})
    count = after("pose", 4_000, declared=replace(allowed, tool=stricter))
    assert count.outside[name] > 0
