"""Trajectories of every environment, recorded as actions and hashes, and compared with the present code.

One seed with recorded actions gives one rollout, bit for bit, on every processor (docs/decisions.md). This
tool checks it: it repeats the recorded actions and compares one hash per group of the observation.
"""
