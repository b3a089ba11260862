"""Lines of production as data: batches of parts, and what changes between them; and shifts on such lines."""
