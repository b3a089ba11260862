"""What the weld policy is told about the seam ahead against where the seam is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from cellwright_envs.disturbances.camera import FrameDelivery
from cellwright_envs.welding.disturbances import NAMED
from cellwright_envs.welding.disturbances.fixture import FixtureOffset
from cellwright_envs.welding.disturbances.tool import ToolCentrePointError
from cellwright_envs.welding.part.product import PRODUCTS
from cellwright_envs.welding.part.seam import SeamDeviation, sweep
from cellwright_envs.welding.process.columns import Input
from cellwright_envs.welding.weld_cell import ORIGIN_W
from cellwright_envs.welding.weld_seam import WeldSeam
from cellwright_perception.seam.line_tracker import PROFILE_POINTS
from cellwright_perception.seam.taught_path import along

NONE = NAMED["none"]
CURVED = (
    "lap-arc-3.2",
    "tee-arc-4.5",
    "tee-s-curve-2.3",
    "tee-flange-4.5",
    "butt-arc-3.2",
    "butt-s-curve-2.0",
)
LARGEST_P95_MM = {"lap": 0.04, "t_fillet": 0.04, "butt": 0.18}
"""Lateral and height. A groove's edges are known no better than the image columns are wide, 0.3 mm."""


@pytest.fixture(scope="module")
def cell() -> Iterator[WeldSeam]:
    env = WeldSeam(product="all", disturbances="none", privileged=True)
    yield env
    env.close()


def errors_mm(env: WeldSeam, steps: int = 140) -> NDArray[np.float64]:
    """Lateral and height (N, 2) [mm] at the wire: observed minus true, with the torch off its path."""
    rows = []
    for step in range(steps):
        action = np.array([0.5 * np.sin(step / 6.0), 0.3 * np.cos(step / 9.0), 1.0, 0.0, 0.0], np.float32)
        observation, *_ = env.step(action)
        wire = env.wire
        at_m, lateral_m, height_m = wire.torch
        if at_m > 2e-3:  # what is at the wire was seen 25 mm before
            truth_m = (
                along(env.deviation.lateral_m, at_m) + wire.seam_shift_m[0] - lateral_m,
                along(env.deviation.height_m, at_m) + wire.seam_shift_m[1] - height_m,
            )
            rows.append(observation["seam"][[0, PROFILE_POINTS]] - truth_m)
    return np.array(rows) * 1e3


@pytest.mark.parametrize("mean_m", [(0.0, 0.0, 0.0), (1.5e-3, -1.0e-3, 1.5e-3)])
@pytest.mark.parametrize("name", CURVED)
def test_a_curved_seam_is_observed_where_it_lies(
    cell: WeldSeam, name: str, mean_m: tuple[float, float, float]
) -> None:
    moved = dataclasses.replace(NONE, fixture_offset=FixtureOffset(mean_m=mean_m))
    cell.reset(seed=3, options={"product": name, "disturbances": moved})
    p95_mm = np.percentile(np.abs(errors_mm(cell)), 95, axis=0)
    assert p95_mm.max() <= LARGEST_P95_MM[PRODUCTS[name].joint], p95_mm.round(3)


@pytest.mark.parametrize("name", [*CURVED, "tee-saddle-3.2"])
def test_a_gap_is_as_wide_as_it_lies_across_the_laser_plane(cell: WeldSeam, name: str) -> None:
    """The two edges of the gap, swept along the part, are cut by the laser plane."""
    cell.reset(seed=0, options={"product": name})
    product, frames, look_ahead_m = cell.product, cell.cell.frames, cell.config.sensor.look_ahead_m
    gap_m, everywhere = 1e-3, np.arange(len(frames.path_position_m))
    section = {"butt": [(-0.5 * gap_m, 0.0), (0.5 * gap_m, 0.0)]}.get(
        product.joint, [(0.0, 0.0), (0.0, gap_m)]
    )
    flat: SeamDeviation = cell.deviation
    edges_w = sweep(
        np.tile(np.array(section), (len(everywhere), 1, 1)), everywhere, product, frames, flat, ORIGIN_W
    )
    for index in range(40, 36 + int(product.path.length_m / 1e-3), 20):
        edges_t = (edges_w[index : index + 46] - frames.points_w[index]) @ cell.cell.torch_rotations_w[index]
        cut = [
            [np.interp(look_ahead_m, edge[:, 0], edge[:, axis]) for axis in (1, 2)]
            for edge in edges_t.transpose(1, 0, 2)
        ]
        crossing = cell.interface.seam.look_ahead.at(float(frames.path_position_m[index]))
        width_m = np.linalg.norm(np.subtract(*cut))
        assert width_m * crossing.gap_fraction == pytest.approx(gap_m, rel=5e-3)


def test_a_frame_that_is_delivered_again_is_not_measured_again(
    cell: WeldSeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    lossy = dataclasses.replace(NONE, frame_delivery=FrameDelivery(drop_probability=0.6))
    measured_m: list[float] = []
    update = cell.interface.tracker.update
    monkeypatch.setattr(
        cell.interface.tracker,
        "update",
        lambda profile, position_m, *rest: (
            measured_m.append(position_m),
            update(profile, position_m, *rest),
        ),
    )
    cell.reset(seed=0, options={"product": "tee-straight-3.2", "disturbances": lossy})
    for _ in range(60):
        cell.step(np.zeros(5, np.float32))
    assert len(measured_m) == len(set(map(cell.disturbed.frame_delivery.delivered, range(61))))
    assert np.all(np.diff(measured_m) > 0.0)


def test_a_tool_that_stands_high_lengthens_the_contact_tip_distance(cell: WeldSeam) -> None:
    seen = []
    for high_m in (0.0, 1e-3):
        bent = dataclasses.replace(NONE, tool_centre_point=ToolCentrePointError(mean_m=(0.0, 0.0, high_m)))
        cell.reset(seed=0, options={"product": "tee-straight-3.2", "disturbances": bent})
        for _ in range(40):
            observation, *_ = cell.step(np.zeros(5, np.float32))
        error_m = observation["privileged"][cell.privileged_names.index("height_error_0_mm_ahead")]
        seen.append([cell._inputs[1, 0, Input.CONTACT_TIP_DISTANCE_M], cell.wire.height_error_m, error_m])
    np.testing.assert_allclose(np.subtract(seen[1], seen[0]), [1e-3, -1e-3, -1e-3], atol=1e-6)
