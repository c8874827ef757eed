"""Cameras of this machine; MJPEG where the device gives it, passed through."""

from framewire.common.topic import topic_from_name
from framewire.sender.sources.capture import Capture, capture
from framewire.sender.sources.devices import find_index
from framewire.sender.sources.grabber import Order
from framewire.sender.sources.live import LiveSource
from framewire.sender.sources.source import SourceOptions

__all__ = ["GRABBER", "CameraSource"]

GRABBER = "framewire.sender.sources.opencv_camera:CameraGrabber"
"""What takes the pictures, in the capture process."""


class CameraSource(LiveSource):
    """``camera:0``, ``camera:NAME`` or ``0``. `size` and `fps` are asked of the device."""

    def __init__(self, spec: str, options: SourceOptions, device: Capture | None = None) -> None:
        name = topic_from_name(f"camera{find_index(spec)}")
        facts = {"spec": spec, "size": options.size, "fps": options.fps}
        super().__init__(name, options, device or capture(Order(GRABBER, facts)))
