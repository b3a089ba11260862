"""Disturbances drawn less widely."""

from __future__ import annotations

from dataclasses import fields

import pytest

from cellwright_envs.assembly.disturbances import AssemblyDisturbances
from cellwright_envs.assembly.disturbances import resolve as resolve_assembly
from cellwright_envs.disturbances.widths import active, narrowed
from cellwright_envs.welding.disturbances import WeldDisturbances
from cellwright_envs.welding.disturbances import resolve as resolve_weld

TRAIN = resolve_assembly("train")


@pytest.mark.parametrize(
    "full", [TRAIN, resolve_assembly("hard"), resolve_weld("train"), resolve_weld("hard")]
)
@pytest.mark.parametrize("width", [0.0, 0.3, 1.0])
def test_every_disturbance_can_be_narrowed(
    full: AssemblyDisturbances | WeldDisturbances, width: float
) -> None:
    narrow = narrowed(full, dict.fromkeys(active(full), width))
    assert (narrow == full) == (width == 1.0)
    assert active(full)
    for each in fields(full):
        off = getattr(type(full)(), each.name)
        assert (getattr(narrow, each.name) == off) == (width == 0.0 or getattr(full, each.name) == off)


def test_half_a_width_is_half_the_spread_and_leaves_the_others_alone() -> None:
    half = narrowed(TRAIN, {"fixture_pose": 0.5, "actuator_latency": 0.5, "controller_gain": 0.5})
    assert half.fixture_pose.sigma_m == pytest.approx(0.5 * TRAIN.fixture_pose.sigma_m)
    assert half.actuator_latency.steps == (0, 1)
    assert half.controller_gain.stiffness_factor == pytest.approx((0.875, 1.165))
    assert half.backlash == TRAIN.backlash


def test_a_wrong_name_or_width_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown disturbance 'fixture'; known: fixture_pose"):
        narrowed(TRAIN, {"fixture": 0.5})
    with pytest.raises(ValueError, match=r"within 0..1, got 1.5"):
        narrowed(TRAIN, {"backlash": 1.5})
