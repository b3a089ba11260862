"""Where frames come from: a camera or a video address through OpenCV, a directory of pictures, shared memory.

Every frame has a number that counts up and the time at which it arrived, by the monotonic clock of this
computer: a clock that is set does not make frames younger. A source never waits for a frame: it gives the
newest one, again if need be, and the reader sees its age.
"""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cellwright_perception.opencv import opencv
from cellwright_runtime.files.reading import FileError

PICTURES = (".bmp", ".jpg", ".jpeg", ".png", ".pgm", ".tif", ".tiff")
_FIRST_FRAME_S = 5.0
_HEADER = np.dtype(
    [
        ("magic", "<u8"),
        ("begun", "<u8"),
        ("done", "<u8"),
        ("time_ns", "<u8"),
        ("height", "<u4"),
        ("width", "<u4"),
        ("channels", "<u4"),
    ]
)
_OFFSETS = {name: _HEADER.fields[name][1] for name in _HEADER.names}  # type: ignore[index,union-attr]
_PIXELS_AT = 64
_MAGIC = 0x3146524654435743
_TRIES, _RETRY_S = 100, 0.0005
_TRIES_AGAIN = 3


class CameraError(FileError):
    """A camera gives no frames; one line says which and why."""


@dataclass(frozen=True, kw_only=True)
class Frame:
    """One picture."""

    image: NDArray[np.uint8]
    """(H, W) grey or (H, W, 3) BGR."""
    number: int
    """Counts up with every new picture; two frames of one number are the same picture."""
    time_s: float
    """Monotonic clock of this computer when it arrived."""

    def age_s(self, now_s: float | None = None) -> float:
        """How long ago it arrived."""
        return (time.monotonic() if now_s is None else now_s) - self.time_s


class FrameSource(Protocol):
    """Gives the newest frame."""

    def read(self) -> Frame:
        """The newest frame; raises `CameraError` where there is none, or the camera is gone."""

    def close(self) -> None:
        """Let go of the camera."""


def open_source(text: str) -> FrameSource:
    """The source that a cell's file names: `device:0`, an address, `directory:PATH` or `shared:PATH`.

    Raises `CameraError` where it cannot be opened or gives no first frame within some seconds.
    """
    kind, _, rest = text.partition(":")
    if kind == "directory":
        return PictureDirectory(Path(rest))
    if kind == "shared":
        return SharedFrames(Path(rest))
    if kind == "device":
        if not rest.isdecimal():
            raise CameraError(f"{text} names no camera; a device is a number, such as device:0")
        return Capture(int(rest), text)
    return Capture(text, text)


class Capture:
    """A camera or a stream that OpenCV opens. A thread takes every frame, so that none waits in a buffer."""

    def __init__(self, target: int | str, name: str, *, opened: Callable[[Any], Any] | None = None) -> None:
        """`opened` makes the capture in place of `cv2.VideoCapture`, for other libraries' cameras."""
        self._name = name
        self._capture = (opened or opencv().VideoCapture)(target)
        if not self._capture.isOpened():
            raise CameraError(f"{name} cannot be opened; is it plugged in, reachable, and not in use?")
        self._newest: Frame | None = None
        self._gone = ""
        self._arrived, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._take, name=f"camera {name}", daemon=True)
        self._thread.start()
        if not self._arrived.wait(_FIRST_FRAME_S):
            self.close()
            raise CameraError(f"{name} gave no frame within {_FIRST_FRAME_S:g} s")
        if self._newest is None:
            self.close()
            raise CameraError(f"{name} {self._gone}")

    def read(self) -> Frame:
        """The newest frame; raises `CameraError` once the camera has stopped giving frames."""
        if self._gone:
            raise CameraError(f"{self._name} {self._gone}")
        newest = self._newest
        assert newest is not None  # the constructor waited for it
        return newest

    def close(self) -> None:
        """Stop the thread and let go of the camera."""
        self._stop.set()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=_FIRST_FRAME_S)
        if not self._thread.is_alive():  # a driver that hangs in a read would crash
            self._capture.release()

    def _take(self) -> None:
        number = 0
        while not self._stop.is_set():
            there, image = self._capture.read()
            if not there:
                self._gone = "gives no more frames; it was unplugged, or the stream has ended"
                self._arrived.set()
                return
            number += 1
            self._newest = Frame(image=image, number=number, time_s=time.monotonic())
            self._arrived.set()


class PictureDirectory:
    """The pictures of a directory, sorted by name: each `read` gives the next, and after the last an
    error."""

    def __init__(self, directory: Path) -> None:
        self.paths = pictures(directory)
        self._directory = directory
        self._number = 0

    def read(self) -> Frame:
        """The next picture; raises `CameraError` after the last one or where one cannot be read."""
        if self._number >= len(self.paths):
            raise CameraError(f"{self._directory} has no more pictures after {len(self.paths)}")
        image = read_picture(self.paths[self._number])
        self._number += 1
        return Frame(image=image, number=self._number, time_s=time.monotonic())

    def close(self) -> None:
        """Nothing is held."""


