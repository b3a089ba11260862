"""Scenarios: what goes wrong on a shop floor, each with its parts and the bar that a policy has to reach."""
