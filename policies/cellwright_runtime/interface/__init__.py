"""Between a policy and what it commands: called by the environments at every step and by a robot program."""