def pictures(directory: Path) -> Sequence[Path]:
    """Pictures in a directory, sorted by name; raises `CameraError` where there are none."""
    if not directory.is_dir():
        raise CameraError(f"{directory} is no directory of pictures")
    found = sorted(path for path in directory.iterdir() if path.suffix.lower() in PICTURES)
    if not found:
        raise CameraError(f"{directory} holds no pictures ({', '.join(PICTURES)})")
    return found


def read_picture(path: Path) -> NDArray[np.uint8]:
    """A picture as it is, grey (H, W) or BGR (H, W, 3); raises `CameraError` where it is none of 8 bits."""
    cv2 = opencv()
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise CameraError(f"{path} is no picture that OpenCV reads")
    if image.dtype != np.uint8 or (image.ndim == 3 and image.shape[2] != 3):
        raise CameraError(f"{path} is {image.dtype} {image.shape}; need 8 bits, grey or BGR")
    return np.asarray(image)


class SharedFrames:
    """Frames that another process writes into a file in memory, such as one in /dev/shm, with a
    `FrameWriter`."""

    def __init__(self, path: Path) -> None:
        """Raises `CameraError` where the file is not there or holds no frames."""
        self._name = f"shared:{path}"
        self._last: Frame | None = None
        self.unfinished = 0
        """Reads that found a frame half written, as by a program that died, and gave the one before."""
        try:
            with path.open("rb") as file:
                self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:  # ValueError: it is empty
            raise CameraError(
                f"{self._name} cannot be read ({error}); start the camera's program first"
            ) from None
        if len(self._memory) < _PIXELS_AT or int(self._header()["magic"]) != _MAGIC:
            self.close()
            raise CameraError(f"{self._name} holds no frames of a FrameWriter")

    def read(self) -> Frame:
        """The newest frame, whole: while another is written, the one that was read last.

        Only a first frame is waited for. Raises `CameraError` where none comes.
        """
        for _ in range(_TRIES if self._last is None else _TRIES_AGAIN):
            header = self._header()
            number = int(header["done"])
            if number == 0 or int(header["begun"]) != number:
                if self._last is None:
                    time.sleep(_RETRY_S)
                continue
            height, width, channels = (int(header[key]) for key in ("height", "width", "channels"))
            count = height * width * channels
            if channels not in (1, 3) or _PIXELS_AT + count > len(self._memory):
                raise CameraError(f"{self._name} says {height} x {width} x {channels}, which it cannot hold")
            pixels = np.frombuffer(self._memory[_PIXELS_AT : _PIXELS_AT + count], np.uint8)
            if int(self._header()["begun"]) == number:  # nothing was written meanwhile
                shape = (height, width) if channels == 1 else (height, width, channels)
                time_s = int(header["time_ns"]) * 1e-9
                self._last = Frame(image=pixels.reshape(shape), number=number, time_s=time_s)
                return self._last
        if self._last is not None:
            self.unfinished += 1
            return self._last
        raise CameraError(f"{self._name} has no whole frame; does its program run?")

    def close(self) -> None:
        """Let go of the memory; the file stays."""
        self._memory.close()

    def _header(self) -> Any:
        return np.frombuffer(self._memory[: _HEADER.itemsize], _HEADER)[0]


class FrameWriter:
    """Puts frames of one size into a file in memory, for `SharedFrames` in another process.

    A frame's numbers `begun` and `done` differ while it is written, and a reader then takes the one before.
    Both are 8 bytes wide and aligned, so that no processor of today shows half of one.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        """`shape` is (H, W) or (H, W, 3). Raises FileExistsError where the file is there already."""
        height, width, channels = (*shape, 1) if len(shape) == 2 else shape
        if channels not in (1, 3) or min(shape) < 1:
            raise ValueError(f"a frame is (H, W) or (H, W, 3), got {shape}")
        self._shape, self._path, self._number = shape, path, 0
        size = _PIXELS_AT + height * width * channels
        with path.open("xb+") as file:
            file.truncate(size)
            self._memory = mmap.mmap(file.fileno(), size)
        header = np.zeros(1, _HEADER)
        header["height"], header["width"], header["channels"] = height, width, channels
        header["magic"] = _MAGIC
        self._memory[: _HEADER.itemsize] = header.tobytes()

    def write(self, image: NDArray[np.uint8], time_s: float | None = None) -> None:
        """Publish a frame that arrived at `time_s` of the monotonic clock, or now."""
        if image.shape != self._shape or image.dtype != np.uint8:
            raise ValueError(f"need uint8 {self._shape}, got {image.dtype} {image.shape}")
        arrived_ns = time.monotonic_ns() if time_s is None else int(time_s * 1e9)
        self._number += 1
        self._set("begun", self._number)
        self._memory[_PIXELS_AT:] = np.ascontiguousarray(image).tobytes()
        self._set("time_ns", arrived_ns)
        self._set("done", self._number)

    def close(self) -> None:
        """Take the file away; readers keep the last frame, which gets older."""
        self._memory.close()
        self._path.unlink(missing_ok=True)

    def _set(self, field: str, value: int) -> None:
        offset = _OFFSETS[field]
        self._memory[offset : offset + 8] = value.to_bytes(8, "little")
