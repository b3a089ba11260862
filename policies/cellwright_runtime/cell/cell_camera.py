"""The cameras of a cell as one: the policy's image out of the newest frames of all of them."""

from __future__ import annotations

from collections.abc import Callable

from cellwright_runtime.bundle.policy import PolicySpec
from cellwright_runtime.camera.sources import FrameSource, open_source
from cellwright_runtime.cell.cell_file import CellFile
from cellwright_runtime.cell.views import CellViews
from cellwright_runtime.operation.task import Frame


class CellCamera:
    """A `Camera` of a session."""

    def __init__(
        self,
        file: CellFile,
        spec: PolicySpec,
        *,
        clock: Callable[[], float] | None = None,
        opened: Callable[[str], FrameSource] = open_source,
    ) -> None:
        """Open the sources that the file names for the policy's views.

        `clock` is the session's where that is not this computer's monotonic clock, by which frames tell when
        they arrived: a frame then counts as exposed when it is seen first.

        Raises `FileError` where a camera is missing, gives no frames, or does not cover its view.
        """
        self._views = CellViews(file, spec)
        names = set(self._views.cameras.values())
        self._cameras = {each.name: each for each in file.cell.camera if each.name in names}
        self._sources: dict[str, FrameSource] = {}
        self._newest: Frame | None = None
        self._clock = clock
        try:
            for name, camera in self._cameras.items():
                self._sources[name] = opened(camera.source)
        except BaseException:
            self.close()
            raise

    def newest(self) -> Frame:
        """The newest image (views, H, W); its exposure is that of its oldest frame.

        Raises `CameraError` where a camera is gone.
        """
        frames = {name: source.read() for name, source in self._sources.items()}
        number = sum(frame.number for frame in frames.values())
        if self._newest is None or number != self._newest.number:
            if self._clock is None:
                exposed_s = min(
                    frame.time_s - self._cameras[name].exposure_s for name, frame in frames.items()
                )
            else:
                exposed_s = self._clock()
            image = self._views.image({name: frame.image for name, frame in frames.items()})
            self._newest = Frame(image=image, exposed_s=exposed_s, number=number)
        return self._newest

    def close(self) -> None:
        """Let go of the cameras."""
        for source in self._sources.values():
            source.close()
