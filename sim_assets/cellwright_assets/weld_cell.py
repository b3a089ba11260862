"""How far an action of the weld cell goes; simulation and experts read it here."""

CONTROL_PERIOD_S = 0.04
CORRECTION_RATE_M_S = 5e-3
"""Path correction speed at a full action; tracking systems allow 0.1-20 mm/s."""
SPEED_TRIM = 0.30
"""Fraction of the travel speed that a full action adds or takes away."""
WIRE_TRIM = 0.25
"""The same of the wire feed."""
VOLTAGE_TRIM_V = 3.0
