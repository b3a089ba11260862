"""The seam sensor: laser stripe on an image to the seam ahead of the torch."""
