"""What stands between a policy and the motors: guards, fences, jerk-limited motion, and the right to move.

This is no certified safety function. It makes a policy's mistakes small and visible; people are protected by
the robot's own safety controller and by the cell around it.
"""
