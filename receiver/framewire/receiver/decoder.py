"""Packets to frames, when the caller wants the pixels."""

import numpy as np

from framewire.common.frame import Frame, Packet
from framewire.common.jpeg import decode as decode_jpeg

__all__ = ["decode"]


def decode(packet: Packet) -> Frame:
    """The frame of a packet; its array is new and the caller's own.

    (H, W, 3) uint8 in BGR order, or (H, W) for a gray picture. `received_ns` is taken over. Raises
    `JpegError` if the picture does not decode. Any thread may call it.
    """
    header = packet.header
    if header.codec == "jpeg":
        image = decode_jpeg(packet.payload)
    else:
        shape = (header.height, header.width, header.channels)[: 2 if header.channels == 1 else 3]
        image = np.frombuffer(packet.payload, np.uint8).reshape(shape).copy()
    return Frame(image, header, packet.received_ns)
