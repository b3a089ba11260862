"""Ids of environments, as people write them and as files name them."""

import gymnasium

import cellwright_envs
from cellwright_envs.probe import PROBE_ID
from cellwright_train.errors import UsageError, unknown


def canonical_env(env_id: str) -> str:
    """The registered id that `env_id` means, with or without the package in front of it.

    Raises `UsageError` with the nearest id where there is none.
    """
    cellwright_envs.register_environments()
    if env_id == PROBE_ID:
        return env_id
    named = env_id.removeprefix(f"{cellwright_envs.__name__}:")
    if named not in gymnasium.registry:
        raise unknown(
            "environment", env_id, [id for id in gymnasium.registry if id.startswith("cellwright/")]
        )
    return named


def env_from_file(env_id: str, where: str) -> str:
    """The same for an id that stands in a file, which may be a stranger's: no module that it names is
    imported, and only cells count, no environment that comes with Gymnasium."""
    named = env_id.removeprefix(f"{cellwright_envs.__name__}:")
    cellwright_envs.register_environments()
    spec = gymnasium.registry.get(named)
    foreign = spec is None or str(spec.entry_point).startswith("gymnasium.")
    if env_id != PROBE_ID and foreign:
        raise UsageError(
            f"{where} is {env_id!r}, which is no environment here: {', '.join(cellwright_envs.ENVIRONMENTS)}"
        )
    return env_id if env_id == PROBE_ID else named
