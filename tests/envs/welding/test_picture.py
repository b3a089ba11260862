"""Pictures of the weld cell: the light of its arc."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from cellwright_envs.welding.weld_seam import WeldSeam

STILL = np.zeros(5, dtype=np.float32)


@pytest.mark.parametrize(("take", "brighter"), [(WeldSeam.render, 0.3), (WeldSeam.picture, 1.0)])
def test_films_show_the_light_of_the_arc_while_it_burns(
    take: Callable[[WeldSeam], np.ndarray], brighter: float
) -> None:
    """Between two steps the torch moves by a millimetre: what differs is the arc's light."""
    env = WeldSeam(product="lap-straight-2.3", disturbances="none", render_mode="rgb_array")
    env.reset(seed=1)
    dark = take(env)
    while not env.measurement.arc_on:
        dark = take(env) if env.measurement.path_position_m > -0.8e-3 else dark
        env.step(STILL)
    lit = take(env)
    env.close()
    white = [np.count_nonzero((picture > 245).all(axis=2)) for picture in (dark, lit)]
    assert white[1] > white[0] + 20
    assert lit.astype(int).mean() > dark.astype(int).mean() + brighter
