"""Hypothesis without deadlines here: what is asked is what the numbers are, on a busy machine too."""

from hypothesis import settings

settings.register_profile("no_deadline", deadline=None)
settings.load_profile("no_deadline")
