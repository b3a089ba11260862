"""A cell's cameras as video over HTTP: multipart JPEG, which browsers, OpenCV and most programs read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from cellwright_envs.virtual.controller import ControllerError, checked_address

Frame = Callable[[], NDArray[np.uint8]]

_BOUNDARY = "frame"
_QUALITY = 90
_MOST_VIEWERS = 16


def jpeg(frame: NDArray[np.uint8]) -> bytes:
    """A frame (H, W) or (H, W, 3) in RGB as JPEG."""
    if frame.dtype != np.uint8 or frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[2] != 3):
        raise ValueError(f"a frame is (H, W) or (H, W, 3) of uint8, got {frame.shape} of {frame.dtype}")
    bgr = frame if frame.ndim == 2 else frame[:, :, ::-1]
    fine, data = cv2.imencode(".jpg", np.ascontiguousarray(bgr), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not fine:
        raise ValueError(f"a frame of {frame.shape} cannot be encoded")
    return bytes(data)


class VideoServer:
    """Serves `/NAME` as a stream and `/NAME.jpg` as one picture, for each camera, from `start` to `close`."""

    def __init__(
        self,
        cameras: Mapping[str, Frame],
        *,
        address: str = "127.0.0.1",
        port: int = 8080,
        rate_hz: float = 25.0,
        anywhere: bool = False,
    ) -> None:
        """A camera is asked for a frame by one thread at a time; port 0 takes one that is free.

        Raises ControllerError for an address that is not allowed and for a port in use.
        """
        checked_address(address, anywhere=anywhere)
        if not 0.1 <= rate_hz <= 1000.0:
            raise ControllerError(f"a video has 0.1 to 1000 frames a second, got {rate_hz:g}")
        self._ended = threading.Event()
        self._taking = threading.Lock()
        self._viewers = threading.Semaphore(_MOST_VIEWERS)
        self._cameras = dict(cameras)
        self._period_s = 1.0 / rate_hz
        try:
            self._server = ThreadingHTTPServer((address, port), _handler(self))
        except (OSError, OverflowError) as error:
            why = getattr(error, "strerror", None) or error
            raise ControllerError(f"cannot serve video at {address} port {port}: {why}") from None
        self._server.daemon_threads = True
        self.address, self.port = address, int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, name="video", daemon=True)

    @property
    def urls(self) -> list[str]:
        """Where the streams are."""
        return [f"http://{self.address}:{self.port}/{name}" for name in self._cameras]

    def start(self) -> VideoServer:
        """Begin to serve."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End every stream."""
        self._ended.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(5.0)
        self._server.server_close()

    def taken(self, name: str) -> bytes | None:
        """A picture of a camera now, None where there is no such camera."""
        camera = self._cameras.get(name)
        if camera is None:
            return None
        with self._taking:
            return jpeg(camera())


def _handler(video: VideoServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = 10.0

        def do_GET(self) -> None:
            name, _, ending = self.path.partition("?")[0].strip("/").partition(".")
            if ending not in ("", "jpg", "mjpg"):
                self.send_error(404)
            elif ending == "jpg":
                self._picture(name)
            else:
                self._stream(name)

        def _picture(self, name: str) -> None:
            data = video.taken(name)
            if data is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, name: str) -> None:
            if not video._viewers.acquire(blocking=False):
                self.send_error(503)
                return
            try:
                data = video.taken(name)
                if data is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace; boundary={_BOUNDARY}")
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                while data is not None:
                    head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                    self.wfile.write(head.encode() + data + b"\r\n")
                    if video._ended.wait(video._period_s):
                        return
                    data = video.taken(name)
            except OSError:  # the viewer is gone
                self.close_connection = True
            finally:
                video._viewers.release()

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing for each request."""

    return Handler
