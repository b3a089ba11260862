"""What an episode meets has a hash, and depends on nothing that was before it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from itertools import combinations
from typing import Any

import gymnasium
import numpy as np
import pytest

from cellwright_envs import ENVIRONMENTS
from cellwright_envs.conditions import conditions_hash

IDS = tuple(ENVIRONMENTS)


@dataclass(frozen=True)
class Pair:
    a: Any
    b: Any


@dataclass(frozen=True)
class Twin:
    a: Any
    b: Any


class Kind(Enum):
    ONE = 1
    TWO = 2


UNLIKE = [
    None,
    "None",
    0,
    False,
    0.0,
    -0.0,
    1,
    True,
    1.0,
    "1",
    1.0 + 2**-52,
    (),
    (1, 2, 3),
    ((1, 2), 3),
    (1, (2, 3)),
    ("a", "b"),
    ("a'; str 'b",),
    {"a": 1, "b": 2},
    {"a": 1, "b": 3},
    Pair(1, 2),
    Twin(1, 2),
    Pair(2, 1),
    Kind.ONE,
    Kind.TWO,
    np.zeros(2),
    np.zeros(3),
    np.zeros((1, 2)),
    np.zeros(2, np.float32),
    np.array([0.0, -0.0]),
    np.random.default_rng(1),
    np.random.default_rng(2),
]


def test_no_two_values_have_one_hash() -> None:
    hashes = [conditions_hash(value=value) for value in UNLIKE]
    assert all(first != second for first, second in combinations(hashes, 2))
    assert all(len(each) == 16 and int(each, 16) >= 0 for each in hashes)
    assert conditions_hash(other=None) != hashes[0]


def test_equal_values_have_one_hash() -> None:
    def value() -> Any:
        return Pair((1.5, [np.arange(3)]), {"k": np.random.default_rng([1, 2])})

    assert conditions_hash(value=value()) == conditions_hash(value=value())
    assert conditions_hash(x=np.float64(0.1), y=[1]) == conditions_hash(x=0.1, y=(1,))


def test_what_has_no_value_is_refused() -> None:
    with pytest.raises(TypeError, match="a function has no value to hash"):
        conditions_hash(draw=Pair(1, lambda: 0))


def play(env: gymnasium.Env[Any, Any], seed: int, steps: int) -> tuple[str, list[dict[str, Any]]]:
    """Hash and observations of an episode under one list of actions."""
    rng = np.random.default_rng(seed)
    seen = [env.reset(seed=seed)[0]]
    found = env.unwrapped.conditions_hash()  # type: ignore[attr-defined]
    for _ in range(steps):
        action = rng.uniform(-1.0, 1.0, env.action_space.shape).astype(np.float32)  # type: ignore[arg-type]
        observation, *_ = env.step(action)
        seen.append(observation)
    assert env.unwrapped.conditions_hash() == found, "actions are no conditions"  # type: ignore[attr-defined]
    return found, seen


@pytest.mark.parametrize("env_id", IDS)
def test_an_episode_meets_the_same_whatever_the_cell_did_before(env_id: str) -> None:
    used, fresh = (gymnasium.make(env_id, disturbances="hard") for _ in range(2))
    for seed, steps in ((1, 25), (2, 0), (3, 7)):
        play(used, seed, steps)
    first, second = play(used, 4, 12), play(fresh, 4, 12)
    assert first[0] == second[0]
    for a, b in zip(first[1], second[1], strict=True):
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    used.close()
    fresh.close()


@pytest.mark.parametrize("env_id", IDS)
def test_another_seed_product_or_disturbance_is_another_condition(env_id: str) -> None:
    env = gymnasium.make(env_id, disturbances="train")
    cell: Any = env.unwrapped
    one, other = cell.products[:2]
    found = []
    for seed, product, disturbances in (
        (1, one, "train"),
        (2, one, "train"),
        (1, other, "train"),
        (1, one, "hard"),
        (1, one, "backlash"),
        (1, one, "none"),
    ):
        env.reset(seed=seed, options={"product": product, "disturbances": disturbances})
        found.append(cell.conditions_hash())
    assert len(set(found)) == len(found)
    env.close()


def test_the_hash_is_the_same_in_another_process() -> None:
    program = (
        "import gymnasium, cellwright_envs\n"
        f"env = gymnasium.make({IDS[1]!r}, disturbances='hard')\n"
        "env.reset(seed=9)\n"
        "print(env.unwrapped.conditions_hash())\n"
    )
    env = gymnasium.make(IDS[1], disturbances="hard")
    env.reset(seed=9)
    found = env.unwrapped.conditions_hash()  # type: ignore[attr-defined]
    env.close()
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONHASHSEED": "7", "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == found
