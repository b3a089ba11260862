"""Parts of a bundle through a vendor's driver against virtual controllers, and in the environment.

In lock-step time is counted in cycles: one seed gives one result, bit for bit.
"""
