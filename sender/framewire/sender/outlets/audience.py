"""Who listens to what, at several sockets."""

import threading
from collections.abc import Hashable

from framewire.sender.outlets.subscriptions import Subscriptions

__all__ = ["Audience"]


class Audience:
    """Subscriptions at several sockets, `most` different ones at each. Any thread may ask."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._at: dict[Hashable, Subscriptions] = {}

    def note(self, socket: Hashable, prefix: bytes, *, begins: bool) -> None:
        """Somebody at a socket subscribed, or does no longer."""
        with self._lock:
            here = self._at.setdefault(socket, Subscriptions(self._most))
            here.change(prefix, begins=begins)

    def forget(self, socket: Hashable) -> None:
        """A socket is closed, and all who were there are gone."""
        with self._lock:
            self._at.pop(socket, None)

    def size_at(self, socket: Hashable) -> int:
        """How many subscriptions there are at a socket."""
        with self._lock:
            return len(self._at[socket]) if socket in self._at else 0

    @property
    def overflows(self) -> bool:
        """Whether there are more prefixes at a socket than are told apart."""
        with self._lock:
            return any(each.overflows for each in self._at.values())

    @property
    def prefixes(self) -> frozenset[bytes]:
        """What is wanted; the empty prefix stands for all."""
        with self._lock:
            return frozenset().union(*(each.prefixes for each in self._at.values()))

    def wants(self, topic: bytes) -> bool:
        """Whether somebody wants a topic, as on the wire."""
        with self._lock:
            return any(each.want(topic) for each in self._at.values())
