"""The seam sensor: profiles of a laser line to the seam ahead of the torch."""
