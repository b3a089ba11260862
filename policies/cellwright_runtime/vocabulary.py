"""What environments, bundles and drivers say alike: quantities with units, and settings with frames."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SI_UNITS = (
    *("1", "m", "m/s", "rad", "rad/s", "s", "Hz", "A", "V", "K", "N", "N.m", "kg", "1/m", "1/s", "m/s^2"),
    *("rad/s^2", "N/m", "N.m/rad", "N.s/m", "N.m.s/rad", "kg.m^2", "J/m^2"),
)
"""Units that a robot's side speaks; "1" is a plain number. Millimetres and degrees are refused."""
SIMULATION_UNITS = ("grey value", "px", "step", "rev")
"""Units of images and of the `privileged` group, which no manifest takes: they stay in the simulator."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """One number of an observation group or of an action, as whoever fills or reads it has to know it."""

    name: str
    unit: str
    low: float
    high: float

    def __post_init__(self) -> None:
        _require_unit(self.name, self.unit, (*SI_UNITS, *SIMULATION_UNITS))
        if not (np.isfinite([self.low, self.high]).all() and self.low < self.high):
            raise ValueError(f"{self.name}: need finite low < high, got {self.low} and {self.high}")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One quantity that a controller is set to, so that a policy finds what it was trained with."""

    name: str
    unit: str
    value: tuple[float, ...]
    frame: str = ""
    """What a position or direction is relative to."""
    meaning: str = field(default="", compare=False)
    """For people; a manifest does not repeat it."""

    def __post_init__(self) -> None:
        _require_unit(self.name, self.unit, SI_UNITS)
        if not self.name:
            raise ValueError(f"a setting of {self.value} {self.unit} has no name")
        if not self.value or not np.isfinite(self.value).all():
            raise ValueError(f"{self.name}: need one or more finite numbers, got {self.value}")


def number(name: str, unit: str, value: float, meaning: str) -> Setting:
    """A setting that is one number."""
    return Setting(name=name, unit=unit, value=(value,), meaning=meaning)


@dataclass(frozen=True, kw_only=True)
class ControllerSetup:
    """How the controller below a policy is set up; empty where there is nothing to set."""

    settings: tuple[Setting, ...] = ()
    frames: Mapping[str, str] = field(default_factory=dict)
    """Frame of each observation group, and of the `action`, that has one."""

    def __post_init__(self) -> None:
        names = [setting.name for setting in self.settings]
        if len(set(names)) != len(names):
            raise ValueError(f"controller settings need distinct names, got {', '.join(names)}")

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        """Value (n,) of a setting; raises ValueError where there is none of this name."""
        return np.array(self.setting(name).value)

    def __contains__(self, name: object) -> bool:
        """Whether there is a setting of this name."""
        return any(setting.name == name for setting in self.settings)

    def read(
        self, name: str, unit: str, *, count: int = 1, above: float | None = None
    ) -> NDArray[np.float64]:
        """Value (count,) of a setting in `unit`, `above` a bound; raises ValueError where it is another."""
        setting = self.setting(name)
        if setting.unit != unit or len(setting.value) != count:
            raise ValueError(
                f"{name} must be {count} number(s) in {unit}, got {list(setting.value)} in {setting.unit}"
            )
        value = np.array(setting.value)
        if above is not None and not (value > above).all():
            raise ValueError(f"{name} must be above {above:g} {unit}, got {value.tolist()}")
        return value

    def has(self, name: str) -> bool:
        """Say whether there is a setting of this name."""
        return any(setting.name == name for setting in self.settings)

    def setting(self, name: str) -> Setting:
        """The setting of this name; raises ValueError where there is none."""
        for setting in self.settings:
            if setting.name == name:
                return setting
        known = ", ".join(setting.name for setting in self.settings) or "none"
        raise ValueError(f"no controller setting {name!r}; there are: {known}")


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What an interface between a policy and its controller has to know of both."""

    control_period_s: float
    image_size_px: int
    """Width and height of every view."""
    actions: tuple[Component, ...]
    """What the actions command, in order; action -1 is `low`, +1 is `high`."""
    groups: Mapping[str, tuple[Component, ...]]
    """The low-dimensional groups of the observation, in order."""
    controller: ControllerSetup

    @property
    def reach(self) -> NDArray[np.float64]:
        """What a full action commands (actions,); raises ValueError where it is not the same both ways."""
        if odd := [each for each in self.actions if each.low != -each.high]:
            raise ValueError(f"{odd[0].name} must reach as far both ways, got {odd[0].low} to {odd[0].high}")
        return np.array([component.high for component in self.actions])


def as_written(value: float) -> float:
    """The shortest number that float32 rounds to `value`: 0.005 for 0.004999999888241291.

    A manifest has the bounds of a float32 space; whoever steps with 0.005 has to step with it elsewhere too.
    """
    rounded = np.float32(value)
    return float(str(rounded)) if float(rounded) == value else value


def _require_unit(name: str, unit: str, known: tuple[str, ...]) -> None:
    if unit not in known:
        raise ValueError(f"{name}: unit {unit!r} is not known here; use one of {', '.join(known)}")
