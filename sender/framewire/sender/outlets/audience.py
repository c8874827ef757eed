"""Who listens to what, as subscriptions tell."""

import threading
from collections import Counter, defaultdict
from collections.abc import Hashable

__all__ = ["Audience"]


class Audience:
    """Subscriptions at several sockets. Any thread may ask; one thread notes them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: Counter[bytes] = Counter()
        self._at: defaultdict[Hashable, Counter[bytes]] = defaultdict(Counter)

    def note(self, socket: Hashable, prefix: bytes, *, begins: bool) -> None:
        """Somebody at a socket subscribed, or no longer does; an end without a beginning is none."""
        with self._lock:
            here = self._at[socket]
            if begins:
                here[prefix] += 1
                self._all[prefix] += 1
            elif here[prefix] > 0:
                here[prefix] -= 1
                self._all[prefix] -= 1
            for counted in (here, self._all):
                if not counted[prefix]:
                    del counted[prefix]

    def forget(self, socket: Hashable) -> None:
        """A socket is closed, and all who were there are gone."""
        with self._lock:
            self._all -= self._at.pop(socket, Counter())

    def size_at(self, socket: Hashable) -> int:
        """How many subscriptions there are at a socket."""
        with self._lock:
            return self._at[socket].total() if socket in self._at else 0

    @property
    def prefixes(self) -> frozenset[bytes]:
        """What is subscribed to."""
        with self._lock:
            return frozenset(self._all)

    def wants(self, topic: bytes) -> bool:
        """Whether somebody subscribes to a topic, as on the wire."""
        with self._lock:
            return any(topic.startswith(prefix) for prefix in self._all)
