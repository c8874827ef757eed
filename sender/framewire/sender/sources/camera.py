"""Cameras of this machine; MJPEG where the device gives it, passed through."""

from framewire.common.clock import NS, monotonic_ns
from framewire.common.topic import topic_from_name
from framewire.sender.sources.capture import Capture, capture
from framewire.sender.sources.devices import find_index, present
from framewire.sender.sources.grabber import Order
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import SourceOptions

__all__ = ["GRABBER", "CameraSource"]

GRABBER = "framewire.sender.sources.opencv_camera:CameraGrabber"
"""What takes the pictures, in the capture process."""


_LOOK_S = 0.2
_READY_S = 0.5
"""A device has its name before it has its permissions."""


class CameraSource(LiveSource):
    """``camera:0``, ``camera:NAME`` or ``0``. `size` and `fps` are asked of the device.

    One that was lost is tried again as soon as any camera is plugged in.
    """

    def __init__(self, spec: str, options: SourceOptions, device: Capture | None = None) -> None:
        name = topic_from_name(f"camera{find_index(spec)}")
        facts = {"spec": spec, "size": options.size, "fps": options.fps}
        super().__init__(name, options, device or capture(Order(GRABBER, facts)))

    def _wait(self, seconds: float) -> None:
        before, until_ns = present(), monotonic_ns() + round(seconds * NS)
        while (left_s := (until_ns - monotonic_ns()) / NS) > 0:
            if self._stop.wait(min(_LOOK_S, left_s)):
                return
            now = present()
            if now - before:
                self._stop.wait(min(_READY_S, left_s))
                return
            before = now
