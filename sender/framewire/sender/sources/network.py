"""Network cameras and streams: ``rtsp://`` and ``http://``, with time-outs and reconnection."""

from urllib.parse import SplitResult, urlsplit

from framewire.common.errors import UsageError
from framewire.common.topic import topic_from_name
from framewire.sender.sources.capture import Capture, capture
from framewire.sender.sources.grabber import Order
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import Source, SourceOptions
from framewire.sender.sources.video import VideoSource

__all__ = ["GRABBER", "NetworkSource", "open_url"]

GRABBER = "framewire.sender.sources.opencv_url:UrlGrabber"
"""What takes the pictures, in the capture process."""


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


class NetworkSource(LiveSource):
    """A stream at a URL, captured live."""

    def __init__(self, url: str, options: SourceOptions, device: Capture | None = None) -> None:
        parts = _parts(url)
        name = topic_from_name(f"{parts.hostname}{parts.path}".replace("/", "-"))
        order = Order(
            GRABBER, {"url": url, "shown": _without_password(url)}, secret=parts.password or ""
        )
        super().__init__(name, options, device or capture(order))


def open_url(url: str, options: SourceOptions, device: Capture | None = None) -> Source:
    """A live stream, or a video file that lies on a server and is played at its own pace."""
    if not url.startswith("http"):
        return NetworkSource(url, options, device)
    # What it is, only the server knows; so it is opened before its options are judged.
    live = SourceOptions(fps=options.fps, size=options.size, allow_still=options.allow_still)
    source = NetworkSource(url, live, device)
    if source.finite:
        source.close()
        return VideoSource(url, options, shown=_without_password(url))
    try:
        source.check(options)
    except UsageError:
        source.close()
        raise
    return source
