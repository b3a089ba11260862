"""Trajectories of every environment, recorded as actions and hashes, and compared with the present code.

One seed with recorded actions is one rollout, bit for bit, on every processor (docs/decisions.md). This tool
of the repository proves it: it repeats the recorded actions and compares a hash per group of the observation.
"""
