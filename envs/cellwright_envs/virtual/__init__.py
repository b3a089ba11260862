"""Plants, and vendors' controllers in front of them, for robot programs that do not drive a robot yet."""
