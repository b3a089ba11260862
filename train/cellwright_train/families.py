"""Families of cells: what the commands have to know about welding and about assembly, and nobody else.

A task belongs to the family in whose package of `cellwright_envs` its class lives, or a class that it is
derived from; so a new task of a known family needs nothing here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np

import cellwright_envs
from cellwright_train.errors import UsageError, unknown
from cellwright_train.insertions import InsertionEvaluation, InsertionResult
from cellwright_train.results import EpisodeResult, Evaluation
from cellwright_train.welds import WeldEvaluation, WeldResult


@dataclass(frozen=True, kw_only=True)
class Family:
    """One kind of work."""

    result: type[EpisodeResult]
    evaluation: type[Evaluation[Any]]
    picture_period_s: float
    """Time between two pictures of a film."""
    views_in_picture: bool
    """Whether a picture of the cell shows what the cameras see."""

    @property
    def line_changes(self) -> Mapping[str, Any]:
        """Lasting changes of the line by name."""
        from cellwright_envs.assembly.disturbances import LINE_CHANGES

        return LINE_CHANGES

    def scorecard(self, cell: Any, time_s: float) -> Any:
        """The scorecard of an episode that was cut off after `time_s`."""
        return cell.scorecard()

    def write_page(self, *arguments: Any) -> None:
        """Write the page of an evaluation; arguments as those of `report.evaluation_page`."""
        from cellwright_train.report.evaluation_page import write_insertion_page

        write_insertion_page(*arguments)


class _Welding(Family):
    @property
    def line_changes(self) -> Mapping[str, Any]:
        """Those of the weld cell."""
        from cellwright_envs.disturbances import LINE_CHANGES

        return LINE_CHANGES

    def scorecard(self, cell: Any, time_s: float) -> Any:
        """What the bead record says of the seam so far; what is not welded yet counts as defective."""
        errors_m = np.array(cell._errors_m)  # the weld cell gives them away at its own end only
        return cell.record.scorecard(0, tracking_errors_m=errors_m, cycle_time_s=time_s, crashed=False)

    def write_page(self, *arguments: Any) -> None:
        """Write the page of an evaluation; arguments as those of `report.evaluation_page`."""
        from cellwright_train.report.evaluation_page import write_weld_page

        write_weld_page(*arguments)


FAMILIES: dict[str, Family] = {
    "welding": _Welding(
        result=WeldResult, evaluation=WeldEvaluation, picture_period_s=0.24, views_in_picture=False
    ),
    "assembly": Family(
        result=InsertionResult, evaluation=InsertionEvaluation, picture_period_s=0.1, views_in_picture=True
    ),
}
"""By package below `cellwright_envs`."""


def family_of(env: str | gymnasium.Env[Any, Any]) -> Family:
    """The family of an environment or of a registered id; raises `UsageError` where it has none."""
    kind = _class_of(env) if isinstance(env, str) else type(env.unwrapped)
    for base in kind.__mro__:
        package, _, rest = base.__module__.partition(".")
        name = rest.partition(".")[0]
        if package == "cellwright_envs" and name in FAMILIES:
            return FAMILIES[name]
    raise UsageError(f"{kind.__name__} is no cell of a known family ({', '.join(FAMILIES)})")


def require_env(env_id: str) -> None:
    """Raise `UsageError` with the nearest id where `env_id` is not registered."""
    cellwright_envs.register_environments()
    if env_id not in gymnasium.registry:
        raise unknown(
            "environment", env_id, [id for id in gymnasium.registry if id.startswith("cellwright/")]
        )


def _class_of(env_id: str) -> type:
    require_env(env_id)
    entry = gymnasium.spec(env_id).entry_point
    made: Any = gymnasium.envs.registration.load_env_creator(entry) if isinstance(entry, str) else entry
    if not isinstance(made, type):
        raise UsageError(f"{env_id} is made by a function, so its family is not known before it is made")
    return made
