"""Disturbances of a camera: frames that get lost or come late, and an error of its calibration."""

import math
from dataclasses import dataclass

import numpy as np

from cellwright_assets.arithmetic import length, product
from cellwright_envs.disturbances.sampling import (
    Floats,
    require_not_negative,
    require_positive,
    require_probability,
    truncated_normal,
)


@dataclass(frozen=True, kw_only=True)
class FrameDelivery:
    """Frames get lost, or come late."""

    drop_probability: float = 0.0
    """Probability that a frame never arrives."""
    late_probability: float = 0.0
    """Probability that a frame arrives late."""
    late_frames: int = 2
    """Most frames by which it is late."""

    def __post_init__(self) -> None:
        require_probability(self, "drop_probability", "late_probability")
        require_positive(self, "late_frames")

    def draw(self, rng: np.random.Generator) -> "FrameDeliveryState":
        """Draw the fate of this episode's frames."""
        return FrameDeliveryState(
            drop_probability=self.drop_probability,
            late_probability=self.late_probability,
            late_frames=self.late_frames,
            seed=int(rng.integers(0, 2**63)),
        )


@dataclass(frozen=True, kw_only=True)
class FrameDeliveryState:
    """The fate of one episode's frames, a pure function of their number."""

    drop_probability: float
    late_probability: float
    late_frames: int
    seed: int

    def delivered(self, frame: int) -> int:
        """Return the number of the newest frame that is there when frame number `frame` is due.

        Frame 0 always arrives; nothing is older than eight frames, where a camera would be reset.
        """
        if self.drop_probability == 0.0 and self.late_probability == 0.0:
            return frame
        oldest = max(frame - 8, 0)
        for candidate in range(frame, oldest, -1):
            arrival = self._arrival(candidate)
            if arrival is not None and arrival <= frame:
                return candidate
        return oldest

    def _arrival(self, frame: int) -> int | None:
        """Return when `frame` arrives, in frames; None if it never does."""
        fate, lateness = _mix(self.seed + 2 * frame), _mix(self.seed + 2 * frame + 1)
        if fate < self.drop_probability:
            return None
        if fate < self.drop_probability + (1.0 - self.drop_probability) * self.late_probability:
            return frame + 1 + int(lateness * self.late_frames)
        return frame


@dataclass(frozen=True, kw_only=True)
class CameraCalibration:
    """The camera stands beside its calibrated place; truncated at two sigma."""

    translation_sigma_m: float = 0.0
    """Standard deviation along each camera axis [m]."""
    rotation_sigma_rad: float = 0.0
    """Standard deviation of the turn about each camera axis [rad]."""
    mean_translation_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Lasting error along the camera's axes [m], such as after a collision."""

    def __post_init__(self) -> None:
        require_not_negative(self, "translation_sigma_m", "rotation_sigma_rad")

    def draw(self, rng: np.random.Generator) -> "CameraCalibrationState":
        """Draw where the camera really stands in this episode."""
        x_m, y_m, z_m = (
            mean + truncated_normal(rng, self.translation_sigma_m) for mean in self.mean_translation_m
        )
        x_rad, y_rad, z_rad = (truncated_normal(rng, self.rotation_sigma_rad) for _ in range(3))
        return CameraCalibrationState(translation_m=(x_m, y_m, z_m), rotation_rad=(x_rad, y_rad, z_rad))


@dataclass(frozen=True, kw_only=True)
class CameraCalibrationState:
    """The calibration error of one episode."""

    translation_m: tuple[float, float, float]
    rotation_rad: tuple[float, float, float]
    """Rotation vector."""

    def true_from_calibrated(self) -> Floats:
        """Return the transform (4, 4) from the calibrated to the true camera frame.

        True camera_from_tool is `product(state.true_from_calibrated(), camera_from_tool)`.
        """
        transform = np.eye(4)
        transform[:3, :3] = _rotation(np.array(self.rotation_rad))
        transform[:3, 3] = self.translation_m
        return transform


def _rotation(vector: Floats) -> Floats:
    """Return the rotation matrix (3, 3) of a rotation vector (3,) [rad] (Rodrigues)."""
    angle = float(length(vector))
    if angle == 0.0:
        return np.eye(3)
    x, y, z = vector / angle
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    rotation: Floats = np.eye(3) + math.sin(angle) * cross + (1.0 - math.cos(angle)) * product(cross, cross)
    return rotation


def _mix(value: int) -> float:
    """Return a number in [0, 1) that looks random in `value` (splitmix64, S. Vigna, public domain)."""
    mask = (1 << 64) - 1
    value = (value * 0x9E3779B97F4A7C15) & mask
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
    return (value ^ (value >> 31)) / 2.0**64
