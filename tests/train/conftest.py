"""Pictures that cost little, for tests of what contains them."""

from collections.abc import Iterator

import pytest

from cellwright_envs.rendering.shot import Shot
from cellwright_train.rollout import film


@pytest.fixture(scope="module")
def plain_pictures() -> Iterator[None]:
    """A few a part, without shadows and glow; tests of the environments have the others."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(film, "FRAMES", 4)
        patched.setattr(Shot, "fine", Shot.quick)
        yield
