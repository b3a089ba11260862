"""What a bundle and a robot have to have in common, before anything moves."""

from __future__ import annotations

from collections.abc import Sequence

from cellwright_runtime.bundle.policy import Bundle
from cellwright_runtime.bundle.safety import SAFETY, Safety


class MismatchError(ValueError):
    """Bundle and robot do not belong together; one line says what differs."""


def require_match(bundle: Bundle, *, robot: str, joint_names: Sequence[str], cycle_s: float) -> Safety:
    """The bundle's envelope; raises MismatchError where it has none, or is for another robot.

    `cycle_s` is that of the robot's driver, which has to be at least as fast as the policy decides.
    """
    safety = bundle.safety
    if safety is None:
        raise MismatchError(
            f"{bundle.directory} has no {SAFETY}, without which no limit is known; export the policy again"
        )
    wanted = safety.joints
    if wanted.robot != robot:
        raise MismatchError(f"the policy was trained with a {wanted.robot}, this robot is a {robot}")
    if wanted.names != tuple(joint_names):
        raise MismatchError(
            f"the policy's joints are {', '.join(wanted.names)}; the robot has {', '.join(joint_names)}"
        )
    period_s = safety.timing.control_period_s.number
    if cycle_s > period_s:
        raise MismatchError(
            f"the policy decides every {1e3 * period_s:.0f} ms, the driver has a cycle of "
            f"{1e3 * cycle_s:.0f} ms; use a faster interface of the controller"
        )
    return safety
