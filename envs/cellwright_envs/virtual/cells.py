"""Plants made of environments: the arm of a registered cell, with its part, its taught path and its
cameras."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from cellwright_assets.welding_torch import TCP_FROM_FLANGE
from cellwright_envs.assembly.cameras import VIEWS
from cellwright_envs.assembly.cell import arm
from cellwright_envs.virtual.cell_tables import CellTables, InsertionTables, WeldTables
from cellwright_envs.virtual.insertion_station import InsertionStation
from cellwright_envs.virtual.kinematic_arm import KinematicArm
from cellwright_envs.virtual.weld_station import WeldStation
from cellwright_envs.welding.weld_cell import taught_program
from cellwright_perception.seam.taught_path import STEP_M
from cellwright_runtime.drivers.sim import Plant
from cellwright_runtime.interface.rotation import rotation_vector

Array = NDArray[np.float64]
Frame = Callable[[], NDArray[np.uint8]]
"""Takes a picture (H, W) or (H, W, 3) of the plant as it is now."""
Path = Callable[[float], Array]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What stands behind a virtual controller."""

    plant: Plant
    tool_from_flange: Array = field(default_factory=lambda: np.eye(4))
    """(4, 4)"""
    path: Path | None = None
    """Where the program of a welding robot has the tool (6,) at a time [s]."""
    cameras: Mapping[str, Frame] = field(default_factory=dict)
    exposures: Callable[[], int] = lambda: 0
    """Counts up with every new picture of the cameras."""
    truth: Callable[[], str] | None = None
    """What became of the part, in words."""
    described: Callable[[], CellTables] | None = None
    """The tables of a cell's file that describe it."""
    feels: bool = False
    """Whether the plant has a wrench, which a sensor at the wrist can measure."""
    weld: WeldStation | None = None
    """The weld's power source and seam sensor, which have wires of their own."""


def bare_arm(period_s: float) -> Cell:
    """A kinematic arm without a cell."""
    return Cell(plant=KinematicArm(period_s=period_s))


def cell_of(env_id: str, *, product: str, disturbances: str, seed: int) -> Cell:
    """The cell of a registered environment, with the part of one seed.

    Raises ValueError where the environment has no arm that can be driven, or knows no such product.
    """
    env: Any = gymnasium.make(env_id, product=product, disturbances=disturbances)
    family = getattr(env.unwrapped, "family", None)
    env.close()
    if family == "welding":
        return _weld(WeldStation(env_id, seed=seed, products=product, disturbances=disturbances))
    if family == "assembly":
        return _insertion(
            InsertionStation(env_id, seed=seed, product=product, disturbances=disturbances, positions=True)
        )
    raise ValueError(f"{env_id} is no cell with an arm; take one of welding or assembly")


def _insertion(station: InsertionStation) -> Cell:
    def frame(view: int) -> Frame:
        return lambda: station.newest().image[view]

    return Cell(
        plant=station,
        tool_from_flange=np.asarray(arm().tool),
        cameras={name: frame(view) for view, name in enumerate(VIEWS)},
        exposures=lambda: station.newest().number,
        truth=station.truth,
        described=lambda: InsertionTables(station),
        feels=True,
    )


def _weld(station: WeldStation) -> Cell:
    station.begin()  # the part is drawn
    env = station.env
    frames, rotations_w, _ = taught_program(env.product)
    speed_m_s = env.product.procedure.travel_speed_m_s
    pool = station.pool
    first, last = frames.index(-env.config.approach_m), frames.index(frames.length_m)

    def path(time_s: float) -> Array:
        along = min(first + speed_m_s * time_s / STEP_M, float(last))
        index = min(int(along), last - 1)
        rest = along - index
        point = frames.points_w[index] * (1.0 - rest) + frames.points_w[index + 1] * rest
        return np.array([*point, *rotation_vector(rotations_w[index].tolist())])

    return Cell(
        plant=station,
        tool_from_flange=np.asarray(TCP_FROM_FLANGE),
        path=path,
        cameras={} if pool is None else {"pool": lambda: pool.newest().image[0]},
        exposures=lambda: 0 if pool is None else pool.newest().number,
        truth=station.truth,
        described=lambda: WeldTables(station),
        weld=station,
    )
