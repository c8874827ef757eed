"""Frames to packets."""

from dataclasses import dataclass

import msgspec
import numpy as np

from framewire.common.clock import monotonic_ns
from framewire.common.errors import UsageError
from framewire.common.frame import Frame, Image, Packet
from framewire.common.jpeg import check_quality, encode
from framewire.common.wire import checksum

__all__ = ["Encoder", "parse_size"]


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) from ``1280x720``; `UsageError` otherwise."""
    width, _, height = text.lower().partition("x")
    if not all(side.isdecimal() and len(side) <= 5 for side in (width, height)):
        raise UsageError(f"bad size {text!r}: use WIDTHxHEIGHT, as in 1280x720")
    return check_size((int(width), int(height)))


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return a (width, height) that a picture can have; `UsageError` otherwise."""
    if not all(1 <= side <= 65500 for side in size) or size[0] * size[1] > 1 << 26:
        raise UsageError(f"a picture of {size[0]}x{size[1]} is not possible: up to 64 Mpixel")
    return size


@dataclass(frozen=True, slots=True)
class Encoder:
    """How frames become JPEG packets. Immutable; any thread may encode."""

    quality: int = 85
    size: tuple[int, int] | None = None
    """(width, height) to scale every picture to; None: as it is."""
    gray: bool = False

    def __post_init__(self) -> None:
        check_quality(self.quality)
        if self.size is not None:
            check_size(self.size)

    def packet(self, frame: Frame) -> Packet:
        """Scale, convert and encode; the header gets what only the encoder knows."""
        start_ns = monotonic_ns()
        image = self._shaped(frame.image)
        payload = encode(image, self.quality)
        header = msgspec.structs.replace(
            frame.header,
            width=image.shape[1],
            height=image.shape[0],
            channels=1 if image.ndim == 2 else 3,
            codec="jpeg",
            quality=self.quality,
            encode_us=(monotonic_ns() - start_ns) // 1000,
            crc32=checksum(payload),
        )
        return Packet(header, payload)

    def _shaped(self, image: Image) -> Image:
        to_gray = self.gray and image.ndim == 3
        scale = self.size is not None and (image.shape[1], image.shape[0]) != self.size
        if not to_gray and not scale:
            return image
        from framewire.common.opencv import cv2

        shaped: object = image
        if to_gray:
            shaped = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale and self.size is not None:
            smaller = self.size[0] < image.shape[1]
            method = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
            shaped = cv2.resize(np.asarray(shaped), self.size, interpolation=method)
        return np.asarray(shaped, np.uint8)
