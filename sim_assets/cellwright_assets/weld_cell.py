"""How far an action of the weld cell goes; simulation and experts read it here."""

CONTROL_PERIOD_S = 0.04
SPEED_TRIM = 0.30
"""Fraction of the travel speed that a full action adds or takes away."""
WIRE_TRIM = 0.25
"""The same of the wire feed."""
VOLTAGE_TRIM_V = 3.0
