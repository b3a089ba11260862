"""The pool camera in the weld cell: what it shows, how late, how badly, and how it reaches the policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.disturbances.exposure import SensorNoise
from cellwright_envs.welding.disturbances import NAMED, WeldDisturbances
from cellwright_envs.welding.disturbances.pool import PoolView
from cellwright_envs.welding.disturbances.tool import ToolCentrePointError
from cellwright_envs.welding.part.paths import straight
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.pool_camera import ACROSS_M_PX, ALONG_M_PX, PoolCamera, PoolLighting
from cellwright_envs.welding.process.columns import Constant, State
from cellwright_envs.welding.weld_seam import WeldSeam, WeldSeamWithoutPool
from cellwright_runtime.interface.path_correction import WeldInterface

SHORT = replace(PRODUCTS["butt-straight-2.3"], name="short-butt", path=straight(0.08))
STILL = np.zeros(5, dtype=np.float32)
SEED = 3
EDGE = 72
"""Grey value between the pool, and bead and plate around it."""


@pytest.fixture(scope="module")
def env() -> Iterator[WeldSeam]:
    env = WeldSeam(product=SHORT, disturbances="none")
    yield env
    env.close()


def pictures(
    env: WeldSeam, view: PoolView, steps: int = 150, **others: object
) -> list[tuple[NDArray[np.uint8], float]]:
    """The pool view after each control step, and the bead's width then [m]."""
    disturbances = replace(NAMED["none"], pool_view=view, **others)
    env.reset(seed=SEED, options={"disturbances": disturbances})
    return [
        (env.step(STILL)[0]["image"][2], float(env.process.state[0, State.BEAD_WIDTH_M]))
        for _ in range(steps)
    ]


def extent_px(picture: NDArray[np.uint8]) -> tuple[int, int]:
    """Columns and rows that the pool takes."""
    bright = picture > EDGE
    return int(bright.any(axis=0).sum()), int(bright.any(axis=1).sum())


def test_it_is_the_third_view_and_black_before_the_arc(env: WeldSeam) -> None:
    observation, _ = env.reset(seed=SEED)
    assert observation["image"].shape == (3, 64, 64)
    assert env.observation_space["image"].shape == (3, 64, 64)
    assert [each.name for each in env.observation_components["image"]] == ["overview", "stripe", "pool"]
    assert observation["image"][2].max() == 0
    without = WeldSeamWithoutPool(product=SHORT, disturbances="none")
    image = without.reset(seed=SEED)[0]["image"]
    without.close()
    np.testing.assert_array_equal(observation["image"][:2], image)


def test_the_pool_is_as_wide_and_long_as_it_was_welded(env: WeldSeam) -> None:
    picture, width_m = pictures(env, PoolView())[-1]
    wide, long = extent_px(picture)
    state, view = env.process.state[0], env.disturbed.pool_view
    assert wide * ACROSS_M_PX == pytest.approx(width_m * 1.1, abs=1.5 * ACROSS_M_PX)  # its root is open
    power_w = 0.8 * state[State.CURRENT_A] * state[State.VOLTAGE_V]
    assert long * ALONG_M_PX == pytest.approx(power_w * view.length_m_w * 1.2, abs=2.0 * ALONG_M_PX)


def test_it_lies_under_the_wire(env: WeldSeam) -> None:
    columns = []
    for lateral_m in (0.0, 0.9e-3):
        bent = ToolCentrePointError(mean_m=(0.0, lateral_m, 0.0))
        picture, _ = pictures(env, PoolView(), tool_centre_point=bent)[-1]
        columns.append(np.flatnonzero((picture > EDGE).any(axis=0)).mean())
    assert columns[0] - columns[1] == pytest.approx(3.0, abs=0.6)


def test_it_does_not_tell_exactly_where_the_wire_is(env: WeldSeam) -> None:
    """Mounting and wander of the arc: the brightest column is off by as much as was drawn."""
    places = {}
    for name in ("mounting_m", "wander_m"):
        seen = [picture for picture, _ in pictures(env, PoolView(**{name: 0.6e-3}), 220)][60::2]
        places[name] = np.array([np.flatnonzero((each > EDGE).any(axis=0)).mean() for each in seen])
        if name == "mounting_m":
            mounted_px = env.disturbed.pool_view.mounting_m / ACROSS_M_PX
    assert abs(mounted_px) > 0.3
    assert places["mounting_m"].mean() == pytest.approx(31.5 + mounted_px, abs=0.4)
    assert places["mounting_m"].std() < 0.3
    assert places["wander_m"].std() == pytest.approx(2.0, rel=0.35)


def test_a_picture_is_taken_every_other_step_and_arrives_late(env: WeldSeam) -> None:
    now = [picture for picture, _ in pictures(env, PoolView())]
    late = [picture for picture, _ in pictures(env, PoolView(latency_steps=(3, 3)))]
    for step in range(3, 150):
        np.testing.assert_array_equal(late[step], now[step - 3])
    new = [not np.array_equal(now[step], now[step - 1]) for step in range(100, 150)]
    assert new[::2] in ([True] * 25, [False] * 25)
    assert new[1::2] == [not each for each in new[::2]]


