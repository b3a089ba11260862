"""One recorded episode: its actions, and a hash of every group of the observation at every step.

Repeating the actions shows whether the cell has changed, and in what; asking the policy at each step whether
the policy has. The actions are the recorded ones throughout, so that a policy that decides otherwise does not
hide a change of the cell, nor a changed cell one of the policy up to the step at which it shows.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_runtime.parity import PARITY
from cellwright_train.results.result import EpisodeResult
from cellwright_train.rollout.cell import Episode, EpisodePolicy, Observation, inspected, reset_options

TRUTH = "privileged"
"""The group that no sensor touches."""
REWARD, END = "reward", "end"
_TRUE = (TRUTH, REWARD, END)
_LONGEST_DELAY = 3
"""Control steps; latency beyond it shows as another observation, not as a late one."""


@dataclass(frozen=True, kw_only=True)
class Tape:
    """An episode under recorded actions."""

    actions: NDArray[np.float32]
    """(steps, actions)."""
    hashes: Mapping[str, NDArray[np.int64]]
    """CRC-32 of each group, (steps + 1,); those of `reward` and `end` belong to the step before, and begin
    with 0."""
    conditions: str
    """`CellEnv.conditions_hash`."""
    probes: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    """Observations at some steps, group name to (probes, *shape), for a policy that remembers nothing."""
    probe_steps: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where a repeated episode first leaves the recorded one, and what that says."""

    kind: str
    """`policy`, or of the cell: `plant`, `sensing` or `timing`."""
    group: str
    """Group of the observation, or name of the action."""
    step: int
    """Control steps before it."""
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.group} at step {self.step}, {self.detail}"


def record_tape(
    env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode, *, probes: int = 0
) -> tuple[Tape, EpisodeResult]:
    """Work on one part in a cell that is made with `privileged=True`, and keep its tape."""
    taken: list[NDArray[np.float32]] = []
    hashes: dict[str, list[int]] = {}
    seen: list[Observation] = []
    observation, _ = env.reset(seed=episode.seed, options=reset_options(env, episode))
    policy.reset()
    _hash_into(hashes, observation, 0.0, False)
    ended = False
    while not ended:
        seen.append({name: np.array(value) for name, value in observation.items() if name != TRUTH})
        taken.append(np.array(policy.act(observation), np.float32))
        observation, reward, terminated, truncated, _ = env.step(taken[-1])
        ended = terminated or truncated
        _hash_into(hashes, observation, float(reward), ended)
    steps = tuple(int(step) for step in np.linspace(0, len(taken) - 1, probes).round())
    cell: Any = env.unwrapped
    tape = Tape(
        actions=np.stack(taken),
        hashes={name: np.array(values, np.int64) for name, values in hashes.items()},
        conditions=cell.conditions_hash(),
        probes={name: np.stack([seen[step][name] for step in steps]) for name in seen[0]} if steps else {},
        probe_steps=steps,
    )
    return tape, inspected(env, episode, cut_off=truncated and not terminated)


def probed(policy: EpisodePolicy, tape: Tape, names: tuple[str, ...]) -> Difference | None:
    """Ask the policy about the stored observations; None where it answers as it did."""
    for row, step in enumerate(tape.probe_steps):
        policy.reset()
        action = policy.act({name: values[row] for name, values in tape.probes.items()})
        if (found := _other_action(action, tape.actions[step], step, names)) is not None:
            return found
    return None


