"""What `cellwright/WeldSeam-v1` will be: `WeldSeam` with the settings that policies are trained on next."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from cellwright_envs.welding.config import WeldSeamConfig
from cellwright_envs.welding.disturbances import NAMED
from cellwright_envs.welding.disturbances.events import FixtureBump
from cellwright_envs.welding.disturbances.process import MeterError
from cellwright_envs.welding.inspection.editions import NEWEST
from cellwright_envs.welding.line.config import LineSensor
from cellwright_envs.welding.weld_seam import WeldSeam

METERS = MeterError(gain=0.01, voltage_v=0.2)
NEXT_NAMED = {
    **NAMED,
    "train": replace(NAMED["train"], meter_error=METERS),
    "hard": replace(
        NAMED["hard"],
        # A knock of 2.5 mm spoils a weld under every controller before any has seen it.
        fixture_bump=FixtureBump(probability=1.0, jump_m=(0.8e-3, 1.5e-3)),
        meter_error=MeterError(gain=0.02, voltage_v=0.4),
    ),
    "meter_error": replace(NAMED["none"], meter_error=METERS),
}


class NextWeldSeam(WeldSeam):
    """Follows the measured seam itself, welds by the fit to MAG beads, and shows the pool."""

    disturbance_sets = NEXT_NAMED
    default_config: ClassVar[WeldSeamConfig] = WeldSeamConfig(
        version=1,
        process="fitted",
        iso_edition=NEWEST,
        pool_camera=True,
        line=LineSensor(),
        published_inertia=True,
        # 50 place the wire by at most 17 um otherwise.
        solver_iterations=20,
    )


class NextWeldSeamWithoutPool(NextWeldSeam):
    """The same for shops that have no pool camera."""

    default_config: ClassVar[WeldSeamConfig] = replace(NextWeldSeam.default_config, pool_camera=False)
