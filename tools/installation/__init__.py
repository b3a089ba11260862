"""`python -m tools.installation` proves that the base installs small and without a network.

It builds the wheel, lays it with everything that the base requires into a folder, and installs from that
folder alone into an empty environment of the newest Python. There it runs every shipped policy against its
recorded vectors.
"""
