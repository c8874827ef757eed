"""`Events`: when frames are recorded, where that is only around events. Pure."""

from typing import Generic, TypeVar

from framewire.receiver.sinks.ring import Drained, Ring

__all__ = ["Events"]

T = TypeVar("T")


class Events(Generic[T]):
    """From `pre_ns` before a trigger to `post_ns` after the last one. Times never decrease.

    A trigger during an event makes it longer; one after it begins the next. Not thread-safe.
    """

    def __init__(self, pre_ns: int, post_ns: int, capacity: int) -> None:
        self._ring: Ring[T] = Ring(pre_ns, capacity)
        self._post_ns = post_ns
        self._until_ns: int | None = None
        self.number = 0
        """Events so far."""

    def of_frame(self, now_ns: int) -> int:
        """Number of the event that a frame belongs to: of the one that lasts, or else of the next."""
        return self.number if self._lasts(now_ns) else self.number + 1

    def over(self, event: int, now_ns: int) -> bool:
        """Whether an event has ended."""
        return event < self.of_frame(now_ns)

    def trigger(self, now_ns: int) -> Drained[T] | None:
        """Begin an event, with what came before it; or None: the one that lasts goes on."""
        lasts = self._lasts(now_ns)
        self._until_ns = now_ns + self._post_ns
        if lasts:
            return None
        self.number += 1
        return self._ring.drain(now_ns)

    def keep(self, now_ns: int, topic: str, weight: int, item: T) -> bool:
        """Whether a frame belongs to no event, and was kept for the next."""
        if self._lasts(now_ns):
            return False
        self._ring.add(now_ns, topic, weight, item)
        return True

    def _lasts(self, now_ns: int) -> bool:
        return self._until_ns is not None and now_ns <= self._until_ns
