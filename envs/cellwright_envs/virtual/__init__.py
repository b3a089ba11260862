"""Controllers in front of a simulated cell: what a robot program drives before it drives a robot."""
