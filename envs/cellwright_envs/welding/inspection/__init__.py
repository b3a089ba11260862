"""Inspection of a weld to ISO 5817: limits, grade of every millimetre, scorecard."""
