"""Pictures of the weld cell: the light of its arc."""

from __future__ import annotations

import numpy as np

from cellwright_envs.welding.weld_seam import WeldSeam

STILL = np.zeros(5, dtype=np.float32)


def test_films_show_the_light_of_the_arc_while_it_burns() -> None:
    """Between two steps the torch moves by a millimetre: what differs is the arc's light."""
    env = WeldSeam(product="lap-straight-2.3", disturbances="none", render_mode="rgb_array")
    env.reset(seed=1)
    dark = env.render()
    while not env.measurement.arc_on:
        dark = env.render() if env.measurement.path_position_m > -2e-3 else dark
        env.step(STILL)
    lit = env.render()
    env.close()
    white = [np.count_nonzero((picture > 245).all(axis=2)) for picture in (dark, lit)]
    assert white[1] > white[0] + 20
    assert lit.astype(int).mean() > dark.astype(int).mean() + 1.0
