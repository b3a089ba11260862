"""The pool camera of a cell: pictures of the weld pool that its own program has rectified to the plate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cellwright_runtime.camera.sources import CameraError, FrameSource
from cellwright_runtime.operation.task import Frame


class PoolPictures:
    """A `Camera` of a weld's session."""

    def __init__(
        self,
        source: FrameSource,
        *,
        size_px: int,
        exposure_s: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """Pictures are grey, `size_px` high and wide, scaled as the manifest says.

        `exposure_s` is from the middle of an exposure to its arrival. `clock` is the session's where that is
        not this computer's monotonic clock: a picture then counts as exposed when it is seen first.
        """
        self._source, self._size_px, self._exposure_s, self._clock = source, size_px, exposure_s, clock
        self._newest: Frame | None = None

    def newest(self) -> Frame:
        """The newest picture (1, H, W); raises `CameraError` for another one, or where the camera is gone."""
        frame = self._source.read()
        if self._newest is None or frame.number != self._newest.number:
            wanted = (self._size_px, self._size_px)
            if frame.image.shape != wanted or frame.image.dtype != np.uint8:
                raise CameraError(
                    f"the pool camera gives {frame.image.dtype} {frame.image.shape}, the policy takes uint8 "
                    f"{wanted}: rectify its pictures as the manifest says"
                )
            arrived_s = frame.time_s if self._clock is None else self._clock()
            self._newest = Frame(
                image=frame.image[np.newaxis], exposed_s=arrived_s - self._exposure_s, number=frame.number
            )
        return self._newest

    def close(self) -> None:
        """Let go of the camera."""
        self._source.close()
