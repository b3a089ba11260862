"""Shielding gas and wire: how the constants of a weld differ from those of 1.2 mm solid wire in CO2."""

import math
from dataclasses import dataclass, replace

from cellwright_envs.welding.process import arc
from cellwright_envs.welding.process.constants import ProcessConstants

REFERENCE_WIRE_M = 1.2e-3
WIRES_M = (0.8e-3, 1.0e-3, 1.2e-3, 1.6e-3)
"""Diameters of solid wire on sale that the fits and tables behind the model reach."""


@dataclass(frozen=True, kw_only=True)
class Gas:
    """A shielding gas."""

    co2_fraction: float
    """Of the volume; the rest is argon, but for the last one, which is all CO2."""
    synergic_line: tuple[float, float]
    """Intercept [V] and slope [V/A] of the voltage that published settings pair with a current."""


GASES = {
    "co2": Gas(co2_fraction=1.0, synergic_line=arc.CO2_SYNERGIC_LINE),
    "argon-18-co2": Gas(co2_fraction=0.18, synergic_line=arc.ARGON_SYNERGIC_LINE),
    "argon-8-co2": Gas(co2_fraction=0.08, synergic_line=arc.LEAN_ARGON_SYNERGIC_LINE),
}
"""Names as a procedure has them: ISO 14175 calls these C1, M21 and M20."""


def constants_with(constants: ProcessConstants, gas: str, wire_diameter_m: float) -> ProcessConstants:
    """Return `constants`, which are of 1.2 mm wire in CO2, for another gas and wire diameter [m].

    A thinner wire melts faster at the same current: arc melting goes with 1/d^2, melting by its resistance
    with 1/d^4. Penetration at one current goes with d^-0.57, width with d^0.43 (published fit to beads of 1.2
    and 1.6 mm wire, see docs/references.md). A gas moves the arc's voltage as far as its synergic line lies
    from that of CO2, so that the arc is as long at the settings that are published for it. The scatter that
    was drawn stays. Raises ValueError for an unknown gas or diameter.
    """
    require_known(gas, wire_diameter_m)
    chosen = GASES[gas]
    lower_v, less_v_a = (
        of_co2 - own for of_co2, own in zip(arc.CO2_SYNERGIC_LINE, chosen.synergic_line, strict=True)
    )
    thinner = REFERENCE_WIRE_M / wire_diameter_m
    return replace(
        constants,
        melting_per_current_m_s_a=constants.melting_per_current_m_s_a * thinner**2,
        melting_per_extension_s_a2=constants.melting_per_extension_s_a2 * thinner**4,
        wire_resistance_ohm_m=constants.wire_resistance_ohm_m * thinner**2,
        wire_diameter_m=wire_diameter_m,
        arc_voltage_v=constants.arc_voltage_v - lower_v,
        arc_resistance_ohm=constants.arc_resistance_ohm - less_v_a,
        synergic_intercept_v=constants.synergic_intercept_v - lower_v,
        synergic_slope_v_a=constants.synergic_slope_v_a - less_v_a,
        spray_transition_a=arc.spray_transition_current_a(wire_diameter_m, chosen.co2_fraction),
        penetration_factor=constants.penetration_factor * math.pow(thinner, 0.57),
        width_factor=constants.width_factor * math.pow(thinner, -0.43),
    )


def require_known(gas: str, wire_diameter_m: float) -> None:
    """Raise ValueError unless both are among `GASES` and `WIRES_M`."""
    if gas not in GASES:
        raise ValueError(f"unknown gas {gas!r}, choose one of {', '.join(GASES)}")
    if not any(math.isclose(wire_diameter_m, known_m, rel_tol=1e-6) for known_m in WIRES_M):
        known = ", ".join(f"{1e3 * known_m:g}" for known_m in WIRES_M)
        raise ValueError(f"wire of {1e3 * wire_diameter_m:g} mm is not modelled, choose one of {known} mm")
