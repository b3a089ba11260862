"""Columns of the weld process: its inputs, state, signals, predictions and per-cell constants."""

from enum import IntEnum


class Input(IntEnum):
    """Columns of the inputs from the cell in each step."""

    WIRE_FEED_M_S = 0
    """Commanded wire feed."""
    VOLTAGE_V = 1
    """Voltage setpoint, as the meter of the source shows it."""
    TRAVEL_SPEED_M_S = 2
    """Actual travel speed along the seam."""
    ARC_ON = 3
    """1 while the arc is commanded on, else 0."""
    CONTACT_TIP_DISTANCE_M = 4
    """Actual distance from contact tip to the joint (CTWD), without tack."""
    LATERAL_OFFSET_M = 5
    """Wire minus seam, + to the left of travel. The upright or upper plate is on the left."""
    WORK_ANGLE_RAD = 6
    """Work-angle error, + when the arc is tilted to point at the left plate."""
    PUSH_ANGLE_RAD = 7
    """Travel angle, + when the wire points ahead (push), negative for drag."""
    GAP_M = 8
    """Actual gap between the plates."""
    MISALIGNMENT_M = 9
    """Step between butted plates (hi-lo), either sign."""
    THICKNESS_M = 10
    """Actual plate thickness."""
    TACK_HEIGHT_M = 11
    """Height of a tack weld under the arc, 0 elsewhere."""
    WIRE_SLIP = 12
    """Delivered over commanded wire feed, 1 without slip."""
    SUPPLY_OFFSET_V = 13
    """Error of the source's voltage."""
    GAS_FLOW_L_MIN = 14
    """Shielding-gas flow in l/min, the trade's unit."""
    DRAUGHT_M_S = 15
    """Speed of air across the torch."""


class State(IntEnum):
    """Columns of the process state; the first block is integrated, the second is derived each step."""

    EXTENSION_M = 0
    CURRENT_A = 1
    VOLTAGE_V = 2
    PLATE_TEMPERATURE_K = 3
    AREA_M2 = 4
    """Deposited cross-section, with the pool's lag."""
    WIDTH_M = 5
    """Width with lag, before process noise."""
    PENETRATION_M = 6
    """Penetration with lag, before process noise."""
    SHIELDING = 7
    """Gas shielding, 0 to 1."""
    HOLE = 8
    """How far the pool has fallen through, 0 to 1."""
    PENETRATION_NOISE = 9
    WIDTH_NOISE = 10
    HEIGHT_NOISE = 11
    ARC_ON = 12
    """1 while the arc burns."""
    TRANSFER_MODE = 13
    """`arc.TransferMode`."""
    BEAD_WIDTH_M = 14
    """Width with process noise."""
    BEAD_PENETRATION_M = 15
    """Penetration with process noise."""
    LEFT_LEG_M = 16
    RIGHT_LEG_M = 17
    THROAT_M = 18
    """Throat of a fillet, 0 for a butt weld."""
    CAP_HEIGHT_M = 19
    """Cap of a butt weld or convexity of a fillet; negative when metal is missing."""
    ROOT_INDEX = 20
    ROOT_PENETRATION_M = 21
    """Penetration of a fillet beyond its root."""
    HEAT_PER_THICKNESS_J_M2 = 22
    """Arc energy over thickness, less the part that a fillet's third plate carries away."""
    COOLING_TIME_S = 23
    """t8/5 of EN 1011-2."""
    UNDERCUT_M = 24
    PYROMETER_K = 25
    """Temperature behind the arc, before sensor noise."""


class Signal(IntEnum):
    """Columns of the signal summary over one `advance`."""

    CURRENT_MEAN_A = 0
    CURRENT_STD_A = 1
    VOLTAGE_MEAN_V = 2
    VOLTAGE_STD_V = 3
    SHORT_CIRCUIT_RATE_HZ = 4
    WIRE_FEED_M_S = 5
    """Wire feed at the motor: wire that slips is still counted."""
    PYROMETER_K = 6


