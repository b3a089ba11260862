"""What is below the interface, at the rate of its own controller: arms, power sources and cameras.

A driver knows no policy. The simulated ones are in `cellwright_envs.virtual`.
"""
