"""What an inspection finds along a weld, and how far each point is from a limit."""
