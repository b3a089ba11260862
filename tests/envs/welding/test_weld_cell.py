"""The weld cell over many parts."""

import gymnasium
import numpy as np
import pytest

from cellwright_envs.welding import weld_cell
from tools.soak import soak

PRODUCTS = ("lap-straight-2.3", "tee-straight-6.0")


def test_a_long_row_of_changing_products_leaves_memory_flat(capsys: pytest.CaptureFixture[str]) -> None:
    env = gymnasium.make("cellwright/WeldSeam-v1", product=PRODUCTS, disturbances="none")
    # Where shapes were kept, each change of the product would leave 80 kB behind: 24 MB.
    used_mb = soak(env, 2 * weld_cell.LEFT_BEHIND + 300)
    env.close()
    assert max(used_mb[3:]) - used_mb[2] < 8.0
    assert capsys.readouterr().out.count("resets") == len(used_mb)


def test_a_world_made_anew_for_the_next_part_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def rollout(used: bool) -> list[np.ndarray]:
        env = gymnasium.make("cellwright/WeldSeam-v1", product=PRODUCTS[1], disturbances="train")
        if used:
            monkeypatch.setattr(weld_cell, "LEFT_BEHIND", 2)
            for number in range(5):
                env.reset(seed=number, options={"product": PRODUCTS[number % 2]})
                env.step(np.full(5, 0.3, np.float32))
        observations = [env.reset(seed=7)[0]]
        observations += [env.step(np.full(5, 0.1 * step % 1.0, np.float32))[0] for step in range(40)]
        env.close()
        return [group for observation in observations for group in observation.values()]

    for fresh, used in zip(rollout(False), rollout(True), strict=True):
        np.testing.assert_array_equal(fresh, used)
