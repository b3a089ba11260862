"""Heat input, cooling time, plate temperature and the temperature seen behind the arc."""

import numpy as np

from cellwright_envs.welding.process.arc import Quantity
from cellwright_perception.compiled import compilable

THERMAL_EFFICIENCY = 0.8
"""Fraction of the arc's power that reaches the plate, processes 131 and 135 (EN 1011-1)."""
CONDUCTIVITY_W_M_K = 41.0
VOLUMETRIC_HEAT_J_M3_K = 4.7e6
"""Mild steel, textbook values; with them Rosenthal's thin plate meets EN 1011-2 within 2 %."""
ZERO_CELSIUS_K = 273.15


@compilable
def heat_input_j_m(
    current_a: Quantity,
    voltage_v: Quantity,
    travel_speed_m_s: Quantity,
    efficiency: Quantity = THERMAL_EFFICIENCY,
) -> Quantity:
    """Return heat put into the plate per length of weld [J/m]; efficiency 1 gives the arc energy."""
    return efficiency * current_a * voltage_v / travel_speed_m_s


@compilable
def cooling_time_s(
    heat_input_j_m: Quantity,
    thickness_m: Quantity,
    initial_temperature_k: Quantity,
    thin_plate_factor: Quantity = 1.0,
    thick_plate_factor: Quantity = 1.0,
) -> Quantity:
    """Return the cooling time [s] from 800 to 500 °C of EN 1011-2 annex D.

    The heat input [J/m] already contains thermal efficiency. The longer of thin-plate (2-D) and
    thick-plate (3-D) cooling governs; the shape factors are 1 for a bead on plate.
    """
    heat_kj_mm = heat_input_j_m * 1e-6
    start_c = initial_temperature_k - ZERO_CELSIUS_K
    to_500 = 1.0 / (500.0 - start_c)
    to_800 = 1.0 / (800.0 - start_c)
    thick_s = (6700.0 - 5.0 * start_c) * heat_kj_mm * (to_500 - to_800) * thick_plate_factor
    ratio = heat_kj_mm / (thickness_m * 1e3)
    thin_s = (4300.0 - 4.3 * start_c) * 1e5 * ratio * ratio
    thin_s = thin_s * (to_500 * to_500 - to_800 * to_800) * thin_plate_factor
    return np.maximum(thick_s, thin_s)


@compilable
def temperature_behind_arc_k(
    heat_input_j_m: Quantity,
    thickness_m: Quantity,
    initial_temperature_k: Quantity,
    delay_s: Quantity,
    hottest_rise_k: Quantity = 1600.0,
) -> Quantity:
    """Return the surface temperature [K] `delay_s` [s] after the arc passed (Rosenthal, line source).

    The larger of thin-plate and thick-plate rise applies. A pool holds its temperature near melting, so
    the rise is bent towards `hottest_rise_k`; the pyrometer then sees liquid metal.
    """
    line = 4.0 * np.pi * CONDUCTIVITY_W_M_K * VOLUMETRIC_HEAT_J_M3_K * delay_s
    thin_k = heat_input_j_m / thickness_m / np.sqrt(line)
    thick_k = heat_input_j_m / (2.0 * np.pi * CONDUCTIVITY_W_M_K * delay_s)
    relative = np.maximum(thin_k, thick_k) / hottest_rise_k
    return initial_temperature_k + hottest_rise_k * relative / np.sqrt(1.0 + relative * relative)


@compilable
def plate_warming_k_s(
    power_w: Quantity,
    plate_temperature_k: Quantity,
    ambient_temperature_k: Quantity,
    heat_capacity_j_k: Quantity,
    decay_s: Quantity,
) -> Quantity:
    """Return the rate [K/s] at which the lumped plate ahead of the arc warms up."""
    return power_w / heat_capacity_j_k - (plate_temperature_k - ambient_temperature_k) / decay_s
