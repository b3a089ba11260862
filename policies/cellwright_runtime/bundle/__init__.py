"""The bundle, a policy as it leaves the house."""
