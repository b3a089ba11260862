"""`python -m tools.compiled`: compile what steps the environments, before several processes need it at once.

Numba keeps the code beside the packages, for whoever comes later; processes that find none compile all of it
each for itself.
"""

from __future__ import annotations

import contextlib

import gymnasium

from cellwright_envs import ENVIRONMENTS


def main() -> None:
    """Step and draw each environment once."""
    for env_id in ENVIRONMENTS:
        with contextlib.closing(gymnasium.make(env_id, render_mode="rgb_array")) as env:
            env.reset(seed=0)
            env.step(env.action_space.sample())
            env.render()


if __name__ == "__main__":
    main()
