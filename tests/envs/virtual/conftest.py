"""Hypothesis without deadlines here: other processes share the processor."""

from hypothesis import settings

settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")
