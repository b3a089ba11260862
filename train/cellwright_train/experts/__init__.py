"""Tuning of scripted experts."""
