"""Published welding tables that several tests compare the process with.

Fillets: Daihen OTC CPTX-400 manual, CO2. Butts: OTC Welbee P500L, Panasonic YD-400VP1 (CO2) and OTC Welbee
P400L II (argon with CO2). Beads: central composite design of 31 runs whose process is not stated.
"""

import numpy as np

from cellwright_envs.welding.inspection.quality import WeldJoint
from cellwright_envs.welding.process import arc
from cellwright_envs.welding.process.weld_process import WeldConditions

# thickness mm, leg low, high mm, current low, high A, voltage low, high V, speed low, high cm/min
FILLETS = (
    (1.2, 2.5, 3.0, 70, 100, 18, 19, 50, 60),
    (1.6, 2.5, 3.0, 90, 120, 18, 20, 50, 60),
    (2.0, 3.0, 3.5, 100, 130, 19, 20, 50, 60),
    (2.3, 3.0, 3.5, 120, 140, 19, 21, 50, 60),
    (3.2, 3.0, 4.0, 130, 170, 19, 21, 45, 55),
    (4.5, 4.0, 4.5, 190, 230, 22, 24, 45, 55),
    (6.0, 5.0, 6.0, 250, 280, 26, 29, 40, 50),
    (9.0, 6.0, 7.0, 280, 300, 29, 32, 35, 40),
    (12.0, 7.0, 8.0, 300, 340, 32, 34, 30, 35),
)
# thickness mm, gap low, high mm, current low, high A, voltage low, high V, speed low, high cm/min
BUTTS = (
    (1.2, 0, 0, 70, 80, 17, 18, 45, 55),
    (1.6, 0, 0, 80, 100, 18, 19, 45, 55),
    (2.0, 0, 0.5, 100, 110, 19, 20, 50, 55),
    (2.3, 0.5, 1.0, 110, 130, 19, 20, 50, 55),
    (3.2, 1.0, 1.2, 130, 150, 19, 21, 40, 50),
    (4.5, 1.2, 1.5, 150, 170, 21, 23, 40, 50),
    (0.8, 0, 0, 60, 70, 16, 16.5, 50, 60),
    (1.0, 0, 0, 75, 85, 17, 17.5, 50, 60),
    (1.2, 0, 0, 80, 90, 17, 18, 50, 60),
    (1.6, 0, 0, 95, 105, 18, 19, 45, 50),
    (2.0, 0, 0.5, 110, 120, 19, 19.5, 45, 50),
    (2.3, 0.5, 1.0, 120, 130, 19.5, 20, 45, 50),
    (3.2, 1.0, 1.2, 140, 150, 20, 21, 45, 50),
    (4.5, 1.0, 1.2, 170, 185, 22, 23, 40, 50),
    (1.6, 0, 0, 100, 110, 16, 17, 40, 60),
    (2.3, 0, 1.0, 110, 120, 17, 18, 30, 40),
    (3.2, 1.0, 1.5, 120, 140, 17, 19, 25, 30),
    (4.0, 1.5, 2.0, 150, 170, 18, 21, 25, 40),
)
# voltage V, current A, speed mm/s, height mm, width mm, penetration mm
BEAD_ROWS = """
25.5 325  9 2.38 10.55 3.94   32.5 325  9 2.54 12.43 5.08   25.5 475  9 3.07  9.76 5.12
32.5 475  9 2.79 13.14 6.40   25.5 325 15 2.03 10.27 3.05   32.5 325 15 1.98  9.26 3.59
25.5 475 15 1.89  9.37 4.79   32.5 475 15 1.99  9.42 5.37   25.5 325  9 1.81  9.17 3.33
32.5 325  9 1.66 11.21 3.18   25.5 475  9 3.23  9.48 7.31   32.5 475  9 2.72 12.79 5.77
25.5 325 15 2.09  8.08 2.60   32.5 325 15 2.08  9.74 2.08   25.5 475 15 3.66  8.48 6.06
32.5 475 15 3.05 10.58 4.19   22.0 400 12 2.72  8.82 4.44   36.0 400 12 2.13 11.40 5.30
29.0 250 12 1.96  8.40 2.35   29.0 550 12 3.20  9.34 5.76   29.0 400  6 2.31 13.95 4.88
29.0 400 18 2.10  9.33 3.24   29.0 400 12 1.96 10.40 4.34   29.0 400 12 2.07  9.87 3.43
29.0 400 12 2.29 10.55 3.60   29.0 400 12 2.14 11.15 3.66   29.0 400 12 1.79 10.73 4.37
29.0 400 12 2.20 11.68 4.17   29.0 400 12 1.93 11.40 3.94   29.0 400 12 1.75 11.19 4.30
29.0 400 12 1.94 10.72 3.68
"""
BEADS = np.array([float(word) for word in BEAD_ROWS.split()]).reshape(-1, 6)


def published_contact_tip_distance_m(current_a: float) -> float:
    """Contact-tip distance that Panasonic's table pairs with a current."""
    return float(np.interp(current_a, [130.0, 250.0, 320.0], [10e-3, 13e-3, 15e-3]))


def extension_m(current_a: float) -> float:
    """Electrode extension: the tip distance less the arc, about 3 mm in these tables."""
    return published_contact_tip_distance_m(current_a) - (0.5e-3 if current_a < 180.0 else 3e-3)


def conditions(joint: WeldJoint, thickness_mm: float, gap_mm: float, row: np.ndarray) -> WeldConditions:
    """The weld at `row`: current, voltage, speed in cm/min."""
    current_a, voltage_v, speed = row
    return WeldConditions(
        joint=joint,
        thickness_m=thickness_mm * 1e-3,
        gap_m=gap_mm * 1e-3,
        wire_feed_m_s=float(arc.melting_rate_m_s(current_a, extension_m(current_a))),
        voltage_v=voltage_v,
        travel_speed_m_s=speed / 6000.0,
        contact_tip_distance_m=published_contact_tip_distance_m(current_a),
    )


def middles(row: tuple[float, ...], first: int) -> np.ndarray:
    """Means of the low and high values from column `first`."""
    return np.array(row[first:]).reshape(-1, 2).mean(axis=1)
