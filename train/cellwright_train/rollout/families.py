"""Families of cells: everything that the commands have to know about welding and about assembly.

A cell says itself to which family it belongs (`CellEnv.family`), so a new task of a known family needs
nothing here.
"""

import importlib
from dataclasses import dataclass
from typing import Any

import gymnasium

from cellwright_train.environments import canonical_env
from cellwright_train.errors import UsageError, unknown
from cellwright_train.results.insertions import InsertionEvaluation, InsertionResult
from cellwright_train.results.result import EpisodeResult, Evaluation
from cellwright_train.results.welds import WeldEvaluation, WeldResult


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of work."""

    result: type[EpisodeResult]
    evaluation: type[Evaluation[Any]]
    instruction: str
    """The job in words, for whoever reads a recorded episode; `{product}` is what is made."""
    picture_period_s: float
    """Time between two pictures of a film."""
    views_in_picture: bool
    """Whether a picture of the cell shows what the cameras see."""


FAMILIES: dict[str, Family] = {
    "welding": Family(
        result=WeldResult,
        evaluation=WeldEvaluation,
        instruction="weld the seam of {product.name}",
        picture_period_s=0.24,
        views_in_picture=False,
    ),
    "assembly": Family(
        result=InsertionResult,
        evaluation=InsertionEvaluation,
        instruction="fit the {product.noun} {product.name} to its {product.place}",
        picture_period_s=0.1,
        views_in_picture=True,
    ),
}
"""By `CellEnv.family`."""


def family_of(env: str | gymnasium.Env[Any, Any]) -> Family:
    """The family of an environment or of a registered id; raises `UsageError` where it has none."""
    kind = cell_class(env) if isinstance(env, str) else type(env.unwrapped)
    name = getattr(kind, "family", "")
    if name not in FAMILIES:
        raise UsageError(f"{kind.__name__} is no cell of a known family ({', '.join(FAMILIES)})")
    return FAMILIES[name]


def require_line_change(cell: Any, name: str) -> Any:
    """The line change called `name` of a cell or its class; raises `UsageError` where it has none of it."""
    changes = cell.line_changes
    if name not in changes:
        raise unknown("line change", name, changes)
    return changes[name]


def cell_class(env_id: str) -> Any:
    """The class that makes an environment; raises `UsageError` where a function does."""
    module, _, name = canonical_env(env_id).rpartition(":")
    if module:
        importlib.import_module(module)  # it registers the environment; `gymnasium.spec` does not look there
    entry = gymnasium.spec(name).entry_point
    made: Any = gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    if not isinstance(made, type):
        raise UsageError(f"{env_id} is made by a function, so its family is not known before it is made")
    return made
