"""Who is connected to a socket, and who has to go if there are too many. Pure: the time is an argument."""

from collections.abc import Callable, Iterator
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
    gone: bool = False
    """Whether it has ended."""


class Crowd:
    """The connections of one socket, by their file descriptors."""

    def __init__(self) -> None:
        self.peers: dict[int, Peer] = {}  # in the order in which they came
        self.proven = 0
        """How many have said something. Any thread may ask."""

    def __len__(self) -> int:
        return len(self.peers)

    def arrived(self, descriptor: int, address: str, now_ns: int) -> None:
        self.left(descriptor)
        self.peers[descriptor] = Peer(address, now_ns)

    def left(self, descriptor: int) -> Peer | None:
        peer = self.peers.pop(descriptor, None)
        if peer is not None:
            peer.gone = True
            self.proven -= peer.proven
        return peer

    def prove(self, descriptor: int) -> Peer | None:
        """It has shown that it is one of us."""
        peer = self.peers.get(descriptor)
        if peer is not None and not peer.proven:
            peer.proven = True
            self.proven += 1
        return peer

    def subscribed(self, descriptor: int, change: int) -> int:
        """To how much it is subscribed now; 0 for one that is not here any more, or is leaving."""
        peer = self.peers.get(descriptor)
        if peer is None or peer.leaving:
            return 0
        peer.subscriptions = max(0, peer.subscriptions + change)
        return peer.subscriptions

    def shrink(
        self, most: int, now_ns: int, is_at_work: Callable[[int], bool] = lambda descriptor: False
    ) -> list[int]:
        """Whom to cut so that `most` remain; they are `leaving` from now on.

        Who says nothing goes before who has shown what it is; `is_at_work` is asked of the former
        whether it has shown that in another way.
        """
        excess = sum(not peer.leaving for peer in self.peers.values()) - most
        chosen: list[int] = []
        if excess > 0:
            for number in list(self._least_wanted(now_ns)):
                if not self.peers[number].proven and is_at_work(number):
                    self.prove(number)
                    continue
                self.peers[number].leaving = True
                chosen.append(number)
                if len(chosen) == excess:
                    break
        return chosen

    def _least_wanted(self, now_ns: int) -> Iterator[int]:
        """First who made its way in and then said nothing; then who may still be at its handshake,
        the one that has taken longest before the others: who opens connections and is silent must
        not keep out who comes after. At last the newest: who has been served for long is served on.
        """
        young_ns = now_ns - HANDSHAKE_NS
        silent = [(n, p) for n, p in self.peers.items() if not (p.leaving or p.proven)]
        yield from (number for number, peer in silent if peer.since_ns <= young_ns)
        yield from (number for number, peer in silent if peer.since_ns > young_ns)
        served = [n for n, p in self.peers.items() if p.proven and not p.leaving]
        yield from reversed(served)
