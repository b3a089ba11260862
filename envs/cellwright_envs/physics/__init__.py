"""Rigid bodies, contacts and the arm; `world` alone talks to PyBullet."""
