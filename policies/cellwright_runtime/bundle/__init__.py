"""Bundles: a container that detects damage to its files, and the policy that is shipped in one."""
