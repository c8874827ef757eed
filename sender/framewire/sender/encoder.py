"""Frames to packets."""

from dataclasses import dataclass

import msgspec
import numpy as np

from framewire.common.clock import monotonic_ns
from framewire.common.errors import UsageError
from framewire.common.frame import Frame, Header, Image, Packet
from framewire.common.jpeg import check_quality, decode, encode
from framewire.common.level import OWN, Level
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

    def packet(self, content: Frame | Packet, level: Level = OWN) -> Packet:
        """Scale, convert and encode; the header gets what only the encoder knows.

        What is encoded already stays as it is, unless `level` asks for less than it has.
        """
        start_ns = monotonic_ns()
        if isinstance(content, Packet):
            if not _is_less(level, content.header):
                return content
            image = decode(content.payload)
            known = content.header.quality or 100
            quality = min(known, level.quality or content.header.quality or self.quality)
        else:
            image = _shaped(content.image, self.size, gray=self.gray)
            quality = level.quality or self.quality
        if level.scale is not None:
            image = _shaped(image, _scaled(image, level.scale))
        payload = encode(image, quality)
        header = msgspec.structs.replace(
            content.header,
            width=image.shape[1],
            height=image.shape[0],
            channels=1 if image.ndim == 2 else 3,
            codec="jpeg",
            quality=quality,
            encode_us=(monotonic_ns() - start_ns) // 1000,
            crc32=checksum(payload),
        )
        return Packet(header, payload)


def _is_less(level: Level, header: Header) -> bool:
    """Whether `level` asks for less than an encoded picture has; of an unknown quality, any is."""
    worse = level.quality is not None and not 0 < header.quality <= level.quality
    smaller = level.scale is not None and level.scale < 1
    return header.codec == "jpeg" and (worse or smaller)


def _scaled(image: Image, scale: float) -> tuple[int, int]:
    return max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))


def _shaped(image: Image, size: tuple[int, int] | None, *, gray: bool = False) -> Image:
    to_gray = gray and image.ndim == 3
    scale = size is not None and (image.shape[1], image.shape[0]) != size
    if not to_gray and not scale:
        return image
    from framewire.common.opencv import cv2

    shaped: object = image
    if to_gray:
        shaped = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    if scale and size is not None:
        method = cv2.INTER_AREA if size[0] < image.shape[1] else cv2.INTER_CUBIC
        shaped = cv2.resize(np.asarray(shaped), size, interpolation=method)
    return np.asarray(shaped, np.uint8)
