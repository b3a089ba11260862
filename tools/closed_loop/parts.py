"""One part: what is worked on, in the environment and in every session."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import gymnasium

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.runtime import Runtime

LONGEST_S = 180.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """The part of one seed, and the policy that works on it."""

    bundle: Bundle
    seed: int
    disturbances: str = "train"
    products: str = "train"
    longest_s: float = LONGEST_S

    @property
    def welded(self) -> bool:
        """Whether it is welded, and not inserted."""
        return "lateral_range" in self.bundle.spec.controller


def in_environment(part: Part) -> dict[str, Any]:
    """The episode, with the same policy."""
    spec = part.bundle.spec
    env: Any = gymnasium.make(
        spec.environment, product=part.products, disturbances=part.disturbances
    ).unwrapped
    runtime, begun_s = Runtime(part.bundle), time.monotonic()
    observation, _ = env.reset(seed=part.seed)
    steps, over = 0, False
    while not over and steps * spec.layout.control_period_s < part.longest_s:
        action = runtime.decide(observation).action
        observation, _, terminated, truncated, _ = env.step(action)
        steps, over = steps + 1, terminated or truncated
    told = {"verdict": _verdict(env), "product": env.product.name, "decisions": steps}
    env.close()
    return told | {"seconds": round(time.monotonic() - begun_s, 1)}


def limit_s(part: Part) -> float:
    """How long the environment lets an episode with this part last."""
    spec = part.bundle.spec
    env: Any = gymnasium.make(
        spec.environment, product=part.products, disturbances=part.disturbances
    ).unwrapped
    env.reset(seed=part.seed)
    steps = env.limit_steps
    env.close()
    return float(steps * spec.layout.control_period_s)


def _verdict(env: Any) -> str:
    """What became of the part, in the words of the virtual cells."""
    card = env.scorecard()
    if env.family == "welding":
        passed = [level for level, fine in card.passed.items() if fine]
        return f"passes {', '.join(passed) or 'no level'}"
    if card.success:
        return "seated"
    return "broken" if card.broken or card.lost else "not seated"