def repeated(
    env: gymnasium.Env[Any, Any], policy: EpisodePolicy, episode: Episode, *, tape: Tape
) -> tuple[Difference, ...]:
    """Repeat the recorded actions and ask the policy beside them; the first difference of each kind.

    The policy is asked as long as all is as it was then.
    """
    names = tuple(part.name for part in env.unwrapped.action_components)  # type: ignore[attr-defined]
    hashes: dict[str, list[int]] = {}
    observation, _ = env.reset(seed=episode.seed, options=reset_options(env, episode))
    policy.reset()
    _hash_into(hashes, observation, 0.0, False)
    of_policy: Difference | None = None
    same = True
    for step, action in enumerate(tape.actions):
        same = same and all(
            hashes[name][-1] == tape.hashes[name][step] for name in hashes & tape.hashes.keys()
        )
        if same and of_policy is None:
            of_policy = _other_action(policy.act(observation), action, step, names)
        observation, reward, terminated, truncated, _ = env.step(action)
        _hash_into(hashes, observation, float(reward), terminated or truncated)
        if terminated or truncated:
            break
    now = {name: np.array(values, np.int64) for name, values in hashes.items()}
    return (*([of_policy] if of_policy else []), *_of_cell(now, tape.hashes))


def _of_cell(
    now: Mapping[str, NDArray[np.int64]], then: Mapping[str, NDArray[np.int64]]
) -> tuple[Difference, ...]:
    """What differs in the cell: what is true, and what sensors made of it before that.

    Under recorded actions sensors cannot change what is true. What is true changes what they measure, at the
    same step or with their delay.
    """
    steps = {name: step for name in then if (step := _first_other(now.get(name), then[name])) is not None}
    true, sensed = (
        {name: at for name, at in steps.items() if (name in _TRUE) is side} for side in (True, False)
    )
    found = []
    if true:
        found.append(Difference(kind="plant", **_first(true)))
    if sensed and min(sensed.values()) < min(true.values(), default=math.inf):
        told = _first(sensed)
        delay = _delay(now[told["group"]], then[told["group"]]) if told["group"] in now else None
        if delay is None:
            found.insert(0, Difference(kind="sensing", **told))
        else:
            found.insert(0, Difference(kind="timing", **told | {"detail": _called(delay)}))
    return tuple(found)


def _first(steps: Mapping[str, int]) -> dict[str, Any]:
    """Group and step of the first difference, and which groups differ besides."""
    name = min(steps, key=lambda each: steps[each])
    others = ", ".join(sorted(set(steps) - {name}))
    return {"group": name, "step": steps[name], "detail": f"then {others}" if others else "no other group"}


def _first_other(now: NDArray[np.int64] | None, then: NDArray[np.int64]) -> int | None:
    """First step at which two columns of hashes differ, also where one of them ends."""
    if now is None:
        return 0
    length = min(len(now), len(then))
    other = np.flatnonzero(now[:length] != then[:length])
    if len(other):
        return int(other[0])
    return None if len(now) == len(then) else length


def _delay(now: NDArray[np.int64], then: NDArray[np.int64]) -> int | None:
    """Steps by which a group comes late, or early where negative; None where it is not the same group."""
    length = min(len(now), len(then))
    for steps in range(1, _LONGEST_DELAY + 1):
        if length > 2 * steps and len(set(then[:length].tolist())) > 1:
            if np.array_equal(now[steps:length], then[: length - steps]):
                return steps
            if np.array_equal(now[: length - steps], then[steps:length]):
                return -steps
    return None


def _called(delay: int) -> str:
    steps = "a step" if abs(delay) == 1 else f"{abs(delay)} steps"
    return f"{steps} {'late' if delay > 0 else 'early'}"


def _other_action(
    now: NDArray[np.float32], then: NDArray[np.float32], step: int, names: tuple[str, ...]
) -> Difference | None:
    apart = np.abs(now.astype(np.float64) - then)
    if bool((apart <= PARITY).all()):  # not a number compares false
        return None
    worst = int(np.argmax(np.nan_to_num(apart, nan=np.inf)))
    detail = f"{now[worst]:.6g} where it was {then[worst]:.6g}"
    return Difference(kind="policy", group=names[worst], step=step, detail=detail)


def _hash_into(hashes: dict[str, list[int]], observation: Observation, reward: float, ended: bool) -> None:
    for name, value in observation.items():
        hashes.setdefault(name, []).append(zlib.crc32(np.ascontiguousarray(value).tobytes()))
    hashes.setdefault(REWARD, []).append(zlib.crc32(np.float64(reward).tobytes()))
    hashes.setdefault(END, []).append(int(ended))
