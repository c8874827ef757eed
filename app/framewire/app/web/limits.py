"""`Limits`: how much visitors of the web viewer may take. All of it in one table."""

from dataclasses import dataclass

from framewire.common.descriptors import most_descriptors

__all__ = ["LIMITS", "Limits", "room"]

_OWN_DESCRIPTORS = 64
"""What the viewer itself has open: sockets of its receiver, recordings, its log."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one visitor, or all together, may take. docs/guide/web.md lists them for users."""

    connections: int = 256
    """At a time. One more takes the place of the one that has asked for nothing for longest."""
    head_bytes: int = 16 * 1024
    """Of a request: its first line and its headers."""
    head_s: float = 10.0
    """For a request to arrive; for a TLS handshake, too."""
    turn_bytes: int = 4 * 1024
    """What is read of one connection before others have their turn."""
    message_bytes: int = 1024
    """Of what a browser says by WebSocket. What it may mean is shorter still: see answers.py."""
    message_turn_bytes: int = 1024
    """As `turn_bytes`: small messages are the dearest bytes that there are."""
    messages_per_s: int = 500
    """Of one WebSocket, as many at once; pings and parts of messages are counted. A camera of 240
    frames a second has so many acknowledged; who says more is cut off (1008)."""
    fragments: int = 16
    """Of one message."""
    pongs: int = 16
    """That wait for a browser which does not read."""
    send_buffer_bytes: int = 64 * 1024
    """Of the kernel, for each connection: what waits there grows old."""
    dead_s: float = 15.0
    """A connection whose other end takes nothing for so long is closed."""
    stuck_s: float = 5.0
    """Who takes nothing for so long makes room when there is no other."""
    glances: int = 64
    """Topics that are taken for those who only ask how they do; of more, what is known is told."""
    disk_threads: int = 16
    """That read recordings."""
    disk_waiting: int = 64
    """Questions that wait for one of them; one more is refused (503)."""
    disk_s: float = 5.0
    """For the disk with the recordings to answer, else 503."""


LIMITS = Limits()


def room(connections: int, descriptors: int | None = None) -> int:
    """How many connections there can be with so many `descriptors` (None: what the system allows).

    Each may need two: its own, and that of a file that it reads.
    """
    if descriptors is None:
        descriptors = most_descriptors()
    return max(1, min(connections, (descriptors - _OWN_DESCRIPTORS) // 2))
