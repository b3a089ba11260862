"""First question of a regression: is anything different at all, and if so, what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gymnasium

from cellwright_runtime.runtime import DecisionError, ObservationError
from cellwright_train.regression.tape import END, REWARD, TRUTH, Difference, Tape, probed, repeated
from cellwright_train.rollout.cell import Episode, EpisodePolicy


@dataclass(frozen=True, kw_only=True)
class Located:
    """What repeating the recorded part of a scenario has shown."""

    differences: tuple[Difference, ...] = ()
    not_comparable: str = ""
    """Why it cannot be compared; empty where it can."""

    @property
    def unchanged(self) -> bool:
        """Whether policy and cell do what they did."""
        return not self.differences and not self.not_comparable


def locate(env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode, *, tape: Tape) -> Located:
    """Ask the policy about the stored observations, then repeat the recorded part beside it."""
    if wrong := _other_layout(env, tape):
        return Located(not_comparable=wrong)
    names = tuple(part.name for part in env.unwrapped.action_components)  # type: ignore[attr-defined]
    try:
        asked = probed(policy, tape, names)
        found = repeated(env, policy, episode, tape=tape)
    except (ObservationError, DecisionError) as error:
        return Located(not_comparable=f"the policy does not act in this cell: {error}")
    if asked is not None and all(each.kind != "policy" for each in found):
        found = (asked, *found)
    cell: Any = env.unwrapped
    now = cell.conditions_hash()
    if found and now != tape.conditions:
        return Located(
            differences=found,
            not_comparable=f"seed {episode.seed} meets other conditions now ({now}, were {tape.conditions})",
        )
    return Located(differences=found)


def _other_layout(env: gymnasium.Env[Any, Any], tape: Tape) -> str:
    """What differs between the layout of the cell and that of the tape; empty where nothing does."""
    actions = env.action_space.shape
    if actions != tape.actions.shape[1:]:
        return f"the cell takes actions {actions}, the baseline has {tape.actions.shape[1:]}"
    assert isinstance(env.observation_space, gymnasium.spaces.Dict)
    groups, recorded = set(env.observation_space.spaces), set(tape.hashes) - {REWARD, END}
    if gone := sorted(recorded - groups - {TRUTH}):
        return f"the cell no longer observes {', '.join(gone)}"
    for name, rows in tape.probes.items():
        space = env.observation_space[name]
        if (space.shape, space.dtype) != (rows.shape[1:], rows.dtype):
            return (
                f"{name} is {space.dtype} {space.shape}, in the baseline it is {rows.dtype} {rows.shape[1:]}"
            )
    return ""
