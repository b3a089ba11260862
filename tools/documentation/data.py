"""Blocks of the page about recorded episodes."""

import gymnasium

from cellwright_envs import ENVIRONMENTS
from cellwright_train.rollout.pilot import KEYS
from tools.documentation.markdown import table


def keys() -> str:
    """The keys of every action."""
    cells: dict[str, list[str]] = {}
    for env_id in ENVIRONMENTS:
        env = gymnasium.make(env_id, disable_env_checker=True)
        for component in env.unwrapped.action_components:  # type: ignore[attr-defined]
            cells.setdefault(component.name, []).append(f"`{env_id.split('/')[1]}`")
        env.close()
    rows = [(f"`{name}`", *(f"`{key}`" for key in KEYS[name]), ", ".join(of)) for name, of in cells.items()]
    return table(("action", "less", "more", "cells"), rows)
