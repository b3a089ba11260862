"""Welds of a bundle through a vendor's driver, a coupler and a seam sensor, against virtual controllers.

In lock-step, so that time is counted in cycles: one seed gives one result, bit for bit.
"""
