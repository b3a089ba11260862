"""Fits a drawing of the cell to the cameras' frames, lines the part up, then searches around that place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_policies.experts.assembly.base import (
    LEASH,
    POSE,
    Array,
    State,
    lead_to_action,
)
from cellwright_policies.experts.assembly.cell_drawings import GEAR, NUT, PEGS, PLUG, CellDrawing
from cellwright_policies.experts.assembly.cell_fit import CellFit, FitSettings
from cellwright_policies.experts.assembly.drawn_cell import Drawing
from cellwright_policies.experts.assembly.latch import LATCH_SEARCH
from cellwright_policies.experts.assembly.nut_fastening import NUT_SEARCH, NutSpiralSearch
from cellwright_policies.experts.assembly.spiral_search import SpiralSearch, SpiralSettings
from cellwright_policies.experts.expert import Actions, Observations

SEARCH_RADIUS_M = 3.5e-3
"""Radius of the search around the measured place."""


class Search(Protocol):
    """A search around a place (n, 2) [m] at a turn (n,) [rad], in the nominal fixture."""

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None: ...

    def act_around(self, observations: Observations, around: Array, yaw: Array) -> Actions: ...


@dataclass(frozen=True, kw_only=True)
class DrawnSettings:
    """Settings of the looks and of their checks; tuned by hand on training seeds."""

    hover_m: float = 0.016
    """Height over the nominal mouth from which it looks: the part hides little of the fixture there."""
    looks: tuple[int, ...] = (9, 11)
    """Control steps at which it looks; the look that agrees best with the drawing is used."""
    furthest_m: float = 6.5e-3
    """A measured place further from the nominal one is rejected."""
    turns: bool = False
    """Whether the part is turned by the measured turn of the fixture."""
    fit: FitSettings = field(default_factory=FitSettings)


class DrawnServo:
    """Needs the `image` group. Of the drawn `cells`, the one that agrees best with the frames is used."""

    def __init__(self, cells: Sequence[CellDrawing], search: Search, settings: DrawnSettings) -> None:
        self.settings, self._search = settings, search
        self._drawn = [(cell, Drawing(cell.prisms, cell.sizes.usual)) for cell in cells]
        self._state = State(place=(2,), yaw=(), cost=(), kind=(), steps=())

    def reset(self, cells: int, indices: Sequence[int] | None = None) -> None:
        self._search.reset(cells, indices)
        self._state.reset(cells, indices)

    def act_batch(self, observations: Observations) -> Actions:
        settings, state = self.settings, self._state
        pose = np.asarray(observations[POSE], dtype=np.float64)
        state.require(len(pose))
        steps = state["steps"]
        for number, step in enumerate(settings.looks):
            for cell in np.flatnonzero(steps == step).tolist():
                self._look(cell, np.asarray(observations["image"][cell], dtype=np.uint8), pose[cell], number)
        looking = steps <= settings.looks[-1]
        actions = self._search.act_around(observations, state["place"], state["yaw"])
        if looking.any():
            # Their search begins when they have looked.
            self._search.reset(len(pose), np.flatnonzero(looking).tolist())
            actions[looking] = 0.0
            actions[looking, :6] = self._hover(pose, observations)[looking]
        steps += 1.0
        return actions

    def _hover(self, pose: Array, observations: Observations) -> Actions:
        wanted = -pose
        wanted[:, 2] = np.clip(self.settings.hover_m - pose[:, 2], -3e-3, 3e-3)
        lead = np.asarray(observations[LEASH], dtype=np.float64)
        return lead_to_action(wanted, lead, fraction=0.6)

    def _look(self, cell: int, frames: NDArray[np.uint8], pose: Array, number: int) -> None:
        """Keep the `number`-th look at a cell if it agrees better than those before."""
        state = self._state
        # The first look decides which part is held.
        kinds = range(len(self._drawn)) if number == 0 else [int(state["kind"][cell])]
        for kind in kinds:
            fit = CellFit(*self._drawn[kind], frames, pose, self.settings.fit)
            seen = fit.refine(fit.search(number))
            believed = np.hypot(*seen.place_m) <= self.settings.furthest_m
            if not believed or 0.0 < state["cost"][cell] <= seen.cost:
                continue
            state["place"][cell], state["cost"][cell], state["kind"][cell] = seen.place_m, seen.cost, kind
            state["yaw"][cell] = seen.turn_rad if self.settings.turns else 0.0


def peg_servo() -> DrawnServo:
    """For pegs, which it also turns."""
    search = SpiralSearch(SpiralSettings(largest_m=SEARCH_RADIUS_M))
    return DrawnServo(PEGS, search, DrawnSettings(turns=True))


def plug_servo() -> DrawnServo:
    """For plugs, which it also turns."""
    search = SpiralSearch(replace(LATCH_SEARCH, largest_m=SEARCH_RADIUS_M))
    return DrawnServo([PLUG], search, DrawnSettings(turns=True))


def gear_servo() -> DrawnServo:
    """For gears."""
    search = SpiralSearch(SpiralSettings(largest_m=SEARCH_RADIUS_M))
    return DrawnServo([GEAR], search, DrawnSettings())


def nut_servo() -> DrawnServo:
    """For nuts."""
    settings = replace(NUT_SEARCH, largest_m=SEARCH_RADIUS_M)
    search = NutSpiralSearch(settings, search_rev_s=1.0)
    return DrawnServo([NUT], search, DrawnSettings())
