"""Keys move a cell as a person expects, without a terminal."""

from collections.abc import Sequence

import gymnasium
import numpy as np
import pytest

import cellwright_envs
from cellwright_train.errors import UsageError
from cellwright_train.rollout.pilot import AGAIN, HOLD_STEPS, KEYS, STILL, BeginAgain, Pilot, PilotReference

ACTIONS = ("x", "y", "z")


class Script:
    """Keys that were written down, those of one control step after those of the other."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = list(keys)
        self.waited = 0
        self.periods_s: list[float] = []

    def wait(self) -> None:
        self.waited += 1

    def pressed(self, period_s: float) -> str:
        self.periods_s.append(period_s)
        return self.keys.pop(0) if self.keys else ""


def actions(*keys: str, steps: int = 0) -> list[list[float]]:
    pilot = Pilot(ACTIONS, Script(keys), 0.05)
    pilot.reset()
    return [pilot.act({}).tolist() for _ in range(steps or len(keys))]


def test_a_key_moves_its_action_for_as_long_as_a_terminal_may_be_silent() -> None:
    assert actions("w", steps=HOLD_STEPS + 1) == [[1.0, 0.0, 0.0]] * HOLD_STEPS + [[0.0] * 3]
    assert actions("s", "", "", "s", steps=6) == [[-1.0, 0.0, 0.0]] * 6


def test_keys_are_held_together_and_opposite_ones_stand_still() -> None:
    assert actions("wf", "a", "s") == [[1.0, 0.0, -1.0], [1.0, 1.0, -1.0], [0.0, 1.0, -1.0]]


def test_a_number_chooses_the_speed_and_space_lets_go() -> None:
    found = actions("3w", "", STILL, "0w")
    np.testing.assert_allclose(found, [[0.3, 0, 0], [0.3, 0, 0], [0, 0, 0], [1.0, 0, 0]], rtol=1e-6)


def test_other_keys_do_nothing() -> None:
    assert actions("\x1b[A\x04é") == [[0.0] * 3]


def test_an_episode_can_be_begun_anew_and_begins_without_keys() -> None:
    script = Script(["w", AGAIN, ""])
    pilot = Pilot(ACTIONS, script, 0.05)
    pilot.reset()
    pilot.act({})
    with pytest.raises(BeginAgain):
        pilot.act({})
    pilot.reset()
    assert pilot.act({}).tolist() == [0.0] * 3
    assert script.waited == 2
    assert script.periods_s == [0.05] * 3


@pytest.mark.parametrize("env_id", cellwright_envs.ENVIRONMENTS)
def test_every_action_of_every_cell_has_two_keys_of_its_own(env_id: str) -> None:
    env = gymnasium.make(env_id, disable_env_checker=True)
    pilot = PilotReference(keys=Script([])).load(env)
    names = [component.name for component in env.unwrapped.action_components]  # type: ignore[attr-defined]
    env.close()
    keys = [key for name in names for key in KEYS[name]]
    assert len(set(keys)) == 2 * len(names)
    assert not set(keys) & {AGAIN, STILL, *"0123456789"}
    assert pilot.act({}).shape == (len(names),)


def test_an_action_without_a_key_is_named() -> None:
    with pytest.raises(UsageError, match="no key moves elbow of this cell"):
        Pilot(("x", "elbow"), Script([]), 0.05)
