"""The arc-welding cell: process model, products and the task."""
