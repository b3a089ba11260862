"""Proof of the envelope: setpoints of policies that want to break it, and faults while it moves."""
