"""Runs become bundles, and bundles are verified."""
