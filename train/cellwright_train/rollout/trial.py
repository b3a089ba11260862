"""A policy, a cell and a plan, each found, read and checked once, then passed on as one object."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, NamedTuple, Self

import gymnasium

from cellwright_envs.disturbances.line_change import LineChange
from cellwright_train.environments import canonical_env
from cellwright_train.errors import UsageError
from cellwright_train.rollout.cell import DEFAULT_ENV, CellChoice, Episode, EpisodePolicy, product_names
from cellwright_train.rollout.families import family_of, require_line_change
from cellwright_train.rollout.policies import PolicyReference, resolve_policy


class Workplace(NamedTuple):
    """An environment and the policy that acts in it, in this process."""

    env: gymnasium.Env[Any, Any]
    policy: EpisodePolicy


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A policy, a cell and a plan of parts.

    It is plain data and travels to worker processes. A process opens its `workplace` at first use and keeps
    it until `close`.
    """

    policy: PolicyReference
    cell: CellChoice
    plan: tuple[Episode, ...]
    trace: bool = False
    """Whether the cell records its trace."""
    pictures: bool = False
    """Whether it can be filmed."""
    truth: bool = False
    """Whether the cell shows the group `privileged`, also to a policy that does not need it."""

    @classmethod
    def resolve(
        cls,
        policy: str | PolicyReference,
        *,
        env: str | None = None,
        products: str = "train",
        disturbances: str = "train",
        line_change: str | None = None,
        seed: int,
        episodes: int,
        trace: bool = False,
        pictures: bool = False,
    ) -> Self:
        """Find everything by its name; raises `UsageError` or BundleError where something is not there.

        Without `env` it is the one that the policy was trained in, and for an expert the weld cell.
        `products` is `train`, `held-out` or `all`, or the name of one, or several joined by `+`.
        """
        reference = resolve_policy(policy) if isinstance(policy, str) else policy
        env_id = canonical_env(env or reference.environment or DEFAULT_ENV)
        family_of(env_id)  # without a known family, a result has no meaning
        reference.require_fit(env_id)
        asked = cls(
            policy=reference,
            cell=CellChoice(env=env_id, products=tuple(products.split("+")), disturbances=disturbances),
            plan=(),
            trace=trace,
            pictures=pictures,
        )
        made = asked.workplace
        try:
            cell = made.env.unwrapped
            changes = () if line_change is None else (require_line_change(cell, line_change),)
            names = product_names(made.env)
            trial = replace(
                asked,
                cell=replace(asked.cell, products=names),
                plan=episode_plan(seed, episodes, names, changes),
            )
        except BaseException:
            asked.close()
            raise
        trial.__dict__["_workplace"] = made
        return trial

    @property
    def identity(self) -> dict[str, str]:
        """What results say about who made them: version of the package and hash of the policy."""
        return {"cellwright": version("cellwright"), "policy_sha256": self.policy.digest}

    @property
    def workplace(self) -> Workplace:
        """Where this process works on it, opened at first use; raises `UsageError` or BundleError."""
        if "_workplace" not in self.__dict__:
            env = self.cell.make(
                privileged=self.truth or self.policy.needs_privileged, trace=self.trace, render=self.pictures
            )
            try:
                self.__dict__["_workplace"] = Workplace(env, self.policy.load(env))
            except BaseException:
                env.close()
                raise
        found: Workplace = self.__dict__["_workplace"]
        return found

    def close(self) -> None:
        """Close the workplace of this process; the trial can be used again."""
        if (opened := self.__dict__.pop("_workplace", None)) is not None:
            opened.env.close()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_workplace"}


def episode_plan(
    seed: int, episodes: int, products: Sequence[str], changes: tuple[LineChange, ...] = ()
) -> tuple[Episode, ...]:
    """Seeds from `seed` up, each with the next product of the list; raises `UsageError` for no episodes."""
    if episodes < 1:
        raise UsageError(f"--episodes must be at least 1, got {episodes}")
    if seed < 0:
        raise UsageError(f"--seed must be 0 or more, got {seed}")
    return tuple(
        Episode(seed + i, products[i % len(products)] if products else None, changes) for i in range(episodes)
    )
