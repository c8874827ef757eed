"""What the system knows of the traffic of a TCP connection that ZeroMQ owns (Linux)."""

import socket
import sys

__all__ = ["KNOWN", "received_bytes", "taken_bytes"]

_TCP_INFO = getattr(socket, "TCP_INFO", None)
KNOWN = _TCP_INFO is not None
"""Whether this system tells."""
_BYTES_ACKED, _BYTES_RECEIVED = 120, 128
"""Where they are in struct tcp_info: include/uapi/linux/tcp.h, since Linux 4.1."""


def received_bytes(descriptor: int) -> int:
    """What has come over a connection since it began; -1 where the system does not tell."""
    return _read(descriptor, _BYTES_RECEIVED)


def taken_bytes(descriptor: int) -> int:
    """What its other end has acknowledged since it began; -1 where the system does not tell."""
    return _read(descriptor, _BYTES_ACKED)


def _read(descriptor: int, at: int) -> int:
    if _TCP_INFO is None:
        return -1
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:
        return -1  # closed meanwhile, or another file
    try:
        told = borrowed.getsockopt(socket.IPPROTO_TCP, _TCP_INFO, at + 8)
    except OSError:
        return -1  # no TCP
    finally:
        borrowed.detach()
    return int.from_bytes(told[at : at + 8], sys.byteorder) if len(told) == at + 8 else -1
