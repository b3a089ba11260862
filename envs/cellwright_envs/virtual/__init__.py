"""Controllers in front of a simulated cell, for robot programs that do not drive a robot yet."""
