"""A camera of this machine as OpenCV captures it. Runs in the capture process."""

import sys
from collections.abc import Callable

from framewire.common.errors import SourceError
from framewire.common.frame import Image
from framewire.common.opencv import cv2
from framewire.sender.sources.devices import find_index
from framewire.sender.sources.grabber import Traits

__all__ = ["CameraGrabber", "OpenCapture"]

_BACKEND = cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY
_MJPG = cv2.VideoWriter.fourcc(*"MJPG")

OpenCapture = Callable[[int, int], cv2.VideoCapture]
"""What makes a capture from index and backend; tests put a camera of their own here."""


class CameraGrabber:
    """A camera by its spec: one with a name is looked for at each opening, wherever it is plugged.

    `size` (width, height) and `fps` are asked of the device, where they are given.
    """

    def __init__(
        self,
        spec: str,
        size: tuple[int, int] | None = None,
        fps: float | None = None,
        open_capture: OpenCapture = cv2.VideoCapture,
    ) -> None:
        self._spec, self._fps, self._open_capture = spec, fps, open_capture
        self._size = (size[0], size[1]) if size else None
        self._capture = cv2.VideoCapture()
        self._encoded = False

    def open(self) -> Traits:
        index = find_index(self._spec)
        capture = self._open_capture(index, _BACKEND)
        if not capture.isOpened():
            raise SourceError(
                f"cannot open camera {index}: it is not there, in use, or not permitted; "
                "`framewire devices` lists what is"
            )
        self._capture = capture
        # The order matters to V4L2: format, then size, then rate.
        capture.set(cv2.CAP_PROP_FOURCC, _MJPG)
        if self._size:
            capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._size[0])
            capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._size[1])
        if self._fps:
            capture.set(cv2.CAP_PROP_FPS, self._fps)
        width = int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        height = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))
        sized = self._size == (width, height)
        remark = "" if sized or not self._size else f"the camera gives {width}x{height} instead"
        self._encoded = self._passes_jpeg(capture)
        return Traits(encoded=self._encoded, sized=sized, remark=remark)

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

    def grab(self, into: Image | None) -> Image | bytes | None:
        read, data = self._capture.read(into)
        if not read:
            return None
        return data.tobytes() if self._encoded else data.astype("uint8", copy=False)

    def release(self) -> None:
        self._capture.release()
