"""Faults as they happen in code: planted one at a time, located, and weighed."""
