"""What an evaluation says, with intervals."""
