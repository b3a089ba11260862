"""Many cells in few processes with shared memory."""
