"""Who is connected to a socket, and who has to go if there are too many. Pure: the time is an argument."""

from dataclasses import dataclass

from framewire.common.clock import NS

__all__ = ["Crowd", "Peer"]

HANDSHAKE_NS = 3 * NS
"""ZeroMQ ends a connection whose handshake takes longer; an older one has made its way in."""


@dataclass(slots=True)
class Peer:
    """One connection."""

    address: str
    """As the system names it: a host and a port, or nothing for `ipc`."""
    since_ns: int
    """When it was accepted or made, monotonic."""
    proven: bool = False
    """Whether a whole message came from it."""
    subscriptions: int = 0
    """Where it subscribes: to how much, now."""
    leaving: bool = False
    """Whether it was cut; it is here until the system says so."""


class Crowd:
    """The connections of one socket, by their file descriptors."""

    def __init__(self) -> None:
        self.peers: dict[int, Peer] = {}  # in the order in which they came

    def __len__(self) -> int:
        return len(self.peers)

    def arrived(self, descriptor: int, address: str, now_ns: int) -> None:
        self.peers.pop(descriptor, None)
        self.peers[descriptor] = Peer(address, now_ns)

    def left(self, descriptor: int) -> Peer | None:
        return self.peers.pop(descriptor, None)

    def prove(self, descriptor: int) -> None:
        if descriptor in self.peers:
            self.peers[descriptor].proven = True

    def subscribed(self, descriptor: int, change: int) -> int:
        """To how much it is subscribed now; 0 for one that is not here any more, or is leaving."""
        peer = self.peers.get(descriptor)
        if peer is None or peer.leaving:
            return 0
        peer.subscriptions = max(0, peer.subscriptions + change)
        return peer.subscriptions

    @property
    def proven(self) -> int:
        return sum(peer.proven for peer in self.peers.values())

    def shrink(self, most: int, now_ns: int) -> list[int]:
        """Whom to cut so that `most` remain; they are `leaving` from now on.

        First those who may still be at their handshake, the one that has taken longest before the
        others: who opens connections and says nothing must not keep out who comes after. Then the
        newest: who has been served for long is served on.
        """
        staying = {number: peer for number, peer in self.peers.items() if not peer.leaving}
        excess = len(staying) - most
        if excess <= 0:
            return []
        young_ns = now_ns - HANDSHAKE_NS
        silent = {n: p for n, p in staying.items() if not p.proven and p.since_ns > young_ns}
        settled = [number for number in reversed(staying) if number not in silent]
        chosen = [*silent, *settled][:excess]
        for number in chosen:
            self.peers[number].leaving = True
        return chosen