def test_useless_pictures_are_white(env: WeldSeam) -> None:
    burnt = [picture for picture, _ in pictures(env, PoolView(useless=(0.3, 0.3)))][100:]
    white = np.mean([picture.min() > 100 for picture in burnt])
    assert 0.1 < white < 0.55


@pytest.mark.parametrize(("name", "axis"), [("width_noise", 0), ("length_noise", 1)])
def test_what_is_seen_scatters_by_what_was_drawn(env: WeldSeam, name: str, axis: int) -> None:
    noisy, steady = (
        np.array([extent_px(picture)[axis] for picture, _ in pictures(env, view, 240)][60::2])
        for view in (PoolView(**{name: (0.15, 0.15)}), PoolView())
    )
    assert np.std(steady) / steady.mean() < 0.06
    assert np.std(noisy) / steady.mean() == pytest.approx(0.15, rel=0.35)


def test_a_surface_that_hangs_is_lit_otherwise(env: WeldSeam) -> None:
    """Noise of the height alone: the outline stays, the light on it changes."""
    first = [picture for picture, _ in pictures(env, PoolView(), 140)][-1]
    other = [picture for picture, _ in pictures(env, PoolView(sag_noise_m=(0.4e-3, 0.4e-3)), 140)][-1]
    inside = first > EDGE + 25
    assert np.abs(other.astype(int) - first)[inside].mean() > 1.0
    assert np.mean((other > EDGE) != (first > EDGE)) < 0.03


def test_a_tail_that_hangs_is_brighter_than_one_that_bulges() -> None:
    """The arc stands before it: the far side of a bulge is turned away, that of a dent towards it."""
    tails = []
    for root_index in (0.4, 1.1):
        state, constants = np.zeros(len(State)), np.ones(len(Constant))
        state[State.ROOT_INDEX], state[State.BEAD_WIDTH_M], state[State.CAP_HEIGHT_M] = root_index, 8e-3, 1e-3
        state[State.CURRENT_A], state[State.VOLTAGE_V] = 200.0, 24.0
        constants[Constant.BURN_THROUGH_INDEX] = 1.08
        camera = PoolCamera(64, PoolLighting())
        camera.begin(NAMED["none"].draw(np.random.default_rng(0)))
        picture = camera.take(state, constants, lateral_m=0.0, arc_on=True, time_s=1.0).image
        tails.append(float(picture[30:38, 31:33].mean()))
    assert tails[1] > tails[0] + 2.0


def test_the_disturbances_of_every_camera_disturb_it(env: WeldSeam) -> None:
    clean, _ = pictures(env, PoolView())[-1]
    noisy, _ = pictures(env, PoolView(), sensor_noise=SensorNoise(read_levels=6.0))[-1]
    assert np.std(noisy.astype(float) - clean) > 2.0


def test_every_field_of_its_disturbance_changes_the_picture(env: WeldSeam) -> None:
    full = NAMED["train"].pool_view
    other = {
        "spread": 0.0,
        "width_noise": (0.0, 0.0),
        "length_noise": (0.0, 0.0),
        "sag_noise_m": (0.0, 0.0),
        "mounting_m": 0.0,
        "wander_m": 0.0,
        "useless": (0.0, 0.0),
        "latency_steps": (0, 0),
    }
    assert set(other) == {each.name for each in fields(PoolView)}
    usual = pictures(env, full)
    for name, value in other.items():
        changed = pictures(env, replace(full, **{name: value}))
        assert any(not np.array_equal(a, b) for (a, _), (b, _) in zip(usual, changed, strict=True)), name


def test_a_cell_without_it_is_not_touched(env: WeldSeam) -> None:
    plain = WeldSeamWithoutPool(product=SHORT, disturbances="none")
    seen = []
    for view in (PoolView(), NAMED["hard"].pool_view):
        plain.reset(seed=SEED, options={"disturbances": replace(WeldDisturbances(), pool_view=view)})
        seen.append([plain.step(STILL)[0]["image"] for _ in range(60)])
    plain.close()
    np.testing.assert_array_equal(seen[0], seen[1])


def test_the_robots_side_wants_the_picture_that_the_policy_was_trained_with(env: WeldSeam) -> None:
    env.reset(seed=SEED)
    torch, frame, signals = env.wire.torch, env.frame, env.process.signals[0]
    with pytest.raises(ValueError, match="needs a picture of the pool"):
        env.interface.observe(torch, frame, signals)
    with pytest.raises(ValueError, match=r"uint8 \(64, 64\), got float64 \(64, 64\)"):
        env.interface.observe(torch, frame, signals, pool=np.zeros((64, 64)))
    plain = WeldSeamWithoutPool(product=SHORT, disturbances="none")
    plain.reset(seed=SEED)
    interface = WeldInterface(plain.layout)
    interface.begin(plain._seam, signals)
    with pytest.raises(ValueError, match="never seen a picture of the pool"):
        interface.observe(torch, frame, signals, pool=np.zeros((64, 64), np.uint8))
    plain.close()


@pytest.mark.parametrize("steps", [(-1, 0), (2, 1), (0, 9)])
def test_impossible_latencies_are_refused(steps: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="latency_steps"):
        PoolView(latency_steps=steps)
