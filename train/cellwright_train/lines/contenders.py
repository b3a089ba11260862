"""Who works on a line: a policy, or one for each cell of the line, and whether people teach it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from cellwright_policies.experts import PRIVILEGED_EXPERTS
from cellwright_train.errors import UsageError
from cellwright_train.rollout.cell import CellChoice
from cellwright_train.rollout.policies import ExpertReference, PolicyReference, resolve_policy
from cellwright_train.rollout.trial import Trial


@dataclass(frozen=True, kw_only=True)
class Contender:
    """What runs a whole line."""

    name: str
    """As the user wrote it."""
    policies: Mapping[str, PolicyReference]
    """The policy in each cell, by the cell's task."""

    @property
    def identity(self) -> dict[str, dict[str, str | bool]]:
        """What results say about it, cell by cell."""
        return {
            cell: {"policy": policy.name, "policy_sha256": policy.digest, "taught": is_taught(policy)}
            for cell, policy in self.policies.items()
        }

    @classmethod
    def resolve(cls, text: str, cells: Mapping[str, str]) -> Self:
        """Find what `text` names for `cells`, which are ids by task: one policy, or several joined by `+`.

        Raises `UsageError` or BundleError where a policy is not there or fits no cell, and where a cell has
        none or two.
        """
        policies: dict[str, PolicyReference] = {}
        for each in text.split("+"):
            reference = resolve_policy(each)
            fitting = [task for task, env_id in cells.items() if _fits(reference, env_id)]
            if not fitting:
                raise UsageError(f"{each} acts in no cell of the line: {', '.join(cells.values())}")
            for task in fitting:
                if task in policies:
                    raise UsageError(f"{text} names two policies for {task}: {policies[task].name}, {each}")
                policies[task] = reference
        if missing := [task for task in cells if task not in policies]:
            raise UsageError(f"{text} has no policy for {', '.join(missing)}; join one with '+'")
        return cls(name=text, policies=policies)


def _fits(reference: PolicyReference, env_id: str) -> bool:
    try:
        reference.require_fit(env_id)
    except UsageError:
        return False
    return True


def is_taught(policy: PolicyReference) -> bool:
    """Whether people teach it: a classical controller, no trained policy and none that knows the truth."""
    return isinstance(policy, ExpertReference) and policy.name not in PRIVILEGED_EXPERTS


def trial_of(policy: PolicyReference, env_id: str, *, pictures: bool) -> Trial:
    """The workplace of a policy in a cell, where each part says itself what it meets."""
    cell = CellChoice(env=env_id, disturbances="none")
    return Trial(policy=policy, cell=cell, plan=(), trace=pictures, pictures=pictures)
