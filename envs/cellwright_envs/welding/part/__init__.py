"""Products to weld: paths, procedures, and the seam of a part in the cell."""
