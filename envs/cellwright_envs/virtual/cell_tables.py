"""A simulated cell as tables of a cell's file, for whoever runs a bundle against a virtual controller."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_assets.arithmetic import inverted, product
from cellwright_envs.assembly.cameras import VIEWS
from cellwright_envs.assembly.cell import arm
from cellwright_envs.virtual.insertion_station import FIXTURE_B, InsertionStation
from cellwright_runtime.bundle.cameras import TrainedView, trained_views
from cellwright_runtime.interface.placing import pose_of

Array = NDArray[np.float64]

_MOUNTS = {"tool": "flange", "nominal_fixture": "base"}


class CellTables(NamedTuple):
    """What of a cell's file belongs to the cell, and not to its controller."""

    frames: Mapping[str, Array]
    """`tool` (4, 4) in the flange, `fixture` (4, 4) in the base."""
    part: Mapping[str, float | str]
    views: Sequence[TrainedView]

    def text(self, *, driver: str, host: str, port: int, sources: Mapping[str, str]) -> str:
        """The file, for a controller, 0 for its usual port, and for the sources of the cameras by name."""
        lines = [
            "[robot]",
            f'model = "{ur10e.MODEL}"',
            f"joints = {json.dumps(list(ur10e.JOINT_NAMES))}",
            f'driver = "{driver}"',
            f'host = "{host}"',
            *([f"port = {port}"] if port else []),
        ]
        for name, frame in self.frames.items():
            lines += ["", f"[{name}]", *_placed(frame)]
        lines += ["", "[part]", *(f"{key} = {json.dumps(value)}" for key, value in self.part.items())]
        for view in self.views:
            frame = self.frames["tool" if view.frame == "tool" else "fixture"]
            lines += [
                "",
                "[[camera]]",
                f'name = "{view.view}"',
                f'views = ["{view.view}"]',
                f'source = "{sources[view.view]}"',
                f"width_px = {view.width_px}",
                f"height_px = {view.height_px}",
                f"focal_px = {list(view.focal_px)}",
                f"principal_px = {list(view.principal_px)}",
                f'mounted_on = "{_MOUNTS[view.frame]}"',
                *_placed(product(frame, inverted(view.transform))),
            ]
        return "\n".join(lines) + "\n"


def described(station: InsertionStation) -> CellTables:
    """The tables of an insertion's cell, after its first `begin`."""
    env, part = station.env, station.env.product
    layout = env.layout
    return CellTables(
        frames={"tool": np.asarray(arm().tool), "fixture": FIXTURE_B},
        part={"name": part.name, "force_limit_n": part.force_limit_n, "depth_m": part.depth_m},
        views=trained_views(layout.controller, VIEWS, layout.image_size_px),
    )


def _placed(frame: Array) -> list[str]:
    pose = pose_of(frame).tolist()
    return [f"position_m = {pose[:3]}", f"rotation_rad = {pose[3:]}"]
