"""What ships is sound: every bundle of the zoo passes its own verification."""

from typing import Any

import gymnasium
import pytest

import cellwright_envs  # noqa: F401 (registers the environments)
from cellwright_policies import zoo
from cellwright_runtime.bundle.policy import Bundle
from cellwright_train.bundles.verification import verify

LARGEST_BYTES = 5_000_000


def test_a_policy_ships_for_every_environment() -> None:
    trained_in = {Bundle.load(zoo.path(name)).spec.environment for name in zoo.names()}
    assert trained_in == {name for name in gymnasium.registry if name.startswith("cellwright/")}


def test_an_unknown_name_is_answered_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"there is .*weld-seam"):
        zoo.path("weld-sem")


@pytest.mark.parametrize("name", zoo.names())
def test_a_shipped_bundle_passes_verification(name: str) -> None:
    for check in verify(zoo.path(name), episodes=2, workers=1, progress=False):
        assert check.passed, f"{check.name}: {check.detail}"


@pytest.mark.parametrize("name", zoo.names())
def test_a_shipped_bundle_is_small_and_says_how_it_was_made(name: str) -> None:
    bundle = Bundle.load(zoo.path(name))
    assert sum(map(len, bundle.files.values())) < LARGEST_BYTES
    assert bundle.spec.training["command"].startswith("cellwright train ")
    assert isinstance(bundle.spec.training["seed"], int)
    assert bundle.scorecard["episodes"] >= 40
    assert "privileged" not in [group.name for group in bundle.spec.observation]


@pytest.mark.parametrize("name", zoo.names())
def test_an_environment_is_set_up_as_the_policy_that_ships_for_it_was_trained(name: str) -> None:
    """The manifest was written when the policy was: expected values that no change of the code moves."""
    spec = Bundle.load(zoo.path(name)).spec
    env = gymnasium.make(spec.environment, disable_env_checker=True)
    cell: Any = env.unwrapped
    stated = {each.name: (each.unit, each.value, each.frame) for each in spec.controller.settings}
    now = {each.name: (each.unit, each.value, each.frame) for each in cell.layout.controller.settings}
    groups = {group.name: group.components for group in spec.observation if group.name != "image"}
    assert stated == {each: now[each] for each in stated}
    assert spec.control_rate_hz == cell.control_rate_hz
    for theirs, ours in (
        (spec.action, cell.action_components),
        *((components, cell.observation_components[group]) for group, components in groups.items()),
    ):
        assert [(each.name, each.unit) for each in theirs] == [(each.name, each.unit) for each in ours]
        for one, other in zip(theirs, ours, strict=True):
            assert (one.low, one.high) == pytest.approx((other.low, other.high), rel=1e-6), one.name
    env.close()
