"""Drivers of arms, power sources and cameras: below the interface, at the rate of a controller.

A driver knows no policy. The simulated ones are in `cellwright_envs.virtual`.
"""
