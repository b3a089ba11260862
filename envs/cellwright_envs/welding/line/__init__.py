"""The seam sensor's own line of many columns: where its laser meets the part, and what its optics make of it."""
