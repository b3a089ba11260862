"""The seam sensor's own line: where its laser meets the part, and what its optics make of that."""
