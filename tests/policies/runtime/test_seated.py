"""A part is seated where it is deep enough, stands still and is pushed back."""

import numpy as np
import pytest

from cellwright_runtime.interface.seated import PUSH_N, STILL_M, TOLERANCE_M, UR10E_N_M, WINDOW_S, SeatedWatch

PERIOD_S = 0.05
COUNT = round(WINDOW_S / PERIOD_S) + 1
DEPTH_M, MOUTH_M = 0.025, 0.15
BOTTOM_M = MOUTH_M - DEPTH_M


def watch(**changes: object) -> SeatedWatch:
    return SeatedWatch(**{"depth_m": DEPTH_M, "mouth_m": MOUTH_M, "control_period_s": PERIOD_S, **changes})  # type: ignore[arg-type]


def said(seen: SeatedWatch, heights_m: list[float], push_n: float = 6.0, **more: float) -> list[bool]:
    wrench = [0.0, 0.0, push_n, 0.0, 0.0, 0.0]
    return [seen.update([0.6, 0.0, height_m, 0.0, 0.0, 0.0], wrench, **more) for height_m in heights_m]


def test_it_is_said_after_the_window_and_not_before() -> None:
    assert said(watch(), [BOTTOM_M] * (COUNT + 2)) == [False] * (COUNT - 1) + [True] * 3


@pytest.mark.parametrize(
    ("height_m", "push_n", "seated"),
    [
        (BOTTOM_M + 0.9 * TOLERANCE_M, 6.0, True),
        (BOTTOM_M - 0.002, 6.0, True),  # the fixture lies lower than on the drawing
        (BOTTOM_M + 1.1 * TOLERANCE_M, 6.0, False),  # jammed on the way
        (BOTTOM_M, 0.9 * PUSH_N, False),  # nothing pushes back
        (BOTTOM_M, -6.0, False),
    ],
)
def test_depth_and_push_both_count(height_m: float, push_n: float, seated: bool) -> None:
    assert said(watch(), [height_m] * COUNT, push_n)[-1] is seated


def test_a_part_that_still_sinks_is_not_seated() -> None:
    sinking = list(BOTTOM_M - STILL_M / 3 * np.arange(3 * COUNT))
    assert not any(said(watch(), sinking))


def test_a_screwed_part_needs_its_torque_too() -> None:
    seen = watch(torque_n_m=(0.8, 1.2))
    assert not any(said(seen, [BOTTOM_M] * COUNT, torque_n_m=0.5))
    assert not any(said(seen, [BOTTOM_M], torque_n_m=1.3))
    assert said(seen, [BOTTOM_M], torque_n_m=1.0) == [True]


def test_what_bends_under_force_is_not_depth() -> None:
    """25 N bend arm and fingers by 2.3 mm: a plug that stands at its latch looks as deep."""
    stiff = {"stiffness_n_m": UR10E_N_M, "tolerance_m": 1e-3}
    assert said(watch(tolerance_m=1e-3), [BOTTOM_M] * COUNT, 25.0)[-1]
    assert not said(watch(**stiff), [BOTTOM_M] * COUNT, 25.0)[-1]
    assert said(watch(**stiff), [BOTTOM_M - 25.0 / UR10E_N_M] * COUNT, 25.0)[-1]


def test_a_push_that_grows_on_a_seated_part_is_no_motion() -> None:
    pushes = np.linspace(5.0, 15.0, COUNT)
    seen = watch(stiffness_n_m=UR10E_N_M)
    told = [
        seen.update([0.0, 0.0, BOTTOM_M - push / UR10E_N_M, 0.0, 0.0, 0.0], [0.0, 0.0, push, 0.0, 0.0, 0.0])
        for push in pushes
    ]
    assert told[-1]
    assert not said(watch(), (BOTTOM_M - pushes / UR10E_N_M).tolist(), 10.0)[-1]


def test_the_next_part_begins_anew() -> None:
    seen = watch()
    said(seen, [BOTTOM_M] * COUNT)
    seen.reset()
    assert not any(said(seen, [BOTTOM_M] * (COUNT - 1)))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="need positive"):
        watch(depth_m=0.0)
    with pytest.raises(ValueError, match="lowest < highest torque"):
        watch(torque_n_m=(1.0, 0.5))
