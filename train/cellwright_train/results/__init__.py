"""Results of an evaluation, with intervals."""
