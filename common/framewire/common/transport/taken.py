"""What a peer has taken of what was sent to it, as the system knows (Linux)."""

import socket
import struct
import sys

__all__ = ["bytes_taken"]

_BYTES_ACKED = struct.Struct("@120xQ")
"""`tcpi_bytes_acked` in `struct tcp_info` (linux/tcp.h), since Linux 4.1."""


def bytes_taken(descriptor: int) -> int:
    """Bytes that the other end of a TCP connection has acknowledged; 0 where that is not known."""
    if sys.platform != "linux":
        return 0
    try:
        borrowed = socket.socket(fileno=descriptor)
    except OSError:  # closed meanwhile, or another file
        return 0
    try:
        told = borrowed.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES_ACKED.size)
    except OSError:  # not TCP
        return 0
    finally:
        borrowed.detach()
    return int(_BYTES_ACKED.unpack(told)[0]) if len(told) == _BYTES_ACKED.size else 0
