"""What is welded: paths, products with their procedures, and the seam as it lies."""
