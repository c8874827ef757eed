"""Cameras of this machine, through OpenCV; MJPEG where the device gives it, passed through."""

import logging
import sys
from collections.abc import Callable

from framewire.common.errors import SourceError
from framewire.common.frame import Image
from framewire.common.opencv import cv2
from framewire.common.topic import topic_from_name
from framewire.sender.sources.devices import list_cameras
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import SourceOptions

__all__ = ["CameraSource"]

_log = logging.getLogger("framewire.source")

_BACKEND = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")

OpenCapture = Callable[[int, int], cv2.VideoCapture]
"""What makes a capture from index and backend; tests put a camera of their own here."""


def find_index(spec: str) -> int:
    """The index of ``0``, ``camera:0`` or ``camera:NAME`` (part of a name, any case)."""
    wanted = spec.removeprefix("camera:").strip()
    if wanted.isdecimal() and len(wanted) <= 4:
        return int(wanted)
    matches = [c for c in list_cameras() if wanted and wanted.lower() in c.name.lower()]
    if len({camera.name for camera in matches}) == 1:
        return matches[0].index
    found = ", ".join(f"{c.index} ({c.name})" for c in matches or list_cameras()) or "none"
    problem = "several cameras match" if matches else "no camera matches"
    raise SourceError(f"{problem} {wanted!r}; cameras found: {found}")


class _CameraGrabber:
    def __init__(self, index: int, options: SourceOptions, open_capture: OpenCapture) -> None:
        self._index, self._options, self._open_capture = index, options, open_capture
        self._capture = cv2.VideoCapture()
        self.encoded = self.sized = False

    def open(self) -> None:
        capture = self._open_capture(self._index, _BACKEND)
        if not capture.isOpened():
            raise SourceError(
                f"cannot open camera {self._index}: it is not there, in use, or not permitted; "
                "`framewire devices` lists what is"
            )
        # The order matters to V4L2: format, then size, then rate.
        capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        if self._options.size:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._options.size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._options.size[1])
        if self._options.fps:
            capture.set(cv2.CAP_PROP_FPS, self._options.fps)
        self.sized = self._has_size(capture)
        passes = self._passes_jpeg(capture)
        if self.encoded and not passes:  # packets were promised
            capture.release()
            raise SourceError(f"camera {self._index} no longer gives JPEG")
        self.encoded, self._capture = passes, capture

    def _has_size(self, capture: cv2.VideoCapture) -> bool:
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        if self._options.size and self._options.size != (width, height):
            _log.warning("camera %d gives %dx%d instead", self._index, width, height)
        return self._options.size == (width, height)

    def _passes_jpeg(self, capture: cv2.VideoCapture) -> bool:
        """Ask for the device's own JPEG; whether it comes is seen on a first picture."""
        if int(capture.get(cv2.CAP_PROP_FOURCC)) != _MJPG:
            return False
        if not capture.set(cv2.CAP_PROP_CONVERT_RGB, 0):
            return False
        read, data = capture.read()
        if read and data.size > 2 and data.tobytes()[:2] == b"\xff\xd8":
            return True
        capture.set(cv2.CAP_PROP_CONVERT_RGB, 1)
        return False

    def grab(self) -> Image | bytes | None:
        read, data = self._capture.read()
        if not read:
            return None
        return data.tobytes() if self.encoded else data.astype("uint8", copy=False)

    def release(self) -> None:
        self._capture.release()


class CameraSource(LiveSource):
    """``camera:0``, ``camera:NAME`` or ``0``. `size` and `fps` are asked of the device."""

    def __init__(
        self,
        spec: str,
        options: SourceOptions,
        open_capture: OpenCapture = cv2.VideoCapture,
    ) -> None:
        index = find_index(spec)
        name = topic_from_name(f"camera{index}")
        grabber = _CameraGrabber(index, options, open_capture)
        super().__init__(name, options, grabber)
        self.sized = grabber.sized
