"""The newest packet of each topic, of so many bytes in all. Pure."""

from collections import OrderedDict
from collections.abc import Iterator, MutableMapping

from framewire.common.frame import Packet

__all__ = ["NEWEST_BYTES", "Newest"]

NEWEST_BYTES = 256 << 20
"""A thousand cameras of 1280x720; or sixty with raw pixels."""


class Newest(MutableMapping[str, Packet]):
    """Packets by topic. Not thread-safe.

    Whoever sends what it likes can make up a thousand topics, with a picture of 64 MiB in each. So when
    all together weigh more than `capacity`, those go that were put in longest ago; the last one stays
    whatever it weighs.
    """

    def __init__(self, capacity: int = NEWEST_BYTES) -> None:
        self._capacity = capacity
        self._packets: OrderedDict[str, Packet] = OrderedDict()
        self.weight = 0
        """Of all together, bytes (`Packet.weight`)."""

    def __getitem__(self, topic: str) -> Packet:
        return self._packets[topic]

    def __setitem__(self, topic: str, packet: Packet) -> None:
        self.pop(topic, None)
        self._packets[topic] = packet
        self.weight += packet.weight
        while self.weight > self._capacity and len(self._packets) > 1:
            del self[next(iter(self._packets))]

    def __delitem__(self, topic: str) -> None:
        self.weight -= self._packets.pop(topic).weight

    def __iter__(self) -> Iterator[str]:
        return iter(self._packets)

    def __len__(self) -> int:
        return len(self._packets)
