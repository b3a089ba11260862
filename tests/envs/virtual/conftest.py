"""What the tests of virtual controllers share. Hypothesis has no deadlines: other processes share the
processor."""

from collections.abc import Iterator

import pytest
from hypothesis import settings

from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.ur.controller import VirtualUr

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


@pytest.fixture(scope="module")
def ur(request: pytest.FixtureRequest) -> Iterator[VirtualUr]:
    """A virtual UR at the `HOST` of a test's module."""
    controller = VirtualUr(KinematicArm(), address=request.module.HOST)
    controller.start()
    yield controller
    controller.close()
    assert controller.failure is None
