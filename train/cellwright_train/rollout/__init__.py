"""A policy by name in a cell by name, for one episode or for many."""