class Prediction(IntEnum):
    """Columns of the noise-free steady state for the present inputs."""

    ROOT_INDEX = 0
    AREA_RATIO = 1
    """Deposited area over that of the nominal wire feed and speed."""
    WIDTH_M = 2
    PENETRATION_M = 3
    CURRENT_A = 4
    VOLTAGE_V = 5
    HEAT_PER_THICKNESS_J_M2 = 6
    COOLING_TIME_S = 7
    LEFT_LEG_M = 8
    RIGHT_LEG_M = 9
    THROAT_M = 10
    CAP_HEIGHT_M = 11


class Constant(IntEnum):
    """Columns of the per-cell constants: the weld's conditions, then `ProcessConstants` in field order."""

    JOINT = 0
    NOMINAL_THICKNESS_M = 1
    NOMINAL_GAP_M = 2
    REQUIRED_THROAT_M = 3
    NOMINAL_WIRE_FEED_M_S = 4
    NOMINAL_SPEED_M_S = 5
    AMBIENT_TEMPERATURE_K = 6
    REFERENCE_CURRENT_A = 7
    PRESCRIBED_LEG_DIFFERENCE_M = 8
    MELTING_PER_CURRENT_M_S_A = 9
    MELTING_PER_EXTENSION_S_A2 = 10
    ARC_VOLTAGE_V = 11
    ARC_RESISTANCE_OHM = 12
    ARC_FIELD_V_M = 13
    SOURCE_RESISTANCE_OHM = 14
    WIRE_RESISTANCE_OHM_M = 15
    CURRENT_LAG_S = 16
    SYNERGIC_INTERCEPT_V = 17
    SYNERGIC_SLOPE_V_A = 18
    SPRAY_TRANSITION_A = 19
    DEPOSITION_EFFICIENCY = 20
    PENETRATION_FACTOR = 21
    WIDTH_FACTOR = 22
    WIDTH_LAG_S = 23
    PENETRATION_LAG_S = 24
    GAP_FACTOR_PER_M = 25
    OFFSET_SCALE = 26
    LEG_SHIFT = 27
    PUSH_SLOPE_PER_RAD = 28
    WORK_ANGLE_SLOPE_PER_RAD = 29
    TEMPERATURE_SLOPE_PER_K = 30
    FILLET_ROOT_FRACTION = 31
    FILLET_ROOT_M = 32
    FILLET_HEAT_SINK = 33
    CONTACT_GAP_M = 34
    LACK_OF_PENETRATION_INDEX = 35
    BURN_THROUGH_INDEX = 36
    BURN_THROUGH_HEAT_J_M2 = 37
    BRIDGING_FRACTION = 38
    BRIDGING_LIMIT_M = 39
    TOE_MARGIN_M = 40
    COLD_VOLTAGE_V = 41
    SLOW_FRACTION = 42
    TACK_FRACTION = 43
    UNDERCUT_SPEED_M_S = 44
    UNDERCUT_VOLTAGE_V = 45
    UNDERCUT_ANGLE_RAD = 46
    LOW_GAS_FLOW_L_MIN = 47
    HIGH_GAS_FLOW_L_MIN = 48
    DRAUGHT_LIMIT_M_S = 49
    SHIELDED_TIP_DISTANCE_M = 50
    GAS_LAG_S = 51
    PLATE_HEATED_AREA_M2 = 52
    PLATE_DECAY_S = 53
    PENETRATION_NOISE = 54
    WIDTH_NOISE = 55
    HEIGHT_NOISE = 56
    NOISE_LENGTH_M = 57
    HOLE_DEPTH_M = 58
    HOLE_VOLTAGE_V = 59
    PYROMETER_DISTANCE_M = 60
    PYROMETER_NOISE_K = 61
    FILLET_FULLNESS = 62
    UNDERCUT_FACTOR = 63
    ROOT_BEAD_FACTOR = 64
    PORE_DIAMETER_M = 65
    SHIELDING_WIDTH = 66
    PLATE_HEAT_FRACTION = 67
    HOTTEST_RISE_K = 68
    PENETRATION_HEAT = 69
    DIP_CHANGE_WIDTH = 70
    CONTACT_FACTOR = 71
    WIRE_DIAMETER_M = 72
    PENETRATION_CURRENT_EXPONENT = 73
    PENETRATION_SPEED_EXPONENT = 74
    PENETRATION_VOLTAGE_EXPONENT = 75
    CAP_FULLNESS = 76
    ROOT_SCALE = 77
