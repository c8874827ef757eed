"""Who has subscribed to what. Pure; the caller locks."""

import re

from framewire.common.topic import MAX_TOPIC_BYTES

__all__ = ["Subscriptions"]

_POSSIBLE = re.compile(rb"\A[A-Za-z0-9._/-]{0,%d}\Z" % MAX_TOPIC_BYTES)


class Subscriptions:
    """Counts the subscribers of each prefix, of at most `most` different ones.

    ZeroMQ does not say whose a subscription is, so no peer can be held to its share. While there are
    more prefixes than that, which only somebody hostile or astray makes, everything counts as
    wanted: it costs this machine what one subscriber to all would, and no honest one goes short.
    Prefixes that no topic begins with are nothing at all.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: dict[bytes, int] = {}
        self._uncounted = 0
        """Subscriptions to prefixes beyond `most`."""

    def __len__(self) -> int:
        """Subscriptions."""
        return sum(self._counts.values()) + self._uncounted

    @property
    def overflows(self) -> bool:
        """Whether there are more prefixes than are told apart."""
        return self._uncounted > 0

    @property
    def prefixes(self) -> frozenset[bytes]:
        """What is wanted; the empty prefix stands for all."""
        return frozenset((b"",)) if self._uncounted else frozenset(self._counts)

    def change(self, prefix: bytes, *, begins: bool) -> None:
        """Somebody has subscribed, or does no longer."""
        if not _POSSIBLE.match(prefix):
            return
        count = self._counts.get(prefix, 0)
        if begins and (count or len(self._counts) < self._most):
            self._counts[prefix] = count + 1
        elif begins:
            self._uncounted += 1
        elif count > 1:
            self._counts[prefix] = count - 1
        elif count:
            del self._counts[prefix]
        else:
            self._uncounted = max(0, self._uncounted - 1)

    def want(self, topic: bytes) -> bool:
        """Whether somebody wants a topic, as on the wire."""
        if self._uncounted:
            return True
        return any(topic[:length] in self._counts for length in range(len(topic) + 1))
