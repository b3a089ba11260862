"""A simulated cell as tables of a cell's file, for whoever runs a bundle against a virtual controller."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_assets import ur10e
from cellwright_assets.arithmetic import inverted, product
from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.assembly.cameras import VIEWS
from cellwright_envs.assembly.cell import arm
from cellwright_envs.virtual.insertion_station import FIXTURE_B, InsertionStation
from cellwright_envs.virtual.kuka_rsi import STANDING_MM
from cellwright_envs.virtual.weld_station import WIRING, WeldStation
from cellwright_envs.virtual.wrench_sensor import COUNTS_PER_N, COUNTS_PER_N_M, sensor_in
from cellwright_envs.welding.taught_seam import programme
from cellwright_envs.welding.weld_cell import taught_program
from cellwright_runtime.bundle.cameras import trained_views
from cellwright_runtime.drivers.modbus_power_source import CouplerMap
from cellwright_runtime.drivers.power_source import FULL_V
from cellwright_runtime.interface.placing import pose_of

Array = NDArray[np.float64]

_MOUNTS = {"tool": "flange", "nominal_fixture": "base"}
_STANDING = (f"correction_m = {STANDING_MM * 1e-3}", f"correction_rad = {np.pi}")
"""Of a KUKA robot whose own program stands."""
_TAUGHT_M = 5e-3
"""A seam is taught at points of this distance."""
_AROUND_M = 0.03
"""The workspace of a weld: its path and this much around it (assumption)."""


class CellTables(Protocol):
    """What of a cell's file belongs to the cell, and not to its controller."""

    def text(self, robot: RobotTable, addresses: Mapping[str, str]) -> str:
        """The file; `addresses` are those of cameras, coupler and sensors by name."""


class RobotTable:
    """The table `[robot]`."""

    def __init__(self, *, driver: str, host: str, port: int = 0) -> None:
        """`port` 0 is the driver's usual one."""
        self.lines = [
            "[robot]",
            f'model = "{ur10e.MODEL}"',
            f"joints = {json.dumps(list(ur10e.JOINT_NAMES))}",
            f'driver = "{driver}"',
            f'host = "{host}"',
            *([f"port = {port}"] if port else []),
            *(_STANDING if driver == "kuka-rsi" else []),
        ]


class InsertionTables:
    """Of an insertion."""

    def __init__(self, station: InsertionStation) -> None:
        """After the station's first `begin`."""
        layout, part = station.env.layout, station.env.product
        self.part: dict[str, Any] = {
            "name": part.name,
            "force_limit_n": part.force_limit_n,
            "depth_m": part.depth_m,
        }
        self._views = trained_views(layout.controller, VIEWS, layout.image_size_px)

    def text(self, robot: RobotTable, addresses: Mapping[str, str]) -> str:
        """The file; `addresses` are the sources of the cameras, and HOST:PORT of a `wrench sensor`."""
        frames = {"tool": np.asarray(arm().tool), "nominal_fixture": FIXTURE_B}
        lines = [*robot.lines, *_table("tool", frames["tool"]), *_table("fixture", FIXTURE_B)]
        lines += ["", "[part]", *_keys(self.part)]
        if "wrench sensor" in addresses:
            host, _, port = addresses["wrench sensor"].rpartition(":")
            table = {"kind": "ati-rdt", "host": host, "port": int(port)}
            table |= {"counts_per_n": COUNTS_PER_N, "counts_per_n_m": COUNTS_PER_N_M}
            lines += ["", "[wrench_sensor]", *_keys(table), *_placed(sensor_in(frames["tool"]))]
        for view in self._views:
            lines += [
                "",
                "[[camera]]",
                f'name = "{view.view}"',
                f'views = ["{view.view}"]',
                f'source = "{addresses[view.view]}"',
                f"width_px = {view.width_px}",
                f"height_px = {view.height_px}",
                f"focal_px = {list(view.focal_px)}",
                f"principal_px = {list(view.principal_px)}",
                f'mounted_on = "{_MOUNTS[view.frame]}"',
                *_placed(product(frames[view.frame], inverted(view.transform))),
            ]
        return "\n".join(lines) + "\n"


class WeldTables:
    """Of a weld."""

    def __init__(self, station: WeldStation) -> None:
        """After the station's first `begin`."""
        self._product, self._meters = station.env.product, len(station.read().signals)

    def text(self, robot: RobotTable, addresses: Mapping[str, str]) -> str:
        """The file; `addresses` are HOST:PORT of `coupler` and `seam sensor`, and the source of `pool`."""
        registers = CouplerMap()
        lines = [*robot.lines, *_table("tool", np.asarray(TCP_FROM_FLANGE)), *self._seam()]
        host, _, port = addresses["seam sensor"].rpartition(":")
        lines += ["", "[seam_sensor]", f'host = "{host}"', f"port = {port}"]
        if "pool" in addresses:
            lines += ["", "[pool_camera]", f'source = "{addresses["pool"]}"']
        host, _, port = addresses["coupler"].rpartition(":")
        lines += ["", "[power_source]", f'host = "{host}"', f"port = {port}", f"meter_count = {self._meters}"]
        for name, channel, scale in (
            ("wire_feed", registers.wire_feed, WIRING.wire_feed),
            ("voltage", registers.voltage, WIRING.voltage),
        ):
            table = {"name": name, "channel": channel, "volts": [0.0, FULL_V], "unit": scale.unit}
            table |= {"low": scale.at_0_v, "high": scale.at_10_v}
            lines += ["", "[[analogue_output]]", *_keys(table)]
        for key, name, channel in (
            ("digital_output", "arc_on", registers.arc_on),
            ("digital_input", "arc_established", registers.arc_established),
            ("digital_input", "ready", registers.ready),
        ):
            lines += ["", f"[[{key}]]", *_keys({"name": name, "channel": channel})]
        return "\n".join(lines) + "\n"

    def _seam(self) -> list[str]:
        frames, _, _ = taught_program(self._product)
        count = max(2, round(frames.length_m / _TAUGHT_M) + 1)
        taught = np.linspace(0.0, frames.length_m, count)
        normals = np.cross(frames.base_directions_w, frames.rotations_w[:, :, 0])

        def at_points(values: Array) -> list[list[float]]:
            columns = [np.interp(taught, frames.path_position_m, column) for column in values.T]
            return np.stack(columns, axis=1).tolist()

        told = vars(programme(self._product))
        low = frames.points_w.min(axis=0) - _AROUND_M
        high = frames.points_w.max(axis=0) + _AROUND_M
        return [
            "",
            "[seam]",
            *_keys({name: value for name, value in told.items() if value is not None}),
            f"points_m = {at_points(frames.points_w)}",
            f"normals = {at_points(normals)}",
            *([] if self._product.joint == "butt" else ["upright = [0.0, 0.0, 1.0]"]),
            "",
            "[[workspace]]",
            *_keys({"name": "around the seam", "low_m": low.tolist(), "high_m": high.tolist()}),
        ]


def _table(name: str, frame: Array) -> list[str]:
    return ["", f"[{name}]", *_placed(frame)]


def _placed(frame: Array) -> list[str]:
    pose = pose_of(frame).tolist()
    return [f"position_m = {pose[:3]}", f"rotation_rad = {pose[3:]}"]


def _keys(table: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]
