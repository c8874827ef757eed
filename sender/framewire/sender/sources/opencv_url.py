"""A stream as OpenCV's FFmpeg captures it. Runs in the capture process."""

from framewire.common.errors import SourceError
from framewire.common.frame import Image
from framewire.common.opencv import cv2
from framewire.sender.sources.grabber import Traits

__all__ = ["UrlGrabber"]

_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_TIMEOUT_MS = 5000
"""For opening and for each read; OpenCV's own default is 30 s."""


class UrlGrabber:
    """OpenCV's FFmpeg on a URL; MJPEG streams are taken as the JPEG files that they are."""

    def __init__(self, url: str, shown: str, twice: bool = True) -> None:
        """`shown` is what to call it in messages: a URL without its password.

        Not `twice`: what is read of it to see what it is cannot be read again, so that MJPEG is not
        passed through.
        """
        self._url, self._shown, self._twice = url, shown, twice
        self._capture = cv2.VideoCapture()
        self._encoded = False

    def open(self) -> Traits:
        capture = self._open()
        finite = capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
        self._encoded = self._twice and int(capture.get(cv2.CAP_PROP_FOURCC)) == _MJPG
        if self._encoded and not finite:
            capture.release()
            capture = self._open(cv2.CAP_PROP_FORMAT, -1)
        self._capture = capture
        return Traits(encoded=self._encoded, finite=finite, alone=self._encoded)

    def _open(self, *parameters: int) -> cv2.VideoCapture:
        timeouts = (
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            _TIMEOUT_MS,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            _TIMEOUT_MS,
        )
        capture = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, [*timeouts, *parameters])
        if not capture.isOpened():
            raise SourceError(
                f"cannot open {self._shown}: no answer in {_TIMEOUT_MS // 1000} s, or no video "
                "there; check address, user and password"
            )
        return capture

    def grab(self, into: Image | None) -> Image | bytes | None:
        read, data = self._capture.read(into)
        if not read:
            return None
        return data.tobytes() if self._encoded else data.astype("uint8", copy=False)

    def release(self) -> None:
        self._capture.release()
