"""A virtual controller of Universal Robots: RTDE, script and dashboard ports."""
