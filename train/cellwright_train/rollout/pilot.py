"""A person in a policy's place, with keys for the actions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_train.errors import UsageError
from cellwright_train.rollout.cell import EpisodePolicy, Observation, control_rate_hz
from cellwright_train.rollout.policies import PolicyReference

KEYBOARD = "keyboard"
"""What a command takes for its policy where a person acts."""
KEYS = {
    "lateral_offset": ("d", "a"),
    "height_offset": ("f", "r"),
    "travel_speed_trim": ("s", "w"),
    "wire_feed_trim": ("k", "i"),
    "voltage_trim": ("j", "u"),
    "x": ("s", "w"),
    "y": ("d", "a"),
    "z": ("f", "r"),
    "turn_x": ("j", "l"),
    "turn_y": ("k", "i"),
    "turn_z": ("o", "u"),
    "spindle": ("g", "t"),
}
"""For each action of any cell, the key for less and the key for more."""
STILL, AGAIN = " ", "x"
"""The key that lets go of all others, and the one that begins the episode anew."""
HOLD_STEPS = 3
"""Control steps for which a key counts as held: a terminal repeats a held key some 30 times a second, and
says nothing when it is let go."""
_SPEEDS = {key: (number or 10) / 10 for number, key in enumerate("0123456789")}


class BeginAgain(Exception):  # noqa: N818 - nothing went wrong
    """The person wants this episode from its beginning; what was done of it does not count."""


class Keys(Protocol):
    """Where the keys come from."""

    def wait(self) -> None:
        """Return once a key is pressed."""

    def pressed(self, period_s: float) -> Iterable[str]:
        """The keys since the last call, `period_s` after it."""


@dataclass(frozen=True, kw_only=True)
class PilotReference(PolicyReference):
    """A person."""

    kind: ClassVar[str] = "person"
    name: str = KEYBOARD
    keys: Keys

    @property
    def environment(self) -> None:
        """Any."""
        return

    @property
    def digest(self) -> str:
        """No two people are told apart."""
        return self.name

    def load(self, env: gymnasium.Env[Any, Any]) -> EpisodePolicy:
        """At the actions of `env`; raises `UsageError` where one has no key."""
        cell: Any = env.unwrapped
        names = [component.name for component in cell.action_components]
        return Pilot(names, self.keys, 1.0 / control_rate_hz(env))

    def require_fit(self, env_id: str) -> None:
        """A person acts anywhere."""


class Pilot:
    """Turns keys into actions: a key that is held gives its action all of the speed that was chosen."""

    name = KEYBOARD

    def __init__(self, actions: Sequence[str], keys: Keys, period_s: float) -> None:
        """`actions` are named as the cell names them; raises `UsageError` where one has no key."""
        if without := [name for name in actions if name not in KEYS]:
            raise UsageError(f"no key moves {', '.join(without)} of this cell; choose another policy")
        self._meaning = {
            key: (index, sign)
            for index, name in enumerate(actions)
            for key, sign in zip(KEYS[name], (-1.0, 1.0), strict=True)
        }
        self._size, self._keys, self._period_s = len(actions), keys, period_s
        self._speed = 1.0
        self._held: dict[str, int] = {}

    def reset(self) -> None:
        """Wait until the person is ready."""
        self._held.clear()
        self._keys.wait()

    def act(self, observation: Observation) -> NDArray[np.float32]:
        """Action (actions,) in [-1, 1] after a control period; raises `BeginAgain` where it is asked for."""
        for key in self._keys.pressed(self._period_s):
            self._take(key)
        action = np.zeros(self._size, np.float32)
        for key in self._held:
            index, sign = self._meaning[key]
            action[index] += sign * self._speed
        self._held = {key: left - 1 for key, left in self._held.items() if left > 1}
        return action

    def _take(self, key: str) -> None:
        if key == AGAIN:
            raise BeginAgain
        if key == STILL:
            self._held.clear()
        elif key in _SPEEDS:
            self._speed = _SPEEDS[key]
        elif key in self._meaning:
            self._held[key] = HOLD_STEPS
