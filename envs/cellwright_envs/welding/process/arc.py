"""Wire melting, arc voltage and metal transfer of gas-metal arc welding; defaults are 1.2 mm wire in CO2.

Every function takes floats or arrays, and also compiles inside a numba kernel, so that a published
table and the simulator are checked against one formula.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from cellwright_perception.compiled import compilable

Quantity = Any
"""A float or an array of float64; arrays broadcast."""

MELTING_PER_CURRENT_M_S_A = 0.30e-3
"""Arc melting constant of 1.2 mm mild-steel wire (type of Allum and Quintino 1985, Palani and Murugan)."""
MELTING_PER_EXTENSION_S_A2 = 5.0e-5
"""Resistive melting constant of the same wire, per square ampere and unit of extension."""

CO2_SYNERGIC_LINE = (12.5, 0.059)
"""Intercept [V] and slope [V/A] of voltage over current, least squares on OTC and Panasonic CO2 tables."""
ARGON_SYNERGIC_LINE = (11.5, 0.050)
"""The same line in argon with 18 to 20 % CO2, on an OTC table (52 to 160 A).

Panasonic's rows lie 1 to 3 V below it; the spray setting of Machinery's Handbook for 380 A lies on it.
"""
LEAN_ARGON_SYNERGIC_LINE = (10.5, 0.050)
"""The same with 8 % CO2. Assumption: 1 V lower; Machinery's Handbook has argon with oxygen 1 to 4 V lower."""

SPRAY_TRANSITION_M_A = ((0.76e-3, 150.0), (0.89e-3, 165.0), (1.1e-3, 220.0), (1.3e-3, 240.0), (1.6e-3, 275.0))
"""Wire diameter [m] and spray transition current [A] in argon with 2 % oxygen (ESAB MIG handbook)."""
MOST_CO2_FOR_SPRAY = 0.2
"""Machinery's Handbook has spray settings for 15 to 20 % CO2; the ESAB handbook ends spray at 15 %."""


class TransferMode(IntEnum):
    """How metal crosses the arc; the values stand in the process state."""

    OFF = 0
    DIP = 1
    GLOBULAR = 2
    SPRAY = 3


@compilable
def melting_rate_m_s(
    current_a: Quantity,
    electrode_extension_m: Quantity,
    per_current_m_s_a: Quantity = MELTING_PER_CURRENT_M_S_A,
    per_extension_s_a2: Quantity = MELTING_PER_EXTENSION_S_A2,
) -> Quantity:
    """Return the speed [m/s] at which a current [A] melts wire of this extension [m] beyond the tip."""
    return per_current_m_s_a * current_a + per_extension_s_a2 * electrode_extension_m * current_a * current_a


@compilable
def steady_current_a(
    wire_feed_m_s: Quantity,
    electrode_extension_m: Quantity,
    per_current_m_s_a: Quantity = MELTING_PER_CURRENT_M_S_A,
    per_extension_s_a2: Quantity = MELTING_PER_EXTENSION_S_A2,
) -> Quantity:
    """Return the current [A] that melts the wire as fast as it is fed: the inverse of `melting_rate_m_s`."""
    resistive = 4.0 * per_extension_s_a2 * electrode_extension_m * wire_feed_m_s
    return (
        2.0 * wire_feed_m_s / (per_current_m_s_a + np.sqrt(per_current_m_s_a * per_current_m_s_a + resistive))
    )


@compilable
def synergic_voltage_v(
    current_a: Quantity,
    intercept_v: Quantity = CO2_SYNERGIC_LINE[0],
    slope_v_a: Quantity = CO2_SYNERGIC_LINE[1],
) -> Quantity:
    """Return the voltage [V] that published tables pair with a current [A]; defaults are for CO2."""
    return intercept_v + slope_v_a * current_a


def spray_transition_current_a(wire_diameter_m: float, co2_fraction: float) -> float:
    """Return the current [A] above which drops spray, infinite from `MOST_CO2_FOR_SPRAY` on.

    Between tabulated wire diameters the current is interpolated (ESAB MIG handbook). CO2 raises it by as many
    per cent as the gas contains (assumption; direction textbook).
    """
    if co2_fraction >= MOST_CO2_FOR_SPRAY:
        return float("inf")
    diameters_m, currents_a = zip(*SPRAY_TRANSITION_M_A, strict=True)
    return (1.0 + co2_fraction) * float(np.interp(wire_diameter_m, diameters_m, currents_a))


@compilable
def dip_fraction(current_a: Quantity, voltage_v: Quantity, change_width: Quantity = 1.0) -> Quantity:
    """Return how far transfer is by short circuit, 0 to 1, falling at the edges of `is_dip`.

    The change-over is 10 A and 0.7 V wide, times `change_width`.
    """
    fast = 1.0 + np.exp((current_a - 200.0) / (10.0 * change_width))
    return 1.0 / (fast * (1.0 + np.exp((voltage_v - 22.0) / (0.7 * change_width))))


@compilable
def spray_fraction(current_a: Quantity, voltage_v: Quantity, transition_a: Quantity) -> Quantity:
    """Return how far transfer is by spray, 0 to 1: above the transition current and above 25 V."""
    return 1.0 / ((1.0 + np.exp((transition_a - current_a) / 5.0)) * (1.0 + np.exp((25.0 - voltage_v) / 0.5)))


@compilable
def is_dip(current_a: Quantity, voltage_v: Quantity) -> Quantity:
    """Return whether transfer is by short circuit: below 200 A and 22 V (textbook)."""
    return (current_a < 200.0) & (voltage_v < 22.0)


@compilable
def short_circuit_rate_hz(
    wire_feed_m_s: Quantity,
    current_a: Quantity,
    voltage_v: Quantity,
    synergic_v: Quantity,
    transition_a: Quantity = np.inf,
    dip_change_width: Quantity = 1.0,
    wire_diameter_m: Quantity = 1.2e-3,
) -> Quantity:
    """Return contacts per second [Hz] between wire and pool.

    Dip transfer detaches one drop of the wire's own diameter per contact, which gives the published 20 to
    200 per second; below the synergic voltage contacts crowd, above it they die out.
    """
    drops_hz = 1.5 * wire_feed_m_s / wire_diameter_m
    excess_v = voltage_v - synergic_v
    crowding = 1.0 + 0.2 * np.maximum(-excess_v, 0.0)
    dying = 1.0 / (1.0 + np.exp((excess_v - 2.5) / 0.6))
    dip = dip_fraction(current_a, voltage_v, dip_change_width)
    spray = spray_fraction(current_a, voltage_v, transition_a)
    return drops_hz * crowding * dying * dip + 8.0 * (1.0 - dip) * (1.0 - spray)
