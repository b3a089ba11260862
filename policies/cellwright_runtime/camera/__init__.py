"""Real cameras: their lenses, the warp to what a policy was trained with, their sources, their
calibration."""
