"""What disturbances of both families of cells share: sampling, named sets, latency, cameras, exposure.

Every disturbance is a frozen configuration; `draw(rng)` returns what it does in one episode, a frozen
state with one pure question. Nothing here changes after it was made.
"""
