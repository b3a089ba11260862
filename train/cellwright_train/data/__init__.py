"""Episodes as datasets that other learning stacks read."""
