"""The weld process: arc, heat, bead, and the electrical signals that it gives."""
