"""A bundle, a cell's file and a driver, joined to a session on a robot."""
