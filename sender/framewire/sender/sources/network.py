"""Network cameras and streams: ``rtsp://`` and ``http://``, with time-outs and reconnection."""

from urllib.parse import SplitResult, urlsplit

from framewire.common.errors import SourceError, UsageError
from framewire.common.frame import Image
from framewire.common.opencv import cv2
from framewire.common.topic import topic_from_name
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import Source, SourceOptions
from framewire.sender.sources.video import VideoSource

__all__ = ["NetworkSource", "open_url"]

_MJPG = cv2.VideoWriter.fourcc(*"MJPG")
_TIMEOUT_MS = 5000
"""For opening and for each read; OpenCV's own default is 30 s."""


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        if parts.hostname:
            return parts
    except ValueError:  # brackets that do not match, and the like
        pass
    raise UsageError(f"bad URL {url!r}: it names no machine, as in rtsp://camera/stream")


def _without_password(url: str) -> str:
    password = _parts(url).password
    return url if password is None else url.replace(f":{password}@", ":***@", 1)


class _UrlGrabber:
    """OpenCV's FFmpeg on a URL; MJPEG streams are taken as the JPEG files that they are."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._capture = cv2.VideoCapture()
        self.encoded = False

    def open(self) -> None:
        if self._capture.isOpened():
            return
        capture = self._open()
        mjpeg = int(capture.get(cv2.CAP_PROP_FOURCC)) == _MJPG
        if mjpeg:
            capture.release()
            capture = self._open(cv2.CAP_PROP_FORMAT, -1)
        elif self.encoded:  # packets were promised; the stream has changed its codec
            capture.release()
            raise SourceError(f"{_without_password(self._url)} is no longer MJPEG")
        self._capture, self.encoded = capture, mjpeg

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
                f"cannot open {_without_password(self._url)}: no answer in "
                f"{_TIMEOUT_MS // 1000} s, or no video there; check address, user and password"
            )
        return capture

    def grab(self) -> Image | bytes | None:
        read, data = self._capture.read()
        if not read:
            return None
        return data.tobytes() if self.encoded else data.astype("uint8", copy=False)

    def release(self) -> None:
        self._capture.release()

    @property
    def finite(self) -> bool:
        """Whether it is a file with a length rather than a stream."""
        return self._capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0


class NetworkSource(LiveSource):
    """A stream at a URL, captured live."""

    def __init__(self, url: str, options: SourceOptions, grabber: _UrlGrabber) -> None:
        parts = _parts(url)
        name = topic_from_name(f"{parts.hostname}{parts.path}".replace("/", "-"))
        super().__init__(name, options, grabber)


def open_url(url: str, options: SourceOptions) -> Source:
    """A live stream, or a video file that lies on a server and is played at its own pace."""
    _parts(url)
    grabber = _UrlGrabber(url)
    grabber.open()
    if grabber.finite and url.startswith("http"):
        grabber.release()
        return VideoSource(url, options, shown=_without_password(url))
    return NetworkSource(url, options, grabber)
