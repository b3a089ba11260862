"""What is inserted: the four families of parts, their measures and their catalogues."""
