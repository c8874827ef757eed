"""Packets to frames, when the caller wants the pixels."""

import numpy as np

from framewire.common.errors import JpegError
from framewire.common.frame import Frame, Header, Image, Packet
from framewire.common.jpeg import decode as decode_jpeg
from framewire.common.jpeg_scaled import decode_scaled, factor_of, reduced

__all__ = ["decode"]


def decode(packet: Packet, *, scale: float = 1, gray: bool = False) -> Frame:
    """The frame of a packet; its array is new, writable and the caller's own.

    (H, W, 3) uint8 in BGR order, or (H, W) for a gray picture, or of any if `gray`. With a `scale`
    of 1/2, 1/4 or 1/8 of width and height, rounded up: a JPEG is decoded that small, which is
    cheaper. `header` stays as it was sent, with the size and channels of the picture sent, and
    `received_ns` is taken over. Raises `JpegError` if the picture does not decode, also for want of
    memory, `UsageError` for another scale. Any thread may call it.
    """
    header = packet.header
    try:
        image = _decoded(packet, factor_of(scale), gray)
    except MemoryError as error:
        raise JpegError(
            f"there is no memory for a picture of {header.width}x{header.height}"
        ) from error
    return Frame(image, header, packet.received_ns)


def _decoded(packet: Packet, factor: int, gray: bool) -> Image:
    header = packet.header
    if header.codec == "raw":
        return _unpack(header, packet.payload, factor, gray)
    pixels = header.width * header.height  # the receiver's own limit may be above the default
    if factor == 1 and not gray:
        return decode_jpeg(packet.payload, max_pixels=pixels)
    return decode_scaled(packet.payload, factor, gray=gray, max_pixels=pixels)


def _unpack(header: Header, payload: bytes, factor: int, gray: bool) -> Image:
    """Raw pixels as an array of their own."""
    shape = (header.height, header.width, header.channels)[: 2 if header.channels == 1 else 3]
    image = np.frombuffer(payload, np.uint8).reshape(shape)
    gray = gray and image.ndim == 3
    if factor == 1 and not gray:
        return image.copy()
    from framewire.common.opencv import cv2

    if factor > 1:
        size = reduced(header.width, factor), reduced(header.height, factor)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False) if gray else image
