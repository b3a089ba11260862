"""What it takes to push a connector in: forces of its contacts over the travel, then its latch.

Contacts spread as they slide onto their pins: the force rises to a peak, falls to the friction of contacts
that are open, and stays there until the plug is home (phases I and II of inter-connection.eu, "Contact force
and mating mechanics"). A shell's springs add a friction that begins sooner, and a latch clicks at the end.

All of it is friction but the click: it holds the plug where it is, whoever pulls. Shapes are templates: no
force-travel curve of a named connector was found, so they are assumptions. The limits are those of standards.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.parts.connectors import Connector, Family, Latch

Array = NDArray[np.float64]

LIMIT_SHARE = (0.4, 0.8)
"""Largest force of an episode's plug over its standard's limit (assumption): measured plugs are within, and
the softest arm under `hard` can still push the strongest of them home."""
FALL_MM = 0.5
"""Travel over which the peak falls to the plateau (assumption)."""
SHELL_MM = 1.0
"""Travel over which a shell's springs come to bear (assumption)."""
STICK_N_M = 5e4
"""Stiffness of plug on contacts until they slide (assumption): as stiff as physics steps of 4 ms take."""


@dataclass(frozen=True, kw_only=True)
class MatingTemplate:
    """Forces of a family over its travel [mm], which is stretched to the depth of a socket."""

    limit_n: float
    """Largest force to plug in that the family's standard allows."""
    ramp_mm: tuple[float, float]
    """Where the contacts begin to spread, and where they are open: the peak."""
    home_mm: float
    """Whole travel."""
    plateau: float
    """Friction of open contacts over the peak."""
    shell_n: float = 0.0
    """Friction of the shell's springs."""
    shell_from_mm: float = 0.0
    latch_n: float = 0.0
    """Force of the click, on top."""


MATING: dict[Family, MatingTemplate] = {
    # USB 2.0 specification, 6.7: at most 35 N; shell springs 3 to 8 N, dimples snap with 3 to 6 N.
    "usb-a": MatingTemplate(
        limit_n=35.0,
        ramp_mm=(4.0, 6.0),
        home_mm=11.7,
        plateau=0.6,
        shell_n=5.0,
        shell_from_mm=2.0,
        latch_n=4.5,
    ),
    # HDMI 1.3, 4.1.4: at most 44.1 N; shell springs 8 to 12 N.
    "hdmi": MatingTemplate(
        limit_n=44.1, ramp_mm=(4.0, 6.0), home_mm=9.5, plateau=0.6, shell_n=10.0, shell_from_mm=2.0
    ),
    # Harting, D-Sub of 9 poles: below 30 N; held by screws.
    "d-sub": MatingTemplate(limit_n=30.0, ramp_mm=(3.0, 4.5), home_mm=6.0, plateau=0.6),
    # IEC 60603-7: at most 20 N; the click drops by 5 to 10 N.
    "modular": MatingTemplate(limit_n=20.0, ramp_mm=(8.0, 10.0), home_mm=12.0, plateau=0.5, latch_n=7.5),
    # Pluggable terminal block of 3 poles, 8 N each: an assumption.
    "terminal": MatingTemplate(limit_n=24.0, ramp_mm=(2.0, 4.0), home_mm=10.0, plateau=0.7),
}


class Mating(Latch):
    """A `Resistance`: contacts, shell and latch of one plug in one episode."""

    def __init__(self, plug: Connector, *, share: float) -> None:
        """`share` is the plug's largest force over the limit of its family's standard."""
        self.template = MATING[plug.family]
        super().__init__(depth_m=plug.depth_m, force_n=self.template.latch_n)
        self._scale = self.template.home_mm / plug.depth_m
        self.peak_n = share * self.template.limit_n
        """Largest force to plug it in, the click aside."""
        self._contacts_n = self.peak_n - self.template.shell_n
        self._anchor_m: float | None = None
        """Depth at which the friction is zero."""
        self.friction_n = 0.0
        """Force of the friction on the plug, positive out of the socket."""

    def wrench_f(self, part_f: Array, dt: float) -> Array:
        """(6,) force and torque on the plug, along the socket's axis only."""
        wrench_f = super().wrench_f(part_f, dt)
        self.friction_n = self._rubbed_n(-float(part_f[2, 3]))
        wrench_f[2] += self.friction_n
        self.resistance_n = float(wrench_f[2])
        return wrench_f

    def slides_from_n(self, depth_m: float) -> float:
        """Friction that has to be overcome at a depth."""
        template, at_mm = self.template, depth_m * self._scale
        begin_mm, peak_mm = template.ramp_mm
        rising = min(max((at_mm - begin_mm) / (peak_mm - begin_mm), 0.0), 1.0)
        fallen = min(max((at_mm - peak_mm) / FALL_MM, 0.0), 1.0)
        shell = min(max((at_mm - template.shell_from_mm) / SHELL_MM, 0.0), 1.0)
        contacts_n = self._contacts_n * rising * (1.0 - (1.0 - template.plateau) * fallen)
        return contacts_n + template.shell_n * shell

    def _rubbed_n(self, depth_m: float) -> float:
        """Dry friction by return mapping: an elastic hold that slides along once it is overcome."""
        limit_n = self.slides_from_n(depth_m)
        if limit_n <= 0.0:
            self._anchor_m = None
            return 0.0
        anchor_m = depth_m if self._anchor_m is None else self._anchor_m
        held_n = min(max(STICK_N_M * (depth_m - anchor_m), -limit_n), limit_n)
        self._anchor_m = depth_m - held_n / STICK_N_M
        return held_n
