"""Recent packets, for receivers that want them all. Pure; one thread uses it."""

from collections import deque

import msgspec

from framewire.common.errors import UsageError
from framewire.common.frame import Packet

__all__ = ["History"]

_HEADER_BYTES = 512
"""What a header without metadata is counted as; an estimate, for the cap to hold with raw pixels of
one byte as well."""


class History:
    """A ring of packets in the order they were added, over all topics; the oldest go first.

    Not thread-safe. It holds the packets themselves, not copies.
    """

    __slots__ = ("_bytes", "_capacity", "_order", "_rings")

    def __init__(self, capacity_bytes: int) -> None:
        if capacity_bytes <= 0:
            raise UsageError(f"a history must hold 1 byte or more, not {capacity_bytes}")
        self._capacity = capacity_bytes
        self._bytes = 0
        self._order: deque[str] = deque()  # the topic of each packet, oldest first
        self._rings: dict[str, deque[Packet]] = {}

    @property
    def capacity(self) -> int:
        """Bytes that it may hold."""
        return self._capacity

    @property
    def bytes(self) -> int:
        """Bytes that it holds: payloads, metadata, and 512 for each header."""
        return self._bytes

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that it holds packets of."""
        return tuple(self._rings)

    def add(self, packet: Packet) -> bool:
        """Keep a packet; False for one that is larger than the capacity, which is not kept.

        One that was overtaken by others of its run takes its place among them.
        """
        size = _size(packet)
        if size > self._capacity:
            return False
        while self._bytes + size > self._capacity:
            self._forget_oldest()
        ring = self._rings.setdefault(packet.topic, deque())
        at = len(ring)
        while at and _follows(ring[at - 1], packet.header.sender, packet.sequence):
            at -= 1
        ring.insert(at, packet)
        self._order.append(packet.topic)
        self._bytes += size
        return True

    def newest(self, topic: str) -> Packet | None:
        """The last packet of a topic; None if there is none."""
        ring = self._rings.get(topic)
        return ring[-1] if ring else None

    def after(self, topic: str, run: str, sequence: int) -> Packet | None:
        """The packet that follows this one of a sender's run; None if nothing does yet.

        Behind the run's last packet the next run begins. A run that it holds nothing of has left
        it: the oldest packet of the topic is next.
        """
        ring = self._rings.get(topic)
        if ring is None:
            return None
        found: Packet | None = None  # what follows the packet looked at, as far as this run goes
        seen = False
        for packet in reversed(ring):  # most receivers are near the end
            if packet.header.sender == run:
                if packet.sequence <= sequence:
                    return found
                found, seen = packet, True
            elif not seen:
                found = packet
        return found if seen else ring[0]

    def _forget_oldest(self) -> None:
        topic = self._order.popleft()
        ring = self._rings[topic]
        self._bytes -= _size(ring.popleft())
        if not ring:
            del self._rings[topic]


def _size(packet: Packet) -> int:
    metadata = packet.metadata
    extra = len(msgspec.msgpack.encode(metadata)) if metadata else 0
    return len(packet.payload) + _HEADER_BYTES + extra


def _follows(packet: Packet, run: str, sequence: int) -> bool:
    return packet.header.sender == run and packet.sequence > sequence
