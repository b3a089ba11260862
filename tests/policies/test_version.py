"""What a user asks first: which version is this."""

from importlib.metadata import version

import cellwright
import cellwright_envs


def test_packages_say_the_version_of_the_distribution() -> None:
    assert cellwright.__version__ == cellwright_envs.__version__ == version("cellwright")
