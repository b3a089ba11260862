"""What the weld policy commands and observes: actions and groups, and their components with units."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cellwright_envs.welding.config import WeldSeamConfig
from cellwright_envs.welding.part.product import JOINTS
from cellwright_perception.seam.line_tracker import PROFILE_POINTS
from cellwright_perception.seam.sensor_geometry import SeamSensorGeometry
from cellwright_runtime.interface.path_correction import COMMANDS
from cellwright_runtime.vocabulary import Component

Array = NDArray[np.float64]

SIGNAL_LAGS = (0, 1, 2, 4, 8, 16)
MOTION_LAGS = (0, 2, 8)
AVERAGE_PERIODS_S = (1.5, 6.0)

SIGNALS = (
    Component(name="current_mean", unit="A", low=0.0, high=400.0),
    Component(name="current_std", unit="A", low=0.0, high=120.0),
    Component(name="voltage_mean", unit="V", low=0.0, high=45.0),
    Component(name="voltage_std", unit="V", low=0.0, high=15.0),
    Component(name="short_circuit_rate", unit="Hz", low=0.0, high=250.0),
    Component(name="wire_feed", unit="m/s", low=0.0, high=0.25),
    Component(name="pyrometer", unit="K", low=250.0, high=2000.0),
)
MOTION = (
    Component(name="lateral_correction", unit="m", low=-8e-3, high=8e-3),
    Component(name="height_correction", unit="m", low=-6e-3, high=6e-3),
    Component(name="travel_speed_trim", unit="1", low=-0.3, high=0.3),
    Component(name="wire_feed_trim", unit="1", low=-0.25, high=0.25),
    Component(name="voltage_trim", unit="V", low=-3.0, high=3.0),
    *(
        Component(name=f"last_{name}", unit="1", low=-1.0, high=1.0)
        for name in ("lateral_offset", "height_offset", "travel_speed", "wire_feed", "voltage")
    ),
)
PROGRAMME = (
    *(Component(name=f"joint_is_{joint}", unit="1", low=0.0, high=1.0) for joint in JOINTS),
    Component(name="thickness", unit="m", low=1e-3, high=10e-3),
    Component(name="nominal_wire_feed", unit="m/s", low=0.0, high=0.2),
    Component(name="nominal_voltage", unit="V", low=14.0, high=36.0),
    Component(name="nominal_travel_speed", unit="m/s", low=2e-3, high=20e-3),
    Component(name="nominal_contact_tip_distance", unit="m", low=8e-3, high=25e-3),
    Component(name="nominal_gap", unit="m", low=0.0, high=2e-3),
    Component(name="work_angle", unit="rad", low=-0.35, high=0.35),
    Component(name="push_angle", unit="rad", low=-0.35, high=0.35),
    Component(name="seam_done", unit="1", low=-0.25, high=1.0),
    Component(name="curvature", unit="1/m", low=-40.0, high=40.0),
    Component(name="arc_on", unit="1", low=0.0, high=1.0),
)


def _lagged(components: tuple[Component, ...], lags: tuple[int, ...]) -> tuple[Component, ...]:
    return tuple(
        Component(name=f"{c.name}_lag_{lag}", unit=c.unit, low=c.low, high=c.high)
        for lag in lags
        for c in components
    )


_SEAM = {
    "lateral": ("m", -4e-3, 4e-3),
    "height": ("m", -4e-3, 4e-3),
    "gap": ("m", 0.0, 3e-3),
    "mismatch": ("m", -2e-3, 2e-3),
    "gap_confidence": ("1", 0.0, 1.0),
}
"""Unit and bounds of what the seam sensor knows of each point of the seam ahead."""


def _profile(look_ahead_m: float) -> tuple[Component, ...]:
    ahead_mm = np.linspace(0.0, look_ahead_m, PROFILE_POINTS) * 1e3
    return (
        *(
            Component(name=f"{kind}_{at:.0f}_mm_ahead", unit=unit, low=low, high=high)
            for kind, (unit, low, high) in _SEAM.items()
            for at in ahead_mm
        ),
        Component(name="confidence", unit="1", low=0.0, high=1.0),
    )


TRACKING = (
    Component(name="lateral_error", unit="m", low=-8e-3, high=8e-3),
    Component(name="height_error", unit="m", low=-8e-3, high=8e-3),
    Component(name="seam_known", unit="1", low=0.0, high=1.0),
)
"""Where the controller takes the seam to be, from the torch, and whether it has seen it at all."""
AVERAGES = tuple(
    replace(each, name=f"{each.name}_over_{period_s:g}_s", low=min(each.low, 0.0))
    for period_s in AVERAGE_PERIODS_S
    for each in (*SIGNALS, *MOTION[2:5])
)
"""Signals and trims, averaged while the arc burns."""

COMPONENTS: dict[str, tuple[Component, ...]] = {
    "seam": _profile(SeamSensorGeometry().look_ahead_m),
    "signals": _lagged(SIGNALS, SIGNAL_LAGS),
    "programme": PROGRAMME,
    "motion": _lagged(MOTION, MOTION_LAGS),
    "tracking": TRACKING,
    "averages": AVERAGES,
}
"""Low-dimensional groups by name."""


def actions(config: WeldSeamConfig) -> tuple[Component, ...]:
    """The commands, each as far either way as the cell's settings let it go."""
    reach = (
        ("m", config.offset_m),
        ("m", config.offset_m),
        ("1", config.speed_trim),
        ("1", config.wire_trim),
        ("V", config.voltage_trim_v),
    )
    return tuple(
        Component(name=name, unit=unit, low=-most, high=most)
        for name, (unit, most) in zip(COMMANDS, reach, strict=True)
    )
