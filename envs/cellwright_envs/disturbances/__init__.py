"""Disturbances of both families of cells: sampling, named sets, latency, cameras, exposure, line changes.

Every disturbance is a frozen configuration. `draw(rng)` returns its frozen state for one episode, which has
one pure method. Nothing here changes after it was made.
"""
