"""A repeated episode says whether the policy changed or the cell, and in what."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs.disturbances.line_change import LineChange, times
from cellwright_train.regression.tape import Tape, probed, record_tape, repeated
from cellwright_train.rollout.cell import CellChoice, Episode, EpisodePolicy, run_episode
from cellwright_train.rollout.policies import resolve_policy

PEG = "cellwright/PegInsertion-v1"
EPISODE = Episode(31, "round-8-0.5")


class Cell:
    """A cell with its policy and the tape of one episode."""

    def __init__(self) -> None:
        self.env = CellChoice(env=PEG).make(privileged=True)
        self.policy = resolve_policy("spiral-search").load(self.env)
        self.tape, self.result = record_tape(self.env, self.policy, EPISODE, probes=3)


@pytest.fixture(scope="module")
def cell() -> Iterator[Cell]:
    made = Cell()
    yield made
    made.env.close()


class Bent:
    """A policy that answers otherwise from a step on."""

    def __init__(self, policy: EpisodePolicy, change: Any, begin: int = 0) -> None:
        self.name, self._policy, self._change, self._begin = "bent", policy, change, begin

    def reset(self) -> None:
        self._policy.reset()
        self.steps = 0

    def act(self, observation: Mapping[str, Any]) -> Any:
        action = self._policy.act(observation)
        self.steps += 1
        return self._change(action) if self.steps > self._begin else action


def flipped(action: Any) -> Any:
    return action * np.array([1, 1, -1, 1, 1, 1], np.float32)


class Seen(gymnasium.Wrapper):
    """A cell whose observations are changed on their way to the policy."""

    def __init__(self, env: gymnasium.Env, change: Any) -> None:
        super().__init__(env)
        self.change = change

    def reset(self, **options: Any) -> Any:
        observation, info = self.env.reset(**options)
        self.past = [observation]
        return self.change(self.past), info

    def step(self, action: Any) -> Any:
        observation, *rest = self.env.step(action)
        self.past.append(observation)
        return self.change(self.past), *rest


def test_a_tape_is_of_the_episode_that_an_evaluation_works_on(cell: Cell) -> None:
    plain = CellChoice(env=PEG).make()
    assert run_episode(plain, resolve_policy("spiral-search").load(plain), EPISODE) == cell.result
    plain.close()
    steps = len(cell.tape.actions)
    assert cell.tape.actions.shape == (steps, 6)
    assert {len(of) for of in cell.tape.hashes.values()} == {steps + 1}
    assert {"image", "privileged", "reward", "end"} < set(cell.tape.hashes)
    assert cell.tape.conditions == cell.result.conditions
    assert cell.tape.probe_steps == (0, round((steps - 1) / 2), steps - 1)
    assert {len(values) for values in cell.tape.probes.values()} == {3}
    assert "privileged" not in cell.tape.probes


def test_where_nothing_changed_nothing_differs(cell: Cell) -> None:
    assert repeated(cell.env, cell.policy, EPISODE, tape=cell.tape) == ()


@pytest.mark.parametrize("begin", [0, 17])
def test_a_policy_that_decides_otherwise_is_found_at_its_step(cell: Cell, begin: int) -> None:
    (found,) = repeated(cell.env, Bent(cell.policy, flipped, begin), EPISODE, tape=cell.tape)
    moves = np.flatnonzero(np.abs(cell.tape.actions[:, 2]) > 1e-5)
    assert (found.kind, found.step) == ("policy", moves[moves >= begin][0])
    assert found.group == cell.env.unwrapped.action_components[2].name  # type: ignore[attr-defined]
    then = cell.tape.actions[found.step, 2]
    assert found.detail == f"{-then:.6g} where it was {then:.6g}"


@pytest.mark.parametrize(("apart", "differs"), [(0.9e-5, False), (1.2e-5, True), (np.nan, True)])
def test_actions_are_alike_within_what_another_processor_gives(
    cell: Cell, apart: float, differs: bool
) -> None:
    bent = Bent(cell.policy, lambda action: action + np.float32(apart))
    inside = dataclasses.replace(cell.tape, actions=np.clip(cell.tape.actions, -0.9, 0.9))
    still = Bent(cell.policy, lambda action: np.clip(action, -0.9, 0.9))
    tape = Tape(actions=inside.actions[:1], hashes=inside.hashes, conditions="")
    bent._policy = still
    still.reset()
    found = repeated(cell.env, bent, EPISODE, tape=tape)
    assert [each.kind for each in found if each.kind == "policy"] == (["policy"] if differs else [])


def test_another_sensor_is_sensing_and_names_its_group(cell: Cell) -> None:
    def brighter(past: list[dict[str, Any]]) -> dict[str, Any]:
        now = past[-1]
        return now | {"image": now["image"] + np.uint8(1)} if len(past) > 9 else now

    (found,) = repeated(Seen(cell.env, brighter), cell.policy, EPISODE, tape=cell.tape)
    assert (found.kind, found.group, found.step) == ("sensing", "image", 9)
    assert found.detail == "no other group"


@pytest.mark.parametrize(("late", "told"), [(1, "a step late"), (2, "2 steps late")])
def test_a_late_group_is_timing(cell: Cell, late: int, told: str) -> None:
    def delayed(past: list[dict[str, Any]]) -> dict[str, Any]:
        return past[-1] | {"image": past[max(0, len(past) - 1 - late)]["image"]}

    (found,) = repeated(Seen(cell.env, delayed), cell.policy, EPISODE, tape=cell.tape)
    assert (found.kind, found.group, found.detail) == ("timing", "image", told)


def test_a_group_that_is_gone_is_found_at_the_start(cell: Cell) -> None:
    def blind(past: list[dict[str, Any]]) -> dict[str, Any]:
        return {name: value for name, value in past[-1].items() if name != "image"}

    (found,) = repeated(Seen(cell.env, blind), cell.policy, EPISODE, tape=cell.tape)
    assert (found.kind, found.group, found.step) == ("sensing", "image", 0)


def test_another_plant_is_found_by_what_is_true_and_named_so(cell: Cell) -> None:
    rougher = LineChange(description="Rust.", changes={"contact_friction.factor": times(1.3)})
    episode = EPISODE._replace(changes=(rougher,))
    found = repeated(cell.env, cell.policy, episode, tape=cell.tape)
    assert [each.kind for each in found] == ["plant"]
    assert found[0].group == "privileged"


class Weak(gymnasium.Wrapper):
    """A cell whose arm follows half of each action from the sixth on."""

    def step(self, action: Any) -> Any:
        self.steps = getattr(self, "steps", 0) + 1
        return self.env.step(action * np.float32(0.5) if self.steps > 5 else action)


def test_a_camera_and_a_plant_that_changed_are_both_named(cell: Cell) -> None:
    def brighter(past: list[dict[str, Any]]) -> dict[str, Any]:
        return past[-1] | {"image": past[-1]["image"] + np.uint8(1)}

    first, second = repeated(Seen(Weak(cell.env), brighter), cell.policy, EPISODE, tape=cell.tape)
    assert (first.kind, first.group, first.step) == ("sensing", "image", 0)
    assert (second.kind, second.step >= 6) == ("plant", True)


def test_an_episode_that_ends_otherwise_is_found(cell: Cell) -> None:
    longer = dataclasses.replace(
        cell.tape,
        actions=np.concatenate([cell.tape.actions, cell.tape.actions[-1:]]),
        hashes={name: np.append(of, of[-1]) for name, of in cell.tape.hashes.items()},
    )
    (found,) = repeated(cell.env, cell.policy, EPISODE, tape=longer)
    assert (found.kind, found.step) == ("plant", len(cell.tape.actions) + 1)


def test_stored_observations_show_a_policy_that_changed(cell: Cell) -> None:
    class Steady:
        name = "steady"

        def __init__(self, factor: float) -> None:
            self.factor = factor

        def reset(self) -> None:
            pass

        def act(self, observation: Mapping[str, Any]) -> Any:
            level = float(np.mean(observation["image"])) / 255.0
            return np.full(6, self.factor * level, np.float32)

    names = tuple("abcdef")
    tape, _ = record_tape(cell.env, Steady(0.5), EPISODE, probes=2)
    assert probed(Steady(0.5), tape, names) is None
    found = probed(Steady(0.52), tape, names)
    assert found is not None
    assert (found.kind, found.group, found.step) == ("policy", "a", 0)
