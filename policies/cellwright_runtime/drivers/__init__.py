"""Drivers of arms, power sources and cameras: below the interface, at the rate of a controller.

A driver knows no policy and no limits of a part: the envelope in front of it has those. Simulated plants and
controllers are in `cellwright_envs.virtual`.
"""
