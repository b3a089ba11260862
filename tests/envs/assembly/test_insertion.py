"""What a task can add to the shared insertion: a peg that a spring catches, driven in by a spindle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from cellwright_envs.assembly.config import InsertionConfig
from cellwright_envs.assembly.insertion import Insertion
from cellwright_envs.assembly.measurement import InsertionMeasurement, InsertionScorecard
from cellwright_envs.assembly.nut_fastening import NutFastening
from cellwright_envs.assembly.parts.pegs import PEGS
from cellwright_runtime.vocabulary import Component

DOWN = np.array([0.0, 0.0, -0.6, 0.0, 0.0, 0.0, 0.0], dtype=np.float32)
SPRING_N_M = 200.0


class Spring:
    """Pushes the part out of the hole, the more the deeper it is; `preload_n` on top once it is in."""

    def __init__(self, preload_n: float) -> None:
        self.preload_n = preload_n
        self.force_n = 0.0
        self.time_s = 0.0

    def wrench_f(self, part_f: np.ndarray, dt: float) -> np.ndarray:
        depth_m = max(-float(part_f[2, 3]), 0.0)
        self.time_s += dt
        self.force_n = SPRING_N_M * depth_m + self.preload_n * (depth_m > 0.0)
        return np.array([0.0, 0.0, self.force_n, 0.0, 0.0, 0.0])


@dataclass(frozen=True, kw_only=True)
class SprungMeasurement(InsertionMeasurement):
    spring_n: float
    turns_rad: float


class SprungInsertion(Insertion[SprungMeasurement]):
    """Held against a spring, and seated only once the spindle has turned by a radian."""

    catalogue = PEGS
    own_actions = (Component(name="spindle", unit="rad/s", low=-4.0, high=4.0),)
    own_groups = {"spindle": (Component(name="turned", unit="rad", low=-10.0, high=10.0),)}  # noqa: RUF012
    own_privileged = (Component(name="spring", unit="N", low=0.0, high=20.0),)

    def __init__(self, **arguments: Any) -> None:
        own: dict[str, Any] = {"product": "round-8-0.5", "disturbances": "none", "privileged": True}
        super().__init__(**own | {"record_trace": True} | arguments)

    def _resistance(self, rng: np.random.Generator) -> Spring:
        self.spring = Spring(preload_n=rng.uniform(1.0, 2.0))
        self.turned_rad = 0.0
        return self.spring

    def _drive(self, commands: np.ndarray) -> None:
        (speed_rad_s,) = commands
        self.turned_rad += speed_rad_s * self.config.control_period_s

    def _measure_own(
        self, shared: InsertionMeasurement, before: SprungMeasurement | None
    ) -> SprungMeasurement:
        return SprungMeasurement(**vars(shared), spring_n=self.spring.force_n, turns_rad=self.turned_rad)

    def _seated(self, m: SprungMeasurement) -> bool:
        return super()._seated(m) and m.turns_rad > 1.0

    def _observe_own(self) -> dict[str, np.ndarray]:
        return {"spindle": np.array([self.turned_rad])}

    def _privileged_own(self) -> tuple[float, ...]:
        return (self.spring.force_n,)

    def _reward_terms(self, m: SprungMeasurement) -> dict[str, float]:
        return {"spring": -m.spring_n}


@pytest.fixture(scope="module")
def env() -> Iterator[SprungInsertion]:
    env = SprungInsertion()
    yield env
    env.close()


def lower(env: SprungInsertion, steps: int, *, spindle: float = 0.0) -> tuple[dict[str, Any], dict[str, Any]]:
    """Lower the part over the hole's axis; the last observation and info."""
    for _ in range(steps):
        action = DOWN.copy()
        tip_m = env._state.part_f[:2, 3]
        action[:2] = np.clip(-400.0 * tip_m, -1.0, 1.0)
        action[6] = spindle
        observation, _, terminated, _, info = env.step(action)
        if terminated:
            break
    return observation, info


def test_resistance_is_felt_at_the_wrist_and_counts_as_force(env: SprungInsertion) -> None:
    env.reset(seed=1)
    observation, _ = lower(env, 66)
    spring_n = env.spring.force_n
    assert 3.0 < spring_n < 5.0  # on its way in, on which it touches nothing
    assert env._state.wrench_t[2] - env._tare[2] == pytest.approx(spring_n, abs=0.3)
    assert observation["wrench"][2] == pytest.approx(spring_n, abs=0.3)
    assert env.measurement.peak_force_n == pytest.approx(spring_n, abs=0.5)


def test_resistance_is_asked_once_a_physics_step(env: SprungInsertion) -> None:
    env.reset(seed=1)
    lower(env, 7)
    assert env.spring.time_s == pytest.approx(7 * env.config.control_period_s)


def test_every_episode_draws_its_resistance_from_its_seed(env: SprungInsertion) -> None:
    drawn = []
    for seed in (1, 2, 1):
        env.reset(seed=seed)
        drawn.append(env.spring.preload_n)
    assert drawn[0] == drawn[2] != drawn[1]


def test_an_action_of_the_task_reaches_it_in_its_unit_after_latency(env: SprungInsertion) -> None:
    env.reset(seed=1)
    env._pending.extend([np.zeros(7)] * 2)
    observation, _ = lower(env, 5, spindle=0.5)
    assert env.turned_rad == pytest.approx(3 * 2.0 * env.config.control_period_s)
    assert observation["spindle"] == pytest.approx(env.turned_rad)
    assert observation["last_action"][6] == 0.5
    assert env.action_components[6].name == "spindle"
    assert env.observation_space.contains(observation)


def test_a_task_may_ask_for_more_than_depth(env: SprungInsertion) -> None:
    env.reset(seed=1)
    _, info = lower(env, 300)
    assert env.measurement.depth_m > 0.95 * env.product.depth_m
    assert env.measurement.held_s == 0.0
    assert not info["is_success"]
    _, info = lower(env, 100, spindle=1.0)
    assert info["is_success"]
    card: InsertionScorecard = env.scorecard()
    assert card.success
    assert env.measurement.held_s == pytest.approx(6 * env.config.control_period_s)


def test_what_a_task_measures_is_traced_and_told_to_the_critic(env: SprungInsertion) -> None:
    env.reset(seed=1)
    observation, info = lower(env, 40)
    assert env.privileged_names[-1] == "spring"
    assert observation["privileged"][-1] == pytest.approx(env.spring.force_n)
    trace = env.trace()
    assert trace["spring_n"][-1] == env.spring.force_n == -info["reward_terms"]["spring"]
    assert trace["spring_n"][0] == 0.0
    assert trace["wrench_t"].shape == (40, 6)


def test_a_task_refuses_the_settings_of_another() -> None:
    with pytest.raises(ValueError, match="NutFastening takes a NutFasteningConfig, not a InsertionConfig"):
        NutFastening(config=InsertionConfig())
