"""The door: what is in a file of somebody else comes in here, and is bounded before it is believed."""
