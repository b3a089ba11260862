"""The real cell around a policy: its file, its cameras, and their calibration."""
