"""What an insertion policy observes: the groups and their components with units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.assembly.compliance import ComplianceConfig
from cellwright_runtime.vocabulary import Component

Array = NDArray[np.float64]

AXES = ("x", "y", "z")
HISTORY_LAGS = (1, 2, 4, 8, 16, 32)
"""Control steps back: 0.4 s cover any latency, 1.6 s show that a search has got stuck."""


def _vector(
    name: str, units: tuple[str, str], reach: tuple[float, float], turn: str
) -> tuple[Component, ...]:
    """Three components along and three about the axes."""
    return tuple(
        Component(name=f"{name}{infix}_{axis}", unit=unit, low=-limit, high=limit)
        for infix, unit, limit in (("", units[0], reach[0]), (turn, units[1], reach[1]))
        for axis in AXES
    )


ACTIONS = ("x", "y", "z", "turn_x", "turn_y", "turn_z")
"""How far a control step moves and turns the reference, along and about the reference's own axes."""
POSE = _vector("tool", ("m", "rad"), (0.04, 0.3), "_turn")
"""The tool relative to the nominal fixture, along and about the nominal fixture's axes."""


def wrench(force_n: float) -> tuple[Component, ...]:
    """The wrist sensor, tared and low-passed, in the tool frame about its origin; forces up to `force_n`."""
    return _vector("force", ("N", "N.m"), (force_n, 2.0), "_torque")


LEASH = _vector(
    "lead", ("m", "rad"), (1.2 * ComplianceConfig.leash_m, 1.2 * ComplianceConfig.leash_rad), "_turn"
)
"""The reference relative to the tool, along and about the nominal fixture's axes."""
LIMIT = (Component(name="force_limit", unit="N", low=0.0, high=200.0),)


def motion(step_m: float, turn_rad: float) -> tuple[Component, ...]:
    """The commands behind `ACTIONS`, up to `step_m` and `turn_rad`."""
    limits = (("m", step_m),) * 3 + (("rad", turn_rad),) * 3
    return tuple(
        Component(name=name, unit=unit, low=-limit, high=limit)
        for name, (unit, limit) in zip(ACTIONS, limits, strict=True)
    )


def components(actions: Sequence[str], observed_force_n: float) -> dict[str, tuple[Component, ...]]:
    """The groups of every insertion, for a task with these actions and a sensor that is read so far."""
    felt = wrench(observed_force_n)
    last_action = tuple(Component(name=f"last_{name}", unit="1", low=-1.0, high=1.0) for name in actions)
    history = tuple(
        Component(name=f"{c.name}_lag_{lag}", unit=c.unit, low=c.low, high=c.high)
        for lag in HISTORY_LAGS
        for c in (*POSE, *felt, *last_action)
    )
    return {
        "pose": POSE,
        "wrench": felt,
        "leash": LEASH,
        "last_action": last_action,
        "history": history,
        "limit": LIMIT,
    }


PRIVILEGED: tuple[Component, ...] = (
    *(Component(name=f"tip_{axis}", unit="m", low=-0.05, high=0.05) for axis in AXES),
    *(Component(name=f"axis_{axis}", unit="1", low=-0.3, high=0.3) for axis in ("x", "y")),
    Component(name="yaw_error", unit="rad", low=-3.2, high=3.2),
    *(Component(name=f"fixture_{axis}", unit="m", low=-0.02, high=0.02) for axis in AXES),
    Component(name="fixture_yaw", unit="rad", low=-0.2, high=0.2),
    Component(name="grasp_turn", unit="rad", low=-0.2, high=0.2),
    Component(name="grasp_x", unit="m", low=-0.02, high=0.02),
    Component(name="grasp_z", unit="m", low=-0.03, high=0.03),
    Component(name="clearance", unit="m", low=0.0, high=2.5e-3),
    Component(name="chamfer", unit="m", low=0.0, high=3e-3),
    Component(name="friction", unit="1", low=0.0, high=1.0),
    Component(name="size", unit="m", low=0.0, high=0.02),
    Component(name="depth", unit="m", low=0.0, high=0.03),
    Component(name="symmetry", unit="rad", low=0.0, high=6.3),
    Component(name="stiffness_factor", unit="1", low=0.3, high=3.0),
    Component(name="dead_band", unit="N", low=0.0, high=6.0),
    Component(name="latency", unit="step", low=0.0, high=6.0),
    Component(name="contact_force", unit="N", low=0.0, high=60.0),
    Component(name="peak_force", unit="N", low=0.0, high=60.0),
    Component(name="overlap", unit="m", low=0.0, high=1e-3),
    Component(name="held", unit="s", low=0.0, high=0.5),
)
"""The truth, for a critic, a teacher and the oracle; it never reaches an actor."""
