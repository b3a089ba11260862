"""The code between a policy and a controller: the environments call it at every step, and so does a robot."""
