"""Vision policies for robot cells that weld and assemble. This package holds the version, no code.

`cellwright_runtime` runs a policy beside a robot and is always installed, with `cellwright_perception` and
`cellwright_assets`. The extra `[sim]` installs what `cellwright_envs` needs, the extra `[train]` what
`cellwright_policies` and `cellwright_train` need. The command is `cellwright`.
"""

from importlib.metadata import version

__all__ = ["__version__"]

__version__ = version("cellwright")
