"""The assembly family: tight insertions by sight and touch."""
