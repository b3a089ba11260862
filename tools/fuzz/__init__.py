"""Random damage to files, from a seed: a reader answers in one line, or with the content that is there."""
