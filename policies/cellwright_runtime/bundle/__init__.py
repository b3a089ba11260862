"""Bundles: a container that proves its files undamaged, and what travels in one."""
